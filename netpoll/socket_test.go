package netpoll_test

import (
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/pushd/pushd/netpoll"
)

// patience is how long a test waits for what must come; it is never waited out on success.
const patience = 10 * time.Second

func listen(t testing.TB, lc netpoll.ListenConfig, network, address string) *netpoll.Listener {
	t.Helper()
	l, err := lc.Listen(network, address)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, l.Close()) })
	return l
}

// dial connects by net, so that what we listen on is met by somebody else's code.
func dial(t testing.TB, network, address string) net.Conn {
	t.Helper()
	c, err := net.DialTimeout(network, address, patience)
	require.NoError(t, err)
	t.Cleanup(func() { c.Close() })
	return c
}

// accept waits for a connection and takes it; it is closed when the test ends.
func accept(t testing.TB, l *netpoll.Listener) int {
	t.Helper()
	poll(t, l.FD(), unix.POLLIN)
	fd, _, err := l.Accept()
	require.NoError(t, err)
	t.Cleanup(func() { unix.Close(fd) })
	return fd
}

// tcpPair gives both ends of a connection: the accepted descriptor, and the peer.
func tcpPair(t testing.TB) (fd int, peer *net.TCPConn) {
	t.Helper()
	l := listen(t, netpoll.ListenConfig{}, "tcp4", "127.0.0.1:0")
	peer = dial(t, "tcp4", l.Addr().String()).(*net.TCPConn)
	return accept(t, l), peer
}

// socketPair gives two connected non-blocking stream sockets, closed when the test ends.
func socketPair(t testing.TB) (a, b int) {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	require.NoError(t, err)
	for _, fd := range fds {
		require.NoError(t, unix.SetNonblock(fd, true))
		t.Cleanup(func() { unix.Close(fd) })
	}
	return fds[0], fds[1]
}

// poll waits, by poll(2) and not by what is under test, until fd is ready.
func poll(t testing.TB, fd int, events int16) {
	t.Helper()
	for deadline := time.Now().Add(patience); ; {
		fds := []unix.PollFd{{Fd: int32(fd), Events: events}}
		n, err := unix.Poll(fds, int(time.Until(deadline).Milliseconds()))
		if err == unix.EINTR {
			continue
		}
		require.NoError(t, err)
		require.Equal(t, 1, n, "descriptor %d did not become ready", fd)
		return
	}
}

func write(t testing.TB, fd int, s string) {
	t.Helper()
	n, err := unix.Write(fd, []byte(s))
	require.NoError(t, err)
	require.Equal(t, len(s), n)
}

// read makes one read(2) into a buffer longer than any test's input: it is a short read.
func read(t testing.TB, fd int) string {
	t.Helper()
	var buf [64]byte
	n, err := unix.Read(fd, buf[:])
	require.NoError(t, err)
	return string(buf[:n])
}

func option(t testing.TB, fd, level, opt int) int {
	t.Helper()
	value, err := unix.GetsockoptInt(fd, level, opt)
	require.NoError(t, err)
	return value
}
