package netpoll_test

import (
	"io"
	"net"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/pushd/pushd/netpoll"
)

// needIPv6 skips where the host has no IPv6 loopback, asked of package net.
func needIPv6(t *testing.T) {
	t.Helper()
	l, err := net.Listen("tcp6", "[::1]:0")
	if err != nil {
		t.Skipf("this host has no IPv6: %v", err)
	}
	l.Close()
}

// withoutDescriptors calls f while the process may open no further descriptor.
func withoutDescriptors(t *testing.T, f func()) {
	t.Helper()
	var before unix.Rlimit
	require.NoError(t, unix.Getrlimit(unix.RLIMIT_NOFILE, &before))
	none := before
	none.Cur = 3
	require.NoError(t, unix.Setrlimit(unix.RLIMIT_NOFILE, &none))
	defer func() { require.NoError(t, unix.Setrlimit(unix.RLIMIT_NOFILE, &before)) }()
	f()
}

func TestAccept(t *testing.T) {
	for _, c := range []struct {
		label, network, address string
		ipv6                    bool
	}{
		{"tcp by IPv4 address", "tcp", "127.0.0.1:0", false},
		{"tcp by name", "tcp", "localhost:0", false},
		{"tcp4", "tcp4", "127.0.0.1:0", false},
		{"tcp6", "tcp6", "[::1]:0", true},
		{"tcp by IPv6 address", "tcp", "[::1]:0", true},
		{"tcp by IPv6 address with a zone", "tcp", "[::1%1]:0", true},
		{"unix", "unix", "", false},
	} {
		t.Run(c.label, func(t *testing.T) {
			if c.ipv6 {
				needIPv6(t)
			}
			if c.network == "unix" {
				c.address = socketPath(t)
			}
			lc := netpoll.ListenConfig{SendBuffer: 32 << 10}
			l := listen(t, lc, c.network, c.address)
			require.Positive(t, l.FD())
			_, _, err := l.Accept()
			require.ErrorIs(t, err, netpoll.ErrWouldBlock)
			require.ErrorIs(t, err, unix.EAGAIN)

			peer := dial(t, l.Addr().Network(), l.Addr().String())
			fd := accept(t, l)
			flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
			require.NoError(t, err)
			require.NotZero(t, flags&unix.O_NONBLOCK)
			for _, fd := range []int{fd, l.FD()} {
				flags, err = unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
				require.NoError(t, err)
				require.NotZero(t, flags&unix.FD_CLOEXEC)
			}
			if c.network != "unix" {
				require.NotZero(t, option(t, fd, unix.IPPROTO_TCP, unix.TCP_NODELAY))
			}
			require.Contains(t, []int{32 << 10, 64 << 10}, option(t, fd, unix.SOL_SOCKET, unix.SO_SNDBUF))

			write(t, fd, "hello")
			got := make([]byte, 5)
			_, err = io.ReadFull(peer, got)
			require.NoError(t, err)
			require.Equal(t, "hello", string(got))
		})
	}
}

func TestDualStack(t *testing.T) {
	needIPv6(t)
	for _, c := range []struct {
		label, network, address string
		four, six               bool
	}{
		{"no host", "tcp", ":0", true, true},
		{"any IPv6 address", "tcp", "[::]:0", true, true},
		{"any IPv4 address", "tcp", "0.0.0.0:0", true, false},
		{"tcp4 without host", "tcp4", ":0", true, false},
		{"tcp6 without host", "tcp6", ":0", false, true},
	} {
		t.Run(c.label, func(t *testing.T) {
			l := listen(t, netpoll.ListenConfig{}, c.network, c.address)
			_, port, err := net.SplitHostPort(l.Addr().String())
			require.NoError(t, err)
			for _, peer := range []struct {
				host   string
				served bool
			}{{"127.0.0.1", c.four}, {"::1", c.six}} {
				conn, err := net.DialTimeout("tcp", net.JoinHostPort(peer.host, port), patience)
				if !peer.served {
					require.ErrorIs(t, err, unix.ECONNREFUSED, peer.host)
					continue
				}
				require.NoError(t, err, peer.host)
				accept(t, l)
				require.NoError(t, conn.Close())
			}
		})
	}
}

