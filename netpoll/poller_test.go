package netpoll_test

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/pushd/pushd/netpoll"
)

func openPoller(t testing.TB) *netpoll.Poller {
	t.Helper()
	p, err := netpoll.Open()
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, p.Close()) })
	return p
}

// watch adds fd in both directions and takes its first event, which is that it is writable.
func watch(t testing.TB, p *netpoll.Poller, fd int, handle uint64) {
	t.Helper()
	require.NoError(t, p.Add(fd, handle))
	quiet(t, p)
	require.NoError(t, p.AddWrite(fd, handle))
	require.Equal(t, netpoll.Writable, await(t, p, handle, netpoll.Writable))
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
			require.Equal(t, handle, e.Handle)
			got |= e.Events
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

func TestWaitReportsWhatHappens(t *testing.T) {
	p := openPoller(t)
	a, b := socketPair(t)
	watch(t, p, a, 42)
	quiet(t, p)
	write(t, b, "x")
	await(t, p, 42, netpoll.Readable)
	quiet(t, p)
	require.Equal(t, "x", read(t, a))

	require.NoError(t, unix.Shutdown(b, unix.SHUT_WR))
	got := await(t, p, 42, netpoll.PeerClosed)
	require.NotZero(t, got&netpoll.Readable, "a read is how one learns of it")
	require.Zero(t, got&netpoll.Hangup, "the other direction lives")
	require.Empty(t, read(t, a))
}

func TestWaitInBatches(t *testing.T) {
	p := openPoller(t)
	want := make(map[uint64]bool)
	for handle := uint64(1); handle <= 5; handle++ {
		a, b := socketPair(t)
		write(t, b, "x")
		require.NoError(t, p.Add(a, handle))
		want[handle] = true
	}
	events := make([]netpoll.Event, 2)
	for deadline := time.Now().Add(patience); len(want) > 0; {
		n, err := p.Wait(events, time.Until(deadline))
		require.NoError(t, err)
		require.NotZero(t, n, "still waiting for %v", want)
		for _, e := range events[:n] {
			delete(want, e.Handle)
		}
	}
}

func TestDeleteEndsTheEvents(t *testing.T) {
	p := openPoller(t)
	a, b := socketPair(t)
	watch(t, p, a, 1)
	require.NoError(t, p.Delete(a))
	write(t, b, "x")
	quiet(t, p)
	require.ErrorIs(t, p.Delete(a), unix.ENOENT)
	require.NoError(t, p.Add(a, 2), "it may be added again")
	require.Equal(t, netpoll.Readable, await(t, p, 2, netpoll.Readable), "and output is not watched any more")
	require.NoError(t, p.Delete(a), "nor is it an error to delete what was never watched for output")
}

func TestAddRefuses(t *testing.T) {
	p := openPoller(t)
	a, _ := socketPair(t)
	require.ErrorContains(t, p.Add(a, netpoll.ReservedHandle), "reserved")
	require.ErrorIs(t, p.Add(-1, 1), unix.EBADF)
	quiet(t, p)
}

func TestWaitTimeout(t *testing.T) {
	p := openPoller(t)
	events := make([]netpoll.Event, 1)
	for _, timeout := range []time.Duration{0, 1, time.Millisecond, 20 * time.Millisecond} {
		t.Run(timeout.String(), func(t *testing.T) {
			n, waited := 0, time.Duration(0)
			for begin := time.Now(); waited < timeout; waited = time.Since(begin) { // again only if a signal came
				var err error
				n, err = p.Wait(events, timeout-waited)
				require.NoError(t, err)
			}
			require.Zero(t, n)
			require.Less(t, waited, patience)
		})
	}
}

func TestWake(t *testing.T) {
	events := make([]netpoll.Event, 1)
	t.Run("before Wait", func(t *testing.T) {
		p := openPoller(t)
		for range 3 {
			require.NoError(t, p.Wake())
		}
		n, err := p.Wait(events, -1)
		require.NoError(t, err)
		require.Zero(t, n)
		quiet(t, p)
	})
	t.Run("beside an event", func(t *testing.T) {
		p := openPoller(t)
		a, _ := socketPair(t)
		require.NoError(t, p.Wake())
		require.NoError(t, p.Add(a, 7))
		require.NoError(t, p.AddWrite(a, 7))
		require.Equal(t, netpoll.Writable, await(t, p, 7, netpoll.Writable))
	})
	t.Run("none is lost", func(t *testing.T) {
		p := openPoller(t)
		const wakers, each = 4, 500
		var told atomic.Int64
		var wakeErr atomic.Value
		var running sync.WaitGroup
		for range wakers {
			running.Go(func() {
				for range each {
					told.Add(1)
					if err := p.Wake(); err != nil {
						wakeErr.Store(err)
					}
				}
			})
		}
		for told.Load() < wakers*each { // a lost wake-up would leave this waiting for ever
			_, err := p.Wait(events, -1)
			require.NoError(t, err)
		}
		running.Wait()
		require.Nil(t, wakeErr.Load())
	})
}

func TestCloseEndsWait(t *testing.T) {
	p, err := netpoll.Open()
	require.NoError(t, err)
	var waiting sync.WaitGroup
	var waitErr error
	waiting.Go(func() {
		events := make([]netpoll.Event, 1)
		for waitErr == nil {
			_, waitErr = p.Wait(events, -1)
		}
	})
	require.NoError(t, p.Close())
	waiting.Wait()
	require.ErrorIs(t, waitErr, netpoll.ErrClosed)
	require.NoError(t, p.Close(), "the second Close")
	require.ErrorIs(t, p.Wake(), netpoll.ErrClosed)
	require.ErrorIs(t, p.Add(0, 1), netpoll.ErrClosed)
	require.ErrorIs(t, p.Delete(0), netpoll.ErrClosed)
}

func TestOpenFailsByErrno(t *testing.T) {
	withoutDescriptors(t, func() {
		_, err := netpoll.Open()
		require.ErrorIs(t, err, unix.EMFILE)
	})
}

func TestWaitDoesNotAllocate(t *testing.T) {
	p := openPoller(t)
	a, b := socketPair(t)
	watch(t, p, a, 1)
	events := make([]netpoll.Event, 64)
	byteOut, byteIn := []byte{1}, make([]byte, 8)
	require.Zero(t, testing.AllocsPerRun(100, func() {
		_, _ = unix.Write(b, byteOut)
		if n, err := p.Wait(events, -1); n != 1 || err != nil {
			t.Errorf("Wait: %d, %v", n, err)
		}
		_, _ = unix.Read(a, byteIn)
		_ = p.Wake()
		_, _ = p.Wait(events, -1)
	}))
}

func BenchmarkWait(b *testing.B) {
	events := make([]netpoll.Event, 64)
	b.Run("nothing ready", func(b *testing.B) {
		p := openPoller(b)
		b.ReportAllocs()
		for b.Loop() {
			_, _ = p.Wait(events, 0)
		}
	})
	b.Run("woken", func(b *testing.B) {
		p := openPoller(b)
		b.ReportAllocs()
		for b.Loop() {
			_ = p.Wake()
			_, _ = p.Wait(events, -1)
		}
	})
	b.Run("one byte through a socket", func(b *testing.B) {
		p := openPoller(b)
		in, out := socketPair(b)
		watch(b, p, in, 1)
		buf := make([]byte, 8)
		b.ReportAllocs()
		for b.Loop() {
			_, _ = unix.Write(out, buf[:1])
			_, _ = p.Wait(events, -1)
			_, _ = unix.Read(in, buf)
		}
	})
}
