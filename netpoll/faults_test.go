//go:build faults && linux

package netpoll_test

import (
	"io"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/pushd/pushd/internal/leak"
	"github.com/pushd/pushd/internal/sys"
	"github.com/pushd/pushd/netpoll"
)

// failing has the calls of a kind fail from the n-th on, for so many times.
func failing(t *testing.T, call sys.Call, n, times int, errno unix.Errno) *sys.Plan {
	t.Helper()
	plan := sys.Inject(func(at sys.At) unix.Errno {
		if at.Call == call && n <= at.N && at.N < n+times {
			return errno
		}
		return 0
	})
	t.Cleanup(plan.End)
	return plan
}

// TestFaultsOpening: what cannot be opened says why and leaves no descriptor behind.
func TestFaultsOpening(t *testing.T) {
	listen := func() (io.Closer, error) {
		return netpoll.ListenConfig{UserTimeout: time.Second, SendBuffer: 4096}.Listen("tcp", "127.0.0.1:0")
	}
	open := func() (io.Closer, error) { return netpoll.Open() }
	for _, test := range []struct {
		label string
		open  func() (io.Closer, error)
		call  sys.Call
		n     int
		errno unix.Errno
		says  string
	}{
		{"no descriptor for a listener", listen, sys.CallSocket, 1, unix.EMFILE, "socket: too many open files"},
		{"none in the system", listen, sys.CallSocket, 1, unix.ENFILE, "socket: too many open files in system"},
		{"no memory for it", listen, sys.CallSocket, 1, unix.ENOBUFS, "socket: no buffer space"},
		{"first option", listen, sys.CallSetsockopt, 1, unix.ENOMEM, "setsockopt SO_REUSEADDR: "},
		{"a later option", listen, sys.CallSetsockopt, 3, unix.ENOBUFS, "setsockopt TCP_USER_TIMEOUT: "},
		{"listen(2)", listen, sys.CallListen, 1, unix.ENOBUFS, "listen: no buffer space"},
		{"no descriptor for a poller", open, sys.CallEpollCreate, 1, unix.EMFILE, "epoll_create1: too many open files"},
		{"none for its eventfd", open, sys.CallEventfd, 1, unix.EMFILE, "eventfd: too many open files"},
		{"no memory for the eventfd's registration", open, sys.CallEpollAdd, 1, unix.ENOMEM, "epoll_ctl: cannot allocate memory"},
	} {
		t.Run(test.label, func(t *testing.T) {
			before := leak.Open()
			plan := failing(t, test.call, test.n, 1, test.errno)
			_, err := test.open()
			require.ErrorIs(t, err, test.errno)
			require.ErrorContains(t, err, test.says)
			require.Len(t, plan.Given(), 1)
			require.Equal(t, before, leak.Open())
			plan.End()
			opened, err := test.open()
			require.NoError(t, err)
			require.NoError(t, opened.Close())
		})
	}
}

// TestFaultsInterrupted: no caller sees that a signal came in between.
func TestFaultsInterrupted(t *testing.T) {
	l, err := netpoll.ListenConfig{}.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	peer, err := net.Dial("tcp", l.Addr().String())
	require.NoError(t, err)
	defer peer.Close()
	failing(t, sys.CallAccept, 1, 3, unix.EINTR)
	fd, _, err := l.Accept()
	require.NoError(t, err)
	require.NoError(t, unix.Close(fd))

	failing(t, sys.CallWake, 1, 3, unix.EINTR)
	p, err := netpoll.Open()
	require.NoError(t, err)
	require.NoError(t, p.Wake())
	start := time.Now()
	_, err = p.Wait(make([]netpoll.Event, 1), time.Minute)
	require.NoError(t, err)
	require.Less(t, time.Since(start), time.Minute/2, "the wake-up was lost")

	failing(t, sys.CallEpollWait, 1, 1000, unix.EINTR)
	n, err := p.Wait(make([]netpoll.Event, 1), time.Minute)
	require.NoError(t, err)
	require.Zero(t, n)

	failing(t, sys.CallClose, 1, 3, unix.EINTR)
	before := len(leak.Open())
	require.NoError(t, p.Close())
	require.NoError(t, l.Close())
	require.Len(t, leak.Open(), before-3)
}

// TestFaultsAgain: after an EAGAIN that was not true the layer gives the edge that a kernel would.
func TestFaultsAgain(t *testing.T) {
	l, err := netpoll.ListenConfig{}.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	p, err := netpoll.Open()
	require.NoError(t, err)
	defer p.Close()
	failing(t, sys.CallAccept, 1, 20, unix.EAGAIN)
	require.NoError(t, p.Add(l.FD(), 7))
	peer, err := net.Dial("tcp", l.Addr().String())
	require.NoError(t, err)
	defer peer.Close()
	events := make([]netpoll.Event, 4)
	for tries := 1; ; tries++ {
		n, err := p.Wait(events, 5*time.Second)
		require.NoError(t, err)
		require.Equal(t, []netpoll.Event{{Handle: 7, Events: netpoll.Readable}}, events[:n])
		fd, _, err := l.Accept()
		if err == nil {
			require.Equal(t, 21, tries)
			require.NoError(t, unix.Close(fd))
			return
		}
		require.ErrorIs(t, err, netpoll.ErrWouldBlock)
	}
}
