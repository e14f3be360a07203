//go:build faults

package sys

import (
	"golang.org/x/sys/unix"

	"github.com/pushd/pushd/internal/rawio"
)

// Read is read(2), or a fault. A short one is of one byte.
func Read(fd int, b []byte) (int, error) {
	p := plan.Load()
	switch errno := p.ask(CallRead, fd); errno {
	case 0:
		return unix.Read(fd, b)
	case Short:
		n, err := unix.Read(fd, b[:min(1, len(b))])
		p.rearm(fd) // who reads little has read all there was, says epoll(7)
		return n, err
	default:
		return -1, errno
	}
}

// Write is write(2), or a fault. A short one is of one byte.
func Write(fd int, b []byte) (int, error) {
	switch errno := plan.Load().ask(CallWrite, fd); errno {
	case 0:
		return rawio.Write(fd, b)
	case Short:
		return rawio.Write(fd, b[:min(1, len(b))])
	default:
		return -1, errno
	}
}

// Close is close(2). Where it fails the descriptor is closed all the same.
func Close(fd int) error {
	p := plan.Load()
	errno := p.ask(CallClose, fd)
	p.forget(fd) // before the number can be another's
	err := unix.Close(fd)
	if errno != 0 {
		return errno
	}
	return err
}

// Fail returns the error with which a call on fd is to fail that is made elsewhere; fd is -1 where there is none yet.
func Fail(call Call, fd int) error {
	if errno := plan.Load().ask(call, fd); errno != 0 {
		return errno
	}
	return nil
}

// EpollCtl is epoll_ctl(2), or a fault. A descriptor has faults from EPOLL_CTL_ADD to EPOLL_CTL_DEL.
func EpollCtl(epoll, op, fd int, event *unix.EpollEvent) error {
	p := plan.Load()
	if p == nil {
		return unix.EpollCtl(epoll, op, fd, event)
	}
	call := CallEpollModify
	switch op {
	case unix.EPOLL_CTL_DEL:
		p.forget(fd)
		return unix.EpollCtl(epoll, op, fd, event)
	case unix.EPOLL_CTL_ADD:
		call = CallEpollAdd
		p.add(epoll, fd)
	}
	if errno := p.ask(call, fd); errno != 0 {
		return errno
	}
	return p.watch(epoll, op, fd, *event)
}

// EpollWait is epoll_wait(2), or a fault.
func EpollWait(epoll int, events []unix.EpollEvent, ms int) (int, error) {
	if errno := plan.Load().ask(CallEpollWait, epoll); errno != 0 {
		return -1, errno
	}
	return unix.EpollWait(epoll, events, ms)
}
