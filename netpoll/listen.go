package netpoll

import (
	"errors"
	"fmt"
	"math"
	"net"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pushd/pushd/internal/sys"
)

// ListenConfig is what a listening socket and the connections from it are given. The zero value is useful.
type ListenConfig struct {
	Backlog      int           // connections that may wait for Accept; 0: as many as the host allows (somaxconn)
	UserTimeout  time.Duration // TCP_USER_TIMEOUT: how long sent bytes may go unacknowledged; 0: the kernel's; Linux only
	NotSentLowat int           // TCP_NOTSENT_LOWAT: bytes not yet sent above which a socket is not writable; 0: the kernel's; not on FreeBSD
	SendBuffer   int           // SO_SNDBUF, bytes, which Linux doubles; 0: the kernel's, which on TCP grows by itself
}

// Listen opens a non-blocking, close-on-exec listening socket on network "tcp", "tcp4", "tcp6" or "unix".
//
// A TCP address is host:port; a host name is looked up, which may take as long as the resolver does. "tcp" without a host,
// or with "::", serves both IPv6 and IPv4, or IPv4 alone where the host has no IPv6. "0.0.0.0" is IPv4 alone.
//
// A unix address is a path. The socket file gets mode 0600 and is removed by Close. One that a dead process left behind is
// replaced; one that somebody answers on is not, nor is anything else that stands there.
//
// Errors name the address and wrap the errno, unix.EADDRINUSE for one that is taken.
func (lc ListenConfig) Listen(network, address string) (*Listener, error) {
	l, err := lc.listen(network, address)
	if err != nil {
		return nil, fmt.Errorf("netpoll: listen on %s %q: %w", network, address, err)
	}
	return l, nil
}

func (lc ListenConfig) listen(network, address string) (*Listener, error) {
	switch network {
	case "unix":
		return lc.listenUnix(address)
	case "tcp", "tcp4", "tcp6":
		return lc.listenTCP(network, address)
	}
	return nil, errors.New("unknown network: expected tcp, tcp4, tcp6 or unix")
}

func (lc ListenConfig) listenTCP(network, address string) (*Listener, error) {
	if address == "" { // net takes it for every host and any port, which nobody means
		return nil, errors.New("expected host:port")
	}
	addr, err := net.ResolveTCPAddr(network, address)
	if err != nil {
		return nil, err
	}
	if addr.IP.To4() != nil || network == "tcp4" {
		return lc.open(inet4(addr))
	}
	sa, err := inet6(addr)
	if err != nil {
		return nil, err
	}
	anyHost := addr.IP == nil || addr.IP.IsUnspecified()
	if network == "tcp6" || !anyHost {
		return lc.open(sa, v6only(1))
	}
	l, err := lc.open(sa, v6only(0))
	if errors.Is(err, unix.EAFNOSUPPORT) || errors.Is(err, unix.EADDRNOTAVAIL) || errors.Is(err, unix.EPROTONOSUPPORT) {
		return lc.open(inet4(addr)) // a kernel without IPv6, or one where it is switched off
	}
	return l, err
}

func inet4(addr *net.TCPAddr) unix.Sockaddr {
	sa := &unix.SockaddrInet4{Port: addr.Port}
	copy(sa.Addr[:], addr.IP.To4())
	return sa
}

func inet6(addr *net.TCPAddr) (unix.Sockaddr, error) {
	sa := &unix.SockaddrInet6{Port: addr.Port}
	copy(sa.Addr[:], addr.IP.To16())
	if addr.Zone == "" {
		return sa, nil
	}
	if index, err := strconv.ParseUint(addr.Zone, 10, 32); err == nil {
		sa.ZoneId = uint32(index)
		return sa, nil
	}
	iface, err := net.InterfaceByName(addr.Zone)
	if err != nil {
		return nil, fmt.Errorf("zone %q: %w", addr.Zone, err)
	}
	sa.ZoneId = uint32(iface.Index)
	return sa, nil
}

// open makes a socket, sets its options, binds it to sa and listens.
func (lc ListenConfig) open(sa unix.Sockaddr, options ...option) (*Listener, error) {
	l := new(Listener)
	family := unix.AF_UNIX
	switch sa := sa.(type) {
	case *unix.SockaddrInet4:
		family = unix.AF_INET
	case *unix.SockaddrInet6:
		family = unix.AF_INET6
	case *unix.SockaddrUnix:
		l.path = sa.Name
	}
	if l.path == "" {
		// So that a restart need not wait for the old connections' TIME_WAIT. It does not allow two to listen.
		options = append(options, option{"SO_REUSEADDR", unix.SOL_SOCKET, unix.SO_REUSEADDR, 1})
		options = append(options, lc.inherited()...)
		l.perConn = lc.notInherited()
	} else if lc.SendBuffer > 0 {
		l.perConn = []option{sendBuffer(lc.SendBuffer)} // a unix connection inherits nothing
	}
	fd, err := socket(family)
	if err != nil {
		return nil, err
	}
	l.fd = fd
	if err := lc.start(l, sa, options); err != nil {
		return nil, errors.Join(err, sys.Close(fd))
	}
	return l, nil
}

func (lc ListenConfig) start(l *Listener, sa unix.Sockaddr, options []option) error {
	for _, o := range options {
		if err := o.set(l.fd); err != nil {
			return err
		}
	}
	if err := unix.Bind(l.fd, sa); err != nil {
		return os.NewSyscallError("bind", err)
	}
	if l.path != "" {
		// Nobody can connect between bind and listen, so there is no moment at which the umask decides who may.
		if err := os.Chmod(l.path, 0o600); err != nil {
			return errors.Join(err, os.Remove(l.path))
		}
	}
	backlog := lc.Backlog
	if backlog <= 0 {
		backlog = math.MaxInt32 // listen(2): a larger one is silently cut down to somaxconn
	}
	err := sys.Fail(sys.CallListen, l.fd)
	if err == nil {
		err = unix.Listen(l.fd, backlog)
	}
	if err != nil {
		return os.NewSyscallError("listen", err)
	}
	bound, err := unix.Getsockname(l.fd)
	if err != nil {
		return os.NewSyscallError("getsockname", err)
	}
	l.addr = netAddr(bound)
	return nil
}

// netAddr is the form in which Addr shows sa.
func netAddr(sa unix.Sockaddr) net.Addr {
	switch sa := sa.(type) {
	case *unix.SockaddrInet4:
		return &net.TCPAddr{IP: sa.Addr[:], Port: sa.Port}
	case *unix.SockaddrInet6:
		addr := &net.TCPAddr{IP: sa.Addr[:], Port: sa.Port}
		if sa.ZoneId != 0 {
			addr.Zone = strconv.FormatUint(uint64(sa.ZoneId), 10)
		}
		return addr
	case *unix.SockaddrUnix:
		return &net.UnixAddr{Net: "unix", Name: sa.Name}
	}
	return nil
}
