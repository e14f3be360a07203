package netpoll_test

import (
	"net"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/pushd/pushd/netpoll"
)

// TestAcceptSaysFromWhere: and Peer says the same, with the port.
func TestAcceptSaysFromWhere(t *testing.T) {
	for _, c := range []struct {
		label, network, listen, dial string
		from                         string // "": the host's choice
		want                         string
		ipv6                         bool
	}{
		{"IPv4", "tcp4", "127.0.0.1:0", "127.0.0.1", "127.0.0.1", "127.0.0.1", false},
		{"IPv6", "tcp6", "[::1]:0", "::1", "::1", "::1", true},
		{"IPv4 on a listener for both", "tcp", ":0", "127.0.0.1", "127.0.0.1", "127.0.0.1", true},
		{"IPv6 on a listener for both", "tcp", ":0", "::1", "::1", "::1", true},
	} {
		t.Run(c.label, func(t *testing.T) {
			if c.ipv6 {
				needIPv6(t)
			}
			l := listen(t, netpoll.ListenConfig{}, c.network, c.listen)
			_, port, err := net.SplitHostPort(l.Addr().String())
			require.NoError(t, err)
			d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(c.from)}}
			conn, err := d.Dial("tcp", net.JoinHostPort(c.dial, port))
			require.NoError(t, err)
			defer conn.Close()
			poll(t, l.FD(), unix.POLLIN)
			fd, from, err := l.Accept()
			require.NoError(t, err)
			defer unix.Close(fd)
			require.Equal(t, netip.MustParseAddr(c.want), from)
			peer, err := netpoll.Peer(fd)
			require.NoError(t, err)
			require.Equal(t, conn.LocalAddr().String(), peer.String())
		})
	}
	t.Run("unix", func(t *testing.T) {
		l := listen(t, netpoll.ListenConfig{}, "unix", socketPath(t))
		dial(t, "unix", l.Addr().String())
		poll(t, l.FD(), unix.POLLIN)
		fd, from, err := l.Accept()
		require.NoError(t, err)
		defer unix.Close(fd)
		require.Zero(t, from)
		peer, err := netpoll.Peer(fd)
		require.NoError(t, err)
		require.Zero(t, peer)
	})
	t.Run("gone", func(t *testing.T) {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
		require.NoError(t, err)
		defer unix.Close(fd)
		_, err = netpoll.Peer(fd)
		require.ErrorIs(t, err, unix.ENOTCONN)
	})
}
