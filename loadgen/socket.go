package loadgen

import (
	"errors"
	"net/netip"
	"os"

	"golang.org/x/sys/unix"
)

// smallBuffer is the receive buffer of clients that do not read, in bytes. The
// kernel doubles it; less than that it does not give.
const smallBuffer = 4096

// dial begins a connection from source, if that is valid. The descriptor is non-blocking; ready is
// false where the connection is still on its way.
func dial(to netip.AddrPort, source netip.Addr, small bool) (fd int, ready bool, err error) {
	family := unix.AF_INET
	if to.Addr().Is6() {
		family = unix.AF_INET6
	}
	fd, err = socket(family)
	if err != nil {
		return -1, false, os.NewSyscallError("socket", err)
	}
	defer func() {
		if err != nil {
			unix.Close(fd)
		}
	}()
	if small { // before the connection is made: the window that is offered follows from it
		if err = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, smallBuffer); err != nil {
			return fd, false, os.NewSyscallError("setsockopt SO_RCVBUF", err)
		}
	}
	if source.IsValid() {
		bindLate(fd)
		if err = unix.Bind(fd, sockaddr(netip.AddrPortFrom(source, 0))); err != nil {
			return fd, false, os.NewSyscallError("bind", err)
		}
	}
	err = unix.Connect(fd, sockaddr(to))
	if errors.Is(err, unix.EINPROGRESS) {
		return fd, false, nil
	}
	return fd, true, os.NewSyscallError("connect", err)
}

func sockaddr(a netip.AddrPort) unix.Sockaddr {
	if a.Addr().Is4() {
		return &unix.SockaddrInet4{Port: int(a.Port()), Addr: a.Addr().As4()}
	}
	return &unix.SockaddrInet6{Port: int(a.Port()), Addr: a.Addr().As16()}
}

// pendingError is what connect(2) has come to.
func pendingError(fd int) error {
	errno, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ERROR)
	if err == nil && errno != 0 {
		err = unix.Errno(errno)
	}
	return os.NewSyscallError("connect", err)
}
