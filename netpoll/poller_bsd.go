//go:build darwin || freebsd

package netpoll

import (
	"errors"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pushd/pushd/internal/sys"
)

// queue is a kqueue(2) with an EVFILT_USER in it for wake-ups.
//
// The udata of Go's Kevent_t is a pointer, which cannot hold a number, so the handles stand in a map by descriptor. The
// lookup happens after the kernel has reported: an event taken before a descriptor was closed may carry the handle of the
// number's next holder. That is a stale hint, which the package allows.
type queue struct {
	kqueue int
	raw    []unix.Kevent_t // the kernel writes here; one waiter at a time

	mu      sync.Mutex
	handles map[int]uint64 // by descriptor, from add to remove
}

// wakeIdent names our EVFILT_USER. Filters have separate name spaces: it is not descriptor 0.
const wakeIdent = 0

func (q *queue) open() (err error) {
	q.kqueue, err = unix.Kqueue() // a child of fork(2) does not inherit it: there is nothing to close on exec
	if err != nil {
		return os.NewSyscallError("kqueue", err)
	}
	q.handles = make(map[int]uint64)
	if err := q.change(kevent(wakeIdent, unix.EVFILT_USER, unix.EV_ADD|unix.EV_CLEAR)); err != nil {
		_ = sys.Close(q.kqueue)
		return err
	}
	return nil
}

func (q *queue) add(fd int, handle uint64) error {
	q.mu.Lock()
	q.handles[fd] = handle // before the kernel can report it
	q.mu.Unlock()
	err := q.change(kevent(fd, unix.EVFILT_READ, unix.EV_ADD|unix.EV_CLEAR))
	if err != nil {
		q.mu.Lock()
		delete(q.handles, fd)
		q.mu.Unlock()
	}
	return err
}

func (q *queue) addWrite(fd int, _ uint64) error {
	return q.change(kevent(fd, unix.EVFILT_WRITE, unix.EV_ADD|unix.EV_CLEAR))
}

func (q *queue) remove(fd int) error {
	q.mu.Lock()
	delete(q.handles, fd)
	q.mu.Unlock()
	err := q.change(kevent(fd, unix.EVFILT_READ, unix.EV_DELETE))
	if werr := q.change(kevent(fd, unix.EVFILT_WRITE, unix.EV_DELETE)); err == nil && !errors.Is(werr, unix.ENOENT) {
		err = werr // ENOENT: AddWrite was never called
	}
	return err
}

func kevent(ident, filter, flags int) (k unix.Kevent_t) {
	unix.SetKevent(&k, ident, filter, flags)
	return k
}

func (q *queue) change(changes ...unix.Kevent_t) error {
	for {
		_, err := unix.Kevent(q.kqueue, changes, nil, nil)
		if err != unix.EINTR {
			return os.NewSyscallError("kevent", err)
		}
	}
}

func (q *queue) wait(events []Event, timeout time.Duration) (n int, woken bool, err error) {
	if len(q.raw) < len(events) {
		q.raw = make([]unix.Kevent_t, len(events))
	}
	var limit *unix.Timespec // nil is for ever
	if timeout >= 0 {
		ts := unix.NsecToTimespec(int64(milliseconds(timeout)) * int64(time.Millisecond))
		limit = &ts
	}
	ready, err := unix.Kevent(q.kqueue, nil, q.raw[:len(events)], limit)
	if err == unix.EINTR {
		return 0, false, nil
	}
	if err != nil {
		return 0, false, os.NewSyscallError("kevent", err)
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	for i := range q.raw[:ready] {
		raw := &q.raw[i]
		if raw.Filter == unix.EVFILT_USER {
			woken = true
			continue
		}
		handle, watched := q.handles[int(raw.Ident)]
		if !watched {
			continue // removed since
		}
		events[n] = Event{Handle: handle, Events: translate(raw)}
		n++
	}
	return n, woken, nil
}

// translate maps one filter's report to our bits. EV_EOF on the read side is the peer's FIN, with the pending error, if any,
// in fflags. On the write side nobody reads any more (or we have shut it down ourselves).
func translate(raw *unix.Kevent_t) (e Events) {
	eof := raw.Flags&unix.EV_EOF != 0
	switch raw.Filter {
	case unix.EVFILT_READ:
		e = Readable
		if eof {
			e |= PeerClosed
		}
		if eof && raw.Fflags != 0 {
			e |= Hangup
		}
	case unix.EVFILT_WRITE:
		e = Writable
		if eof {
			e |= Readable | Hangup
		}
	}
	if raw.Flags&unix.EV_ERROR != 0 {
		e |= Readable | Hangup
	}
	return e
}

func (q *queue) wake() error {
	trigger := kevent(wakeIdent, unix.EVFILT_USER, 0)
	trigger.Fflags = unix.NOTE_TRIGGER
	return q.change(trigger)
}

func (q *queue) close() error {
	return closeFD("kqueue", q.kqueue)
}
