package server_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// crowdRequest is what a client of a crowd sends.
const crowdRequest = "GET /ws?topic=crowd HTTP/1.1\r\nHost: a\r\n" + upgrade + "\r\n"

// startCrowd starts a process with n subscribers of the topic crowd, of whom every
// one in so many reads, and waits until all are there. A process of their own
// can be killed, has descriptors of its own, and leaves the CPU time of this one
// to the server.
func startCrowd(t testing.TB, address string, n, in int) (kill func()) {
	t.Helper()
	p := exec.Command(os.Args[0])
	p.Env = append(os.Environ(), fmt.Sprintf("PUSHD_TEST_CROWD=%s %d %d", address, n, in))
	out, err := p.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, p.Start())
	kill = func() { p.Process.Kill(); p.Wait() }
	t.Cleanup(kill)
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "ready\n", line)
	return kill
}

// init turns a process that was started as a crowd into one, until it is killed.
func init() {
	var address string
	var n, in int
	if got, _ := fmt.Sscan(os.Getenv("PUSHD_TEST_CROWD"), &address, &n, &in); got < 3 {
		return
	}
	all := make([]net.Conn, n) // or the collector would close what nobody reads
	for i := range all {
		c, err := net.Dial("tcp", address)
		all[i] = c
		if err == nil {
			if in > 1 {
				c.(*net.TCPConn).SetReadBuffer(4096)
			}
			_, err = io.WriteString(c, crowdRequest)
		}
		r := bufio.NewReader(c)
		if err == nil {
			_, err = http.ReadResponse(r, nil)
		}
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		if i%in == 0 {
			go io.Copy(io.Discard, r)
		}
	}
	fmt.Println("ready")
	time.Sleep(time.Hour)
	runtime.KeepAlive(all)
}
