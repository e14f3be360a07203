package main_test

import (
	"bytes"
	"context"
	"net"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
	"github.com/stretchr/testify/require"

	main "github.com/pushd/pushd/cmd/pushd"
)

// stage starts a WebSocket server that greets each connection and sends it the
// next script's lines; behind the last script it waits for the client to go.
func stage(t *testing.T, scripts ...[]string) (address string, asked *[]string) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	var done sync.WaitGroup
	asked = new([]string)
	done.Go(func() {
		for i, script := range scripts {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			conn.SetDeadline(time.Now().Add(10 * time.Second))
			var offered string
			upgrader := ws.Upgrader{ProtocolCustom: func(v []byte) (string, bool) {
				offered = string(v)
				return "pushd.v1", true
			}}
			if _, err := upgrader.Upgrade(conn); err != nil {
				t.Error(err)
			}
			wsutil.WriteServerText(conn, []byte(`{"op":"welcome","ping_ms":25000}`))
			request, _, err := wsutil.ReadClientData(conn)
			if err != nil {
				t.Error(err)
			}
			*asked = append(*asked, offered+" "+string(request))
			for _, line := range script {
				wsutil.WriteServerText(conn, []byte(line))
			}
			for i == len(scripts)-1 && err == nil {
				_, _, err = wsutil.ReadClientData(conn)
			}
			conn.Close()
		}
	})
	t.Cleanup(func() { listener.Close(); done.Wait() })
	return listener.Addr().String(), asked
}

const (
	start = `{"op":"subscribed","id":1,"topic":"news","position":"e:0","policy":"disconnect"}`
	one   = `{"op":"message","topic":"news","position":"e:1","data":{"n": 1}}`
	two   = `{"op":"message","topic":"news","position":"e:2","text":"two"}`
	gone  = `{"op":"delete","topic":"news","key":"k"}`
)

func TestSubscribe(t *testing.T) {
	address, asked := stage(t, []string{start, one, gone, two})
	r := call{args: []string{"subscribe", "news", "--url", address, "--count", "2", "--since", "e:0", "--token-file", write(t, "token", "abc\n")}}.run()
	require.Equal(t, result{0, "{\"n\": 1}\ntwo\n", ""}, r)
	require.Equal(t, []string{`pushd.v1, bearer.abc {"op":"subscribe","id":1,"topics":[{"name":"news","since":"e:0"}]}`}, *asked)

	address, _ = stage(t, []string{start, one, gone, two})
	r = pushd("subscribe", "news", "--url", address, "--count", "2", "--format", "json")
	require.Equal(t, result{0, one + "\n" + gone + "\n" + two + "\n", ""}, r)
}

func TestSubscribeComesBack(t *testing.T) {
	lost := `{"op":"subscribed","id":1,"topic":"news","position":"f:7","recovered":false}`
	address, asked := stage(t, []string{start, one}, []string{lost, strings.ReplaceAll(two, "e:2", "f:8")})
	r := pushd("subscribe", "news", "--url", address, "--count", "2")
	require.Equal(t, 0, r.code)
	require.Equal(t, "{\"n\": 1}\ntwo\n", r.stdout)
	require.Contains(t, r.stderr, "trying again in ")
	require.Contains(t, r.stderr, "messages of news were missed after e:1 up to f:7")
	require.Contains(t, (*asked)[1], `"since":"e:1"`)
}

func TestSubscribeRefused(t *testing.T) {
	address, _ := stage(t, []string{`{"op":"error","id":1,"code":"forbidden","message":"not yours","topic":"news"}`})
	require.Equal(t, result{1, "", "pushd: forbidden: not yours\n"}, pushd("subscribe", "news", "--url", address))
}

// signaller interrupts this process when it is written to: by then the command
// listens for signals.
type signaller struct{ bytes.Buffer }

func (s *signaller) Write(p []byte) (int, error) {
	syscall.Kill(os.Getpid(), syscall.SIGINT)
	return s.Buffer.Write(p)
}

func TestSubscribeInterrupted(t *testing.T) {
	address, _ := stage(t, []string{start, one})
	var stdout signaller
	var stderr bytes.Buffer
	nothing := func(string) (string, bool) { return "", false }
	code := main.Run(context.Background(), []string{"subscribe", "news", "--url", address}, nothing, nil, &stdout, &stderr)
	require.Zero(t, code, stderr.String())
	require.Equal(t, "{\"n\": 1}\n", stdout.String())
}
