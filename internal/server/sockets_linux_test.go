package server_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/pushd/pushd/internal/server"
)

// A connection has what was asked for its listener, or what the kernel gives
// those that nothing was asked for.
func TestNotSentLowat(t *testing.T) {
	kernels, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
	require.NoError(t, err)
	defer unix.Close(kernels)
	usual, err := unix.GetsockoptInt(kernels, unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT)
	require.NoError(t, err)
	for _, c := range []struct{ asked, want int }{{16 << 10, 16 << 10}, {0, usual}} {
		d := open(t, server.Config{Listen: "127.0.0.1:0", Admin: "127.0.0.1:0", Dev: true, NotSentLowat: c.asked})
		d.subscribe("pushd.raw.v1", "a")
		d.listed("", 1)
		got := 0
		require.NoError(t, server.EachFD(d.Server, func(fd int) { got, err = unix.GetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT) }))
		require.NoError(t, err)
		require.Equal(t, c.want, got)
	}
}
