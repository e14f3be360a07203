package netpoll

import (
	"errors"
	"fmt"
	"math"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// Events says what became possible on a descriptor.
type Events uint8

const (
	// Readable: read(2) will not say EAGAIN, or will do so only because the event is stale. It accompanies PeerClosed and
	// Hangup, since a read is how one learns what they mean.
	Readable Events = 1 << iota
	// Writable: the send buffer has taken up room again (or for the first time).
	Writable
	// Hangup: both directions are dead, or an error is pending that the next read or write will return.
	Hangup
	// PeerClosed: the peer has sent FIN. There may be bytes before it, and no edge comes after it: a reader that stopped
	// at a short read would wait for ever, so from here on it reads until 0.
	PeerClosed
)

// ReservedHandle is the one handle that Add refuses: it marks the Poller's own wake-up in the kernel's events.
const ReservedHandle = math.MaxUint64

// ErrClosed is what the methods of a closed Poller or Listener return, except for a second Close.
var ErrClosed = errors.New("netpoll: already closed")

// Event is one report of the kernel. A descriptor may appear in several events of one Wait (with kqueue it does when both
// directions are ready), and the same direction may be reported again without anything new to read.
type Event struct {
	Handle uint64 // as given to Add
	Events Events // never 0
}

// Poller is one epoll or kqueue instance. Open makes one; the zero value is not usable.
type Poller struct {
	queue queue

	// woken is set while a wake-up is on its way that Wait has not yet seen, so that a thousand calls of Wake cost one
	// system call. Wait clears it before it returns; what a waker wrote before Wake is then visible to the waiter.
	woken  atomic.Bool
	closed atomic.Bool

	// inUse is read-locked by each call that uses the queue's descriptors, so that Close cannot free their numbers, for
	// the kernel to give to someone else, under a call that is about to use them.
	inUse sync.RWMutex
}

// Open returns a Poller that watches nothing yet. Its descriptors are close-on-exec. It fails with what the kernel said,
// EMFILE and ENFILE above all, as an *os.SyscallError.
func Open() (*Poller, error) {
	p := new(Poller)
	if err := p.queue.open(); err != nil {
		return nil, err
	}
	return p, nil
}

// Add watches fd for input and hang-ups, edge-triggered, until Delete or until the descriptor is closed; each event will
// carry handle. What is ready already is reported too. fd should be non-blocking and stays the caller's.
func (p *Poller) Add(fd int, handle uint64) error {
	if handle == ReservedHandle {
		return fmt.Errorf("netpoll: handle %#x is reserved for wake-ups: expected a smaller one", handle)
	}
	p.inUse.RLock()
	defer p.inUse.RUnlock()
	if p.closed.Load() {
		return ErrClosed
	}
	return p.queue.add(fd, handle)
}

// AddWrite watches fd, which Add watches, for output as well, from now on and with the same handle. What is ready already is
// reported. Call it when a write(2) has said EAGAIN for the first time: most descriptors never come to that, and would be
// reported as writable for nothing.
func (p *Poller) AddWrite(fd int, handle uint64) error {
	p.inUse.RLock()
	defer p.inUse.RUnlock()
	if p.closed.Load() {
		return ErrClosed
	}
	return p.queue.addWrite(fd, handle)
}

// Delete stops watching fd; call it before fd is closed. An event that Wait has already taken from the kernel may still
// come.
func (p *Poller) Delete(fd int) error {
	p.inUse.RLock()
	defer p.inUse.RUnlock()
	if p.closed.Load() {
		return ErrClosed
	}
	return p.queue.remove(fd)
}

// Wait fills events, which must not be empty, with what is ready and returns how many it filled. It waits at most timeout
// for the first: not at all when that is 0, for ever when it is negative; the kernel counts in milliseconds, rounded up. It
// may return 0 before the time is over: after a Wake, or when a signal came. Wait allocates only to grow to the longest
// events it was ever given, and keeps nothing of it.
func (p *Poller) Wait(events []Event, timeout time.Duration) (int, error) {
	p.inUse.RLock()
	defer p.inUse.RUnlock()
	if p.closed.Load() {
		return 0, ErrClosed
	}
	n, woken, err := p.queue.wait(events, 0)
	if n == 0 && !woken && err == nil && timeout != 0 {
		// A blocking system call costs the goroutine its P: sysmon retakes it after some 20 us, and the way back is a
		// trip through the scheduler. A loop that always finds something never gets here. One that finds nothing first
		// lets the goroutines run that its last batch made runnable; they may well cause the next event.
		runtime.Gosched()
		n, woken, err = p.queue.wait(events, timeout)
	}
	if woken {
		p.woken.Store(false)
	}
	return n, err
}

// Wake makes the Wait under way return, or the next one when none is. Any number of calls before that return count as
// one.
func (p *Poller) Wake() error {
	p.inUse.RLock()
	defer p.inUse.RUnlock()
	if p.closed.Load() {
		return ErrClosed
	}
	return p.wake()
}

func (p *Poller) wake() error {
	if p.woken.Swap(true) {
		return nil
	}
	if err := p.queue.wake(); err != nil {
		p.woken.Store(false)
		return err
	}
	return nil
}

// Close ends a Wait that is under way, waits until it has returned and frees the Poller's own descriptors. Those that it
// watched stay open. It may be called twice; the second call does nothing.
func (p *Poller) Close() error {
	if p.closed.Swap(true) {
		return nil
	}
	wakeErr := p.wake()
	p.inUse.Lock()
	defer p.inUse.Unlock()
	return errors.Join(wakeErr, p.queue.close())
}

// milliseconds rounds d up, so that a wait for less than the kernel's unit is not a busy loop, and maps negative durations to
// -1, which is for ever.
func milliseconds(d time.Duration) int {
	if d < 0 {
		return -1
	}
	ms := d / time.Millisecond
	if d%time.Millisecond != 0 {
		ms++
	}
	return int(min(ms, math.MaxInt32))
}
