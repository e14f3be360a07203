package observe_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/pushd/pushd/loadgen/observe"
)

func init() { roles["serve"], roles["look"] = serve, look }

// The limits of open files that a serving child sets itself.
const softFiles, hardFiles = 123, 456

// serve is a server: it listens on args[0], has its metrics there, uses some CPU
// time, says where it listens, and ends with its standard input.
func serve(args []string) error {
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: softFiles, Max: hardFiles}); err != nil {
		return err
	}
	if slices.Contains(args, "hidden") { // to others of its own user it is then as another user's is: proc(5)
		if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
			return err
		}
	}
	l, err := net.Listen("tcp", args[0])
	if err != nil {
		return err
	}
	registry := prometheus.NewRegistry()
	connections := prometheus.NewGauge(prometheus.GaugeOpts{Name: "pushd_connections"})
	connections.Set(17)
	registry.MustRegister(collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), connections)
	go http.Serve(l, promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	for observe.Self().CPU < 0.1 {
	}
	fmt.Println(l.Addr())
	io.Copy(io.Discard, os.Stdin)
	return nil
}

// look is another user: it says who listens on args[0].
func look(args []string) error {
	if os.Geteuid() == 0 {
		if err := unix.Setuid(65534); err != nil {
			return err
		}
	}
	pids, err := observe.Listener(netip.MustParseAddrPort(args[0]))
	fmt.Println(pids, err)
	return nil
}

// child is a started serve.
type child struct {
	*exec.Cmd
	addr  netip.AddrPort
	stdin io.Closer
}

// start starts serve.
func start(t *testing.T, args ...string) *child {
	c := &child{Cmd: exec.Command(os.Args[0], append([]string{"serve"}, args...)...)}
	c.Stderr = os.Stderr
	c.Env = append(os.Environ(), "GORACE=atexit_sleep_ms=0") // or the race detector makes each wait a second
	stdin, err := c.StdinPipe()
	require.NoError(t, err)
	stdout, err := c.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, c.Start())
	c.stdin = stdin
	t.Cleanup(c.stop)
	line, err := bufio.NewReader(stdout).ReadString('\n')
	require.NoError(t, err)
	c.addr = netip.MustParseAddrPort(strings.TrimSpace(line))
	return c
}

// stop ends it and waits until it has ended. It may be called twice.
func (c *child) stop() {
	c.stdin.Close()
	c.Wait()
}

func (c *child) pid() int { return c.Process.Pid }