func TestListenRefuses(t *testing.T) {
	for _, c := range []struct{ label, network, address, want string }{
		{"network", "udp", "127.0.0.1:0", "expected tcp, tcp4, tcp6 or unix"},
		{"no address", "tcp", "", "expected host:port"},
		{"no port", "tcp", "127.0.0.1", "missing port"},
		{"port", "tcp", "127.0.0.1:70000", "invalid port"},
		{"family", "tcp6", "127.0.0.1:0", "no suitable address"},
		{"zone", "tcp6", "[fe80::1%no-such-interface]:0", "no-such-interface"},
		{"no path", "unix", "", "expected the path of a file"},
		{"abstract socket", "unix", "@pushd", "expected the path of a file"},
		{"no such directory", "unix", "no/such/directory/sock", "no such file"},
	} {
		t.Run(c.label, func(t *testing.T) {
			_, err := netpoll.ListenConfig{}.Listen(c.network, c.address)
			require.ErrorContains(t, err, c.want)
			require.ErrorContains(t, err, "listen on "+c.network)
			require.ErrorContains(t, err, c.address)
		})
	}
}

func TestAddressInUse(t *testing.T) {
	l := listen(t, netpoll.ListenConfig{}, "tcp", "127.0.0.1:0")
	_, err := netpoll.ListenConfig{}.Listen("tcp", l.Addr().String())
	require.ErrorIs(t, err, unix.EADDRINUSE)
	require.ErrorContains(t, err, l.Addr().String())
}

func TestAcceptWithoutDescriptors(t *testing.T) {
	l := listen(t, netpoll.ListenConfig{}, "tcp", "127.0.0.1:0")
	dial(t, "tcp", l.Addr().String())
	poll(t, l.FD(), unix.POLLIN)
	withoutDescriptors(t, func() {
		_, _, err := l.Accept()
		require.ErrorIs(t, err, unix.EMFILE)
		var call *os.SyscallError
		require.ErrorAs(t, err, &call)
	})
	accept(t, l) // it has waited
}

func TestBacklog(t *testing.T) {
	l := listen(t, netpoll.ListenConfig{}, "tcp", "127.0.0.1:0")
	const waiting = 200 // more than the 128 that are often the default
	for range waiting {
		dial(t, "tcp", l.Addr().String())
	}
	for range waiting {
		accept(t, l)
	}
	_, _, err := l.Accept()
	require.ErrorIs(t, err, netpoll.ErrWouldBlock)
}

func TestListenerInPoller(t *testing.T) {
	p := openPoller(t)
	l := listen(t, netpoll.ListenConfig{}, "tcp", "127.0.0.1:0")
	require.NoError(t, p.Add(l.FD(), 9))
	for range 2 {
		dial(t, "tcp", l.Addr().String())
		await(t, p, 9, netpoll.Readable)
		accept(t, l)
	}
}

func TestCloseTwiceClosesOnce(t *testing.T) {
	l, err := netpoll.ListenConfig{}.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	number := l.FD()
	require.NoError(t, l.Close())
	require.Equal(t, -1, l.FD())
	a, _ := socketPair(t)
	heir := a // whoever has the number now
	if a != number {
		require.NoError(t, unix.Dup2(a, number))
		defer unix.Close(number)
		heir = number
	}
	require.NoError(t, l.Close())
	_, err = unix.FcntlInt(uintptr(heir), unix.F_GETFD, 0)
	require.NoError(t, err, "the second Close closed a stranger")
	_, _, err = l.Accept()
	require.ErrorIs(t, err, netpoll.ErrClosed)
	_, err = l.NetListener()
	require.ErrorIs(t, err, netpoll.ErrClosed)
}

func TestNetListener(t *testing.T) {
	for _, network := range []string{"tcp", "unix"} {
		t.Run(network, func(t *testing.T) {
			address := "127.0.0.1:0"
			if network == "unix" {
				address = socketPath(t)
			}
			l := listen(t, netpoll.ListenConfig{}, network, address)
			nl, err := l.NetListener()
			require.NoError(t, err)
			require.Equal(t, l.Addr().String(), nl.Addr().String())
			require.Equal(t, -1, l.FD())
			require.NoError(t, l.Close(), "it has nothing left to close")

			dial(t, network, nl.Addr().String())
			conn, err := nl.Accept()
			require.NoError(t, err)
			require.NoError(t, conn.Close())
			require.NoError(t, nl.Close())
			if network == "unix" {
				require.NoFileExists(t, address)
			}
		})
	}
}
