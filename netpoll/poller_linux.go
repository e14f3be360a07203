package netpoll

import (
	"errors"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pushd/pushd/internal/sys"
)

// queue is an epoll(7) instance with an eventfd(2) in it for wake-ups.
type queue struct {
	epoll  int
	wakeup int
	raw    []unix.EpollEvent // the kernel writes here; one waiter at a time
}

func (q *queue) open() (err error) {
	if err = sys.Fail(sys.CallEpollCreate, -1); err == nil {
		q.epoll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	}
	if err != nil {
		return os.NewSyscallError("epoll_create1", err)
	}
	if err = sys.Fail(sys.CallEventfd, -1); err == nil {
		q.wakeup, err = unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	}
	if err != nil {
		return errors.Join(os.NewSyscallError("eventfd", err), sys.Close(q.epoll))
	}
	// Edge-triggered, the eventfd need never be read: each write is a new edge, and at one write a nanosecond its
	// counter lasts for 584 years.
	if err := q.control(unix.EPOLL_CTL_ADD, q.wakeup, unix.EPOLLIN|unix.EPOLLET, ReservedHandle); err != nil {
		return errors.Join(err, q.close())
	}
	return nil
}

const input, output = unix.EPOLLIN | unix.EPOLLRDHUP | unix.EPOLLET, unix.EPOLLOUT

func (q *queue) add(fd int, handle uint64) error {
	return q.control(unix.EPOLL_CTL_ADD, fd, input, handle)
}

// addWrite reports at once what is ready: EPOLL_CTL_MOD asks the descriptor anew.
func (q *queue) addWrite(fd int, handle uint64) error {
	return q.control(unix.EPOLL_CTL_MOD, fd, input|output, handle)
}

func (q *queue) remove(fd int) error {
	return q.control(unix.EPOLL_CTL_DEL, fd, 0, 0)
}

// control stores the handle in the eight bytes of epoll_data_t, which x/sys names Fd and Pad.
func (q *queue) control(op, fd int, events uint32, handle uint64) error {
	event := unix.EpollEvent{Events: events, Fd: int32(uint32(handle)), Pad: int32(uint32(handle >> 32))}
	return os.NewSyscallError("epoll_ctl", sys.EpollCtl(q.epoll, op, fd, &event))
}

func (q *queue) wait(events []Event, timeout time.Duration) (n int, woken bool, err error) {
	if len(q.raw) < len(events) {
		q.raw = make([]unix.EpollEvent, len(events))
	}
	ready, err := sys.EpollWait(q.epoll, q.raw[:len(events)], milliseconds(timeout))
	if err == unix.EINTR {
		return 0, false, nil
	}
	if err != nil {
		return 0, false, os.NewSyscallError("epoll_wait", err)
	}
	for i := range q.raw[:ready] {
		raw := &q.raw[i]
		handle := uint64(uint32(raw.Fd)) | uint64(uint32(raw.Pad))<<32
		if handle == ReservedHandle {
			woken = true
			continue
		}
		events[n] = Event{Handle: handle, Events: translate(raw.Events)}
		n++
	}
	return n, woken, nil
}

// translate maps epoll's bits to ours.
func translate(raw uint32) (e Events) {
	if raw&unix.EPOLLIN != 0 {
		e |= Readable
	}
	if raw&unix.EPOLLOUT != 0 {
		e |= Writable
	}
	if raw&unix.EPOLLRDHUP != 0 {
		e |= Readable | PeerClosed
	}
	if raw&(unix.EPOLLHUP|unix.EPOLLERR) != 0 {
		e |= Readable | Hangup
	}
	return e
}

// one is what a wake-up adds to the eventfd's counter. The byte order does not matter: any number but 0 will do.
var one = []byte{1, 0, 0, 0, 0, 0, 0, 0}

func (q *queue) wake() error {
	for {
		err := sys.Fail(sys.CallWake, q.wakeup)
		if err == nil {
			_, err = unix.Write(q.wakeup, one)
		}
		if err != unix.EINTR {
			return os.NewSyscallError("write to eventfd", err)
		}
	}
}

func (q *queue) close() error {
	return errors.Join(
		closeFD("eventfd", q.wakeup),
		closeFD("epoll", q.epoll),
	)
}
