package netpoll_test

// What we assume of the kernel. Where one of these fails, the package's contract does not hold on that kernel.

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/pushd/pushd/netpoll"
)

func TestKernelInheritsOptions(t *testing.T) {
	lc := netpoll.ListenConfig{UserTimeout: 7 * time.Second, NotSentLowat: 16 << 10, SendBuffer: 32 << 10}
	l := listen(t, lc, "tcp", "127.0.0.1:0")
	dial(t, "tcp", l.Addr().String())
	fd := accept(t, l)
	for _, c := range []struct {
		label            string
		level, opt, want int
	}{
		{"TCP_NODELAY", unix.IPPROTO_TCP, unix.TCP_NODELAY, 1},
		{"TCP_USER_TIMEOUT", unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, 7000},
		{"TCP_NOTSENT_LOWAT", unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT, 16 << 10},
		{"SO_SNDBUF, doubled", unix.SOL_SOCKET, unix.SO_SNDBUF, 64 << 10},
	} {
		require.Equal(t, c.want, option(t, fd, c.level, c.opt), c.label)
	}
}

func TestKernelGivesOneEdgeAnArrival(t *testing.T) {
	p := openPoller(t)
	fd, peer := tcpPair(t)
	watch(t, p, fd, 1)
	for range 3 { // nothing is read in between: the level stays high, and each arrival is an edge all the same
		_, err := peer.Write([]byte("x"))
		require.NoError(t, err)
		await(t, p, 1, netpoll.Readable)
		quiet(t, p)
	}
	require.Equal(t, "xxx", read(t, fd))
	quiet(t, p)
}

func TestKernelGivesAnEdgeWhenAFullBufferDrains(t *testing.T) {
	p := openPoller(t)
	fd, peer := tcpPair(t)
	require.NoError(t, unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUF, 64<<10))
	watch(t, p, fd, 1)
	events := make([]netpoll.Event, 1)
	sent, block := 0, make([]byte, 32<<10)
	for full := false; !full; { // the kernel moves what it can to the peer meanwhile: until that has ended too
		n, err := unix.Write(fd, block)
		if err == nil {
			sent += n
			continue
		}
		require.ErrorIs(t, err, unix.EAGAIN)
		ready, err := p.Wait(events, 50*time.Millisecond)
		require.NoError(t, err)
		full = ready == 0
	}

	drained := make(chan error, 1)
	go func() {
		var err error
		for received, n := 0, 0; received < sent && err == nil; received += n {
			n, err = peer.Read(block)
		}
		drained <- err
	}()
	require.Equal(t, netpoll.Writable, await(t, p, 1, netpoll.Writable))
	require.NoError(t, <-drained)
}

func TestKernelTellsOfFINBehindAShortRead(t *testing.T) {
	t.Run("both before the first event", func(t *testing.T) {
		p := openPoller(t)
		fd, peer := tcpPair(t)
		_, err := peer.Write([]byte("last words"))
		require.NoError(t, err)
		require.NoError(t, peer.CloseWrite())
		poll(t, fd, unix.POLLRDHUP)
		require.NoError(t, p.Add(fd, 1))

		got := await(t, p, 1, netpoll.Readable)
		require.NotZero(t, got&netpoll.PeerClosed, "the first event knows of the FIN")
		require.Equal(t, "last words", read(t, fd))
		quiet(t, p) // so who stops here never learns of it
		require.Empty(t, read(t, fd))
	})
	t.Run("FIN after the first event", func(t *testing.T) {
		p := openPoller(t)
		fd, peer := tcpPair(t)
		watch(t, p, fd, 1)
		_, err := peer.Write([]byte("last words"))
		require.NoError(t, err)
		require.Zero(t, await(t, p, 1, netpoll.Readable)&netpoll.PeerClosed)
		require.NoError(t, peer.CloseWrite())
		await(t, p, 1, netpoll.PeerClosed) // an edge of its own, although nothing was read
		quiet(t, p)
		require.Equal(t, "last words", read(t, fd))
		require.Empty(t, read(t, fd))
	})
}

