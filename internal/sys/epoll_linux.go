//go:build !faults

package sys

import "golang.org/x/sys/unix"

// EpollCtl is epoll_ctl(2).
func EpollCtl(epoll, op, fd int, event *unix.EpollEvent) error {
	return unix.EpollCtl(epoll, op, fd, event)
}

// EpollWait is epoll_wait(2).
func EpollWait(epoll int, events []unix.EpollEvent, ms int) (int, error) {
	return unix.EpollWait(epoll, events, ms)
}
