package netpoll_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/pushd/pushd/netpoll"
)

// TestAcceptAllocatesNothing: neither taking a connection, with the address of its peer, nor finding none.
func TestAcceptAllocatesNothing(t *testing.T) {
	const runs = 50
	l := listen(t, netpoll.ListenConfig{}, "tcp", "127.0.0.1:0")
	for range runs + 1 {
		dial(t, "tcp", l.Addr().String())
	}
	fds := make([]int, 0, runs+1)
	allocs := testing.AllocsPerRun(runs, func() {
		fd, from, err := l.Accept()
		if err != nil || !from.IsLoopback() {
			t.Fatal(fd, from, err)
		}
		fds = append(fds, fd)
		if peer, err := netpoll.Peer(fd); err != nil || peer.Addr() != from {
			t.Fatal(peer, err)
		}
	})
	require.Zero(t, allocs)
	require.Zero(t, testing.AllocsPerRun(runs, func() {
		if _, _, err := l.Accept(); err != netpoll.ErrWouldBlock {
			t.Fatal(err)
		}
	}))
	for _, fd := range fds {
		require.NoError(t, unix.Close(fd))
	}
}