func TestKernelReportsHangup(t *testing.T) {
	t.Run("RST", func(t *testing.T) {
		p := openPoller(t)
		fd, peer := tcpPair(t)
		watch(t, p, fd, 1)
		require.NoError(t, peer.SetLinger(0))
		require.NoError(t, peer.Close())
		require.NotZero(t, await(t, p, 1, netpoll.Hangup)&netpoll.Readable)
		_, err := unix.Read(fd, make([]byte, 1))
		require.ErrorIs(t, err, unix.ECONNRESET)
	})
	t.Run("FIN in both directions", func(t *testing.T) {
		p := openPoller(t)
		fd, peer := tcpPair(t)
		watch(t, p, fd, 1)
		require.NoError(t, peer.CloseWrite())
		require.Zero(t, await(t, p, 1, netpoll.PeerClosed)&netpoll.Hangup, "one direction lives")
		require.NoError(t, unix.Shutdown(fd, unix.SHUT_WR))
		require.NotZero(t, await(t, p, 1, netpoll.Hangup)&netpoll.Readable)
		require.Empty(t, read(t, fd))
	})
	t.Run("a unix peer has closed", func(t *testing.T) {
		p := openPoller(t)
		l := listen(t, netpoll.ListenConfig{}, "unix", socketPath(t))
		peer := dial(t, "unix", l.Addr().String())
		fd := accept(t, l)
		watch(t, p, fd, 1)
		require.NoError(t, peer.Close())
		await(t, p, 1, netpoll.Hangup|netpoll.PeerClosed|netpoll.Readable)
		require.Empty(t, read(t, fd))
	})
}

func TestKernelForgetsAClosedDescriptor(t *testing.T) {
	t.Run("when it was the last", func(t *testing.T) {
		p := openPoller(t)
		l := listen(t, netpoll.ListenConfig{}, "tcp", "127.0.0.1:0")
		peer := dial(t, "tcp", l.Addr().String())
		poll(t, l.FD(), unix.POLLIN)
		fd, _, err := l.Accept()
		require.NoError(t, err)
		watch(t, p, fd, 1)
		require.NoError(t, unix.Close(fd))
		_, _ = peer.Write([]byte("x")) // which is answered by a reset
		quiet(t, p)
	})
	t.Run("but not while it has a duplicate", func(t *testing.T) {
		p := openPoller(t)
		a, b := socketPair(t)
		fd, err := unix.Dup(a)
		require.NoError(t, err)
		watch(t, p, fd, 1)
		require.NoError(t, unix.Close(fd))
		write(t, b, "x")
		await(t, p, 1, netpoll.Readable) // which is why Delete comes before close(2)
		require.ErrorIs(t, p.Delete(fd), unix.EBADF, "and cannot come after")
	})
}

func TestKernelGivesAReusedNumberItsNewHandle(t *testing.T) {
	p := openPoller(t)
	old, err := unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC)
	require.NoError(t, err)
	defer unix.Close(old)
	require.NoError(t, p.Add(old, 1))
	a, b := socketPair(t)
	require.NoError(t, unix.Dup3(a, old, unix.O_CLOEXEC)) // closes old, and gives its number to another file
	require.NoError(t, p.Add(old, 2), "the number is free in epoll as well")
	write(t, b, "x")
	await(t, p, 2, netpoll.Readable) // and asserts that handle 1 is not among them
	quiet(t, p)
}

// TestKernelCoalescesEventfdWrites is why the wake-up is never read.
func TestKernelCoalescesEventfdWrites(t *testing.T) {
	p := openPoller(t)
	fd, err := unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC)
	require.NoError(t, err)
	defer unix.Close(fd)
	watch(t, p, fd, 1)
	one := string([]byte{1, 0, 0, 0, 0, 0, 0, 0})
	for range 3 {
		for range 5 {
			write(t, fd, one)
		}
		await(t, p, 1, netpoll.Readable) // one edge for five writes, also where the last five were never read
		quiet(t, p)
	}
}

func TestKernelCarriesAllOfAHandle(t *testing.T) {
	for _, handle := range []uint64{
		0, 1, math.MaxInt32, 1 << 31, math.MaxUint32, 1 << 32, 0xdeadbeefcafebabe, 1 << 63,
		netpoll.ReservedHandle &^ (1 << 31), netpoll.ReservedHandle &^ (1 << 63), netpoll.ReservedHandle - 1,
	} {
		p := openPoller(t)
		a, _ := socketPair(t)
		watch(t, p, a, handle)
	}
}
