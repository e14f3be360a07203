package netpoll_test

import (
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/pushd/pushd/netpoll"
)

// patience is how long a test waits for what must come; it is never waited out on success.
const patience = 10 * time.Second

func openPoller(t testing.TB) *netpoll.Poller {
	t.Helper()
	p, err := netpoll.Open()
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, p.Close()) })
	return p
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

func write(t testing.TB, fd int, s string) {
	t.Helper()
	n, err := unix.Write(fd, []byte(s))
	require.NoError(t, err)
	require.Equal(t, len(s), n)
}

// await waits until handle has been reported with all of want and returns everything reported for it on the way.
func await(t testing.TB, p *netpoll.Poller, handle uint64, want netpoll.Events) (got netpoll.Events) {
	t.Helper()
	events := make([]netpoll.Event, 16)
	for deadline := time.Now().Add(patience); got&want != want; {
		require.True(t, time.Now().Before(deadline), "waited for %04b of handle %#x, got %04b", want, handle, got)
		n, err := p.Wait(events, time.Until(deadline))
		require.NoError(t, err)
		for _, e := range events[:n] {
			if e.Handle == handle {
				got |= e.Events
			}
		}
	}
	return got
}

// quiet asserts that the kernel has nothing to report now.
func quiet(t testing.TB, p *netpoll.Poller) {
	t.Helper()
	events := make([]netpoll.Event, 16)
	n, err := p.Wait(events, 0)
	require.NoError(t, err)
	require.Empty(t, events[:n])
}

func TestWaitReportsTheHandle(t *testing.T) {
	p := openPoller(t)
	a, b := socketPair(t)
	require.NoError(t, p.Add(a, 42))
	require.Equal(t, netpoll.Writable, await(t, p, 42, netpoll.Writable))
	quiet(t, p)
	write(t, b, "x")
	require.NotZero(t, await(t, p, 42, netpoll.Readable)&netpoll.Readable)
	quiet(t, p)
}

func TestCloseEndsWait(t *testing.T) {
	p, err := netpoll.Open()
	require.NoError(t, err)
	var waiting sync.WaitGroup
	waiting.Go(func() {
		events := make([]netpoll.Event, 1)
		for err == nil {
			_, err = p.Wait(events, -1)
		}
	})
	require.NoError(t, p.Close())
	waiting.Wait()
	require.ErrorIs(t, err, netpoll.ErrClosed)
	require.NoError(t, p.Close(), "the second Close")
	require.ErrorIs(t, p.Wake(), netpoll.ErrClosed)
	require.ErrorIs(t, p.Add(0, 1), netpoll.ErrClosed)
	require.ErrorIs(t, p.Delete(0), netpoll.ErrClosed)
}
