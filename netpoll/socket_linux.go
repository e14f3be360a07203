package netpoll

import (
	"net/netip"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/pushd/pushd/internal/sys"
)

func socket(family int) (int, error) {
	if err := sys.Fail(sys.CallSocket, -1); err != nil {
		return -1, os.NewSyscallError("socket", err)
	}
	fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	return fd, os.NewSyscallError("socket", err)
}

// accept has the kernel write the peer's address beside it: unix.Accept4 would do so too, but allocates.
func accept(listener int) (int, netip.Addr, error) {
	var from unix.RawSockaddrAny
	size := uint32(unix.SizeofSockaddrAny)
	fd, _, errno := unix.Syscall6(unix.SYS_ACCEPT4, uintptr(listener), uintptr(unsafe.Pointer(&from)), uintptr(unsafe.Pointer(&size)),
		unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0, 0)
	switch errno {
	case 0:
		return int(fd), addrPort(&from).Addr(), nil
	case unix.EAGAIN:
		return -1, netip.Addr{}, ErrWouldBlock // every batch ends with it: no new error each time
	}
	return -1, netip.Addr{}, os.NewSyscallError("accept4", errno)
}

func peer(fd int) (netip.AddrPort, error) {
	var from unix.RawSockaddrAny
	size := uint32(unix.SizeofSockaddrAny)
	_, _, errno := unix.RawSyscall(unix.SYS_GETPEERNAME, uintptr(fd), uintptr(unsafe.Pointer(&from)), uintptr(unsafe.Pointer(&size)))
	if errno != 0 {
		return netip.AddrPort{}, os.NewSyscallError("getpeername", errno)
	}
	return addrPort(&from), nil
}

// addrPort reads what the kernel has written; the port is in network order (ip(7), ipv6(7)).
func addrPort(sa *unix.RawSockaddrAny) netip.AddrPort {
	switch sa.Addr.Family {
	case unix.AF_INET:
		in := (*unix.RawSockaddrInet4)(unsafe.Pointer(sa))
		return netip.AddrPortFrom(netip.AddrFrom4(in.Addr), hostOrder(in.Port))
	case unix.AF_INET6:
		in := (*unix.RawSockaddrInet6)(unsafe.Pointer(sa))
		return netip.AddrPortFrom(netip.AddrFrom16(in.Addr).Unmap(), hostOrder(in.Port))
	}
	return netip.AddrPort{}
}

func hostOrder(port uint16) uint16 {
	b := (*[2]byte)(unsafe.Pointer(&port))
	return uint16(b[0])<<8 | uint16(b[1])
}

// inherited are the options that a TCP connection takes over from its listener, which on Linux is all of them
// (kernel_linux_test.go): a connection costs one accept4(2) and nothing else.
func (lc ListenConfig) inherited() []option {
	options := []option{noDelay()}
	if lc.UserTimeout > 0 {
		ms := milliseconds(lc.UserTimeout)
		options = append(options, option{"TCP_USER_TIMEOUT", unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, ms})
	}
	if lc.NotSentLowat > 0 {
		options = append(options, option{"TCP_NOTSENT_LOWAT", unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT, lc.NotSentLowat})
	}
	if lc.SendBuffer > 0 {
		options = append(options, sendBuffer(lc.SendBuffer))
	}
	return options
}

func (lc ListenConfig) notInherited() []option { return nil }
