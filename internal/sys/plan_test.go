//go:build faults && linux

package sys_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/pushd/pushd/internal/sys"
)

// TestFaultsAreRepeated: the same seed gives the same faults, another one others, at the rates asked for.
func TestFaultsAreRepeated(t *testing.T) {
	rates := []sys.Rate{
		{Call: sys.CallRead, Errno: unix.EAGAIN, OneIn: 4}, {Call: sys.CallRead, Errno: unix.ECONNRESET, OneIn: 4},
		{Call: sys.CallWrite, Errno: sys.Short, OneIn: 10},
	}
	run := func(seed uint64) (faults []unix.Errno) {
		choose := sys.Random(seed, rates...)
		for conn := range 100 {
			for n := range 100 {
				faults = append(faults, choose(sys.At{Call: sys.CallRead, Conn: conn, N: n}), choose(sys.At{Call: sys.CallWrite, Conn: conn, N: n}))
				require.Zero(t, choose(sys.At{Call: sys.CallClose, Conn: conn, N: n}))
			}
		}
		return faults
	}
	first := run(1)
	require.Equal(t, first, run(1))
	require.NotEqual(t, first, run(2))
	count := make(map[unix.Errno]int)
	for _, errno := range first {
		count[errno]++
	}
	require.InDelta(t, 10_000/4, count[unix.EAGAIN], 250)
	require.InDelta(t, 10_000*3/4/4, count[unix.ECONNRESET], 250)
	require.InDelta(t, 10_000/10, count[sys.Short], 150)
	for n := range 1000 {
		require.NotEqual(t, unix.ECONNRESET, sys.Random(1, rates...)(sys.At{Call: sys.CallRead, N: n}), "what is no connection does not outlive it")
	}
}

// TestFaultsEnd: a connection that was given an error that ends it gets no further, and is named by its peer's port.
func TestFaultsEnd(t *testing.T) {
	listener, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
	require.NoError(t, err)
	defer unix.Close(listener)
	require.NoError(t, unix.Bind(listener, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}))
	require.NoError(t, unix.Listen(listener, 1))
	address, err := unix.Getsockname(listener)
	require.NoError(t, err)
	peer, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
	require.NoError(t, err)
	defer unix.Close(peer)
	require.NoError(t, unix.Connect(peer, address))
	own, err := unix.Getsockname(peer)
	require.NoError(t, err)
	port := own.(*unix.SockaddrInet4).Port
	fd, _, err := unix.Accept(listener)
	require.NoError(t, err)
	epoll, err := unix.EpollCreate1(0)
	require.NoError(t, err)
	defer unix.Close(epoll)

	plan := sys.Inject(func(at sys.At) unix.Errno {
		if at.Call == sys.CallWrite && at.N == 2 {
			return unix.ENOBUFS
		}
		return 0
	})
	defer plan.End()
	_, err = sys.Write(fd, []byte("before it is registered there are no faults of a connection"))
	require.NoError(t, err)
	require.NoError(t, sys.EpollCtl(epoll, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLET}))
	n, err := sys.Write(fd, []byte("one"))
	require.NoError(t, err)
	require.Equal(t, 3, n)
	require.False(t, plan.Dead(port))
	_, err = sys.Write(fd, []byte("two"))
	require.Equal(t, unix.ENOBUFS, err)
	require.True(t, plan.Dead(port))
	_, err = sys.Write(fd, []byte("three"))
	require.Equal(t, unix.EPIPE, err)
	_, err = sys.Read(fd, make([]byte, 1))
	require.Equal(t, unix.ECONNRESET, err)
	require.Equal(t, []sys.Given{{At: sys.At{Call: sys.CallWrite, Conn: 1, N: 2}, Errno: unix.ENOBUFS}}, plan.Given())
	require.Equal(t, "write ENOBUFS 1", plan.String())
	require.NoError(t, sys.Close(fd))
	require.Equal(t, unix.EBADF, sys.Close(fd))
}
