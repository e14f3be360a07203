package observe_test

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pushd/pushd/loadgen/observe"
)

func listen(t *testing.T, network, addr string) (net.Listener, netip.AddrPort) {
	l, err := net.Listen(network, addr)
	require.NoError(t, err)
	t.Cleanup(func() { l.Close() })
	return l, l.Addr().(*net.TCPAddr).AddrPort()
}

func TestListenerIsThisProcess(t *testing.T) {
	for label, c := range map[string]struct{ network, addr, reached string }{
		"one address":      {"tcp4", "127.0.0.1:0", "127.0.0.1"},
		"all addresses":    {"tcp4", "0.0.0.0:0", "127.0.0.9"},
		"all, of v6 too":   {"tcp", ":0", "127.0.0.1"},
		"the unspecified":  {"tcp4", "127.0.0.1:0", "0.0.0.0"},
		"one address, not": {"tcp4", "127.0.0.1:0", "127.0.0.2"},
	} {
		t.Run(label, func(t *testing.T) {
			l, addr := listen(t, c.network, c.addr)
			reached := netip.AddrPortFrom(netip.MustParseAddr(c.reached), addr.Port())
			pids, err := observe.Listener(reached)
			if label == "one address, not" {
				require.ErrorContains(t, err, "nothing listens on "+reached.String())
				return
			}
			require.NoError(t, err)
			require.Equal(t, []int{os.Getpid()}, pids)

			l.Close()
			pids, err = observe.Listener(reached)
			require.ErrorContains(t, err, "nothing listens on "+reached.String())
			require.Empty(t, pids)
		})
	}
}

// A listener that a child inherits is both's.
func TestListenerIsShared(t *testing.T) {
	l, addr := listen(t, "tcp4", "127.0.0.1:0")
	f, err := l.(*net.TCPListener).File()
	require.NoError(t, err)
	defer f.Close()
	c := exec.Command("cat") // until its standard input ends
	c.ExtraFiles = []*os.File{f}
	stdin, err := c.StdinPipe()
	require.NoError(t, err)
	require.NoError(t, c.Start())
	defer c.Wait()
	defer stdin.Close()

	pids, err := observe.Listener(addr)
	require.NoError(t, err)
	require.ElementsMatch(t, []int{os.Getpid(), c.Process.Pid}, pids)
	require.IsIncreasing(t, pids)
}

func TestListenerOfAnotherUser(t *testing.T) {
	server := start(t, "127.0.0.1:0", "hidden")
	said, err := exec.Command(os.Args[0], "look", server.addr.String()).CombinedOutput()
	require.NoError(t, err, "%s", said)
	require.Equal(t, fmt.Sprintf("[] the process that listens on %v cannot be seen: %v\n", server.addr, observe.ErrHidden), string(said))
}
