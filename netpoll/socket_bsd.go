//go:build darwin || freebsd

package netpoll

import (
	"errors"
	"net/netip"
	"os"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/pushd/pushd/internal/sys"
)

// darwinNotSentLowat is TCP_NOTSENT_LOWAT of macOS; FreeBSD has none.
const darwinNotSentLowat = 0x201

func socket(family int) (int, error) {
	return prepared("socket", func() (int, error) { return unix.Socket(family, unix.SOCK_STREAM, 0) })
}

func accept(listener int) (int, netip.Addr, error) {
	var from unix.Sockaddr
	fd, err := prepared("accept", func() (fd int, err error) {
		fd, from, err = unix.Accept(listener)
		return fd, err
	})
	return fd, addrPort(from).Addr(), err
}

func peer(fd int) (netip.AddrPort, error) {
	from, err := unix.Getpeername(fd)
	return addrPort(from), os.NewSyscallError("getpeername", err)
}

func addrPort(sa unix.Sockaddr) netip.AddrPort {
	switch sa := sa.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(sa.Addr), uint16(sa.Port))
	case *unix.SockaddrInet6:
		return netip.AddrPortFrom(netip.AddrFrom16(sa.Addr).Unmap(), uint16(sa.Port))
	}
	return netip.AddrPort{}
}

// prepared makes a descriptor close-on-exec, before any child can be forked that would inherit it (macOS has neither
// SOCK_CLOEXEC nor accept4), and non-blocking.
func prepared(call string, open func() (int, error)) (int, error) {
	syscall.ForkLock.RLock()
	fd, err := open()
	if err == nil {
		unix.CloseOnExec(fd)
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return -1, os.NewSyscallError(call, err)
	}
	if err := unix.SetNonblock(fd, true); err != nil {
		return -1, errors.Join(os.NewSyscallError("setnonblock", err), sys.Close(fd))
	}
	return fd, nil
}

// inherited are the options that a TCP connection takes over from its listener: sonewconn reserves the same buffers.
func (lc ListenConfig) inherited() []option {
	if lc.SendBuffer > 0 {
		return []option{sendBuffer(lc.SendBuffer)}
	}
	return nil
}

// notInherited are those that each connection must be given.
func (lc ListenConfig) notInherited() []option {
	options := []option{noDelay()}
	if lc.NotSentLowat > 0 && runtime.GOOS == "darwin" {
		options = append(options, option{"TCP_NOTSENT_LOWAT", unix.IPPROTO_TCP, darwinNotSentLowat, lc.NotSentLowat})
	}
	return options
}
