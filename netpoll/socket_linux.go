package netpoll

import (
	"os"

	"golang.org/x/sys/unix"
)

func socket(family int) (int, error) {
	fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	return fd, os.NewSyscallError("socket", err)
}

// accept does not ask for the peer's address: unix.Accept4 would, and would allocate it and make another system call.
func accept(listener int) (int, error) {
	fd, _, errno := unix.Syscall6(unix.SYS_ACCEPT4, uintptr(listener), 0, 0, unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0, 0)
	switch errno {
	case 0:
		return int(fd), nil
	case unix.EAGAIN:
		return -1, ErrWouldBlock // every batch ends with it: no new error each time
	}
	return -1, os.NewSyscallError("accept4", errno)
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
