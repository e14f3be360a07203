//go:build faults

package sys

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// Short is the fault of a read or write that has one byte.
const Short unix.Errno = 1 << 20

// At is a call that may fail. Conn counts the connections in the order in which they were registered, from 1; it is 0 for what
// is none, a listener or a poller. N counts the calls of this kind on the descriptor (all of them, where there is no descriptor
// or it is not registered), from 1. Both hang on what one connection does and not on how goroutines take turns, so a seed gives
// the same faults again.
type At struct {
	Call Call
	Conn int
	N    int
}

// Given is a fault that was given.
type Given struct {
	At
	Errno unix.Errno
}

// Plan is the faults under way. Inject makes one.
type Plan struct {
	choose func(At) unix.Errno

	mu      sync.Mutex
	sockets map[int]*socket // by descriptor, while it is registered
	conns   int
	calls   [calls]int // of those on nothing that is registered
	given   []Given
	dead    map[int]bool // by the peer's port
}

type socket struct {
	epoll  int
	event  unix.EpollEvent // as last registered
	conn   int
	port   int // the peer's
	calls  [calls]int
	broken bool // an error has ended it: that stays so
}

var plan atomic.Pointer[Plan]

// Inject has calls fail as choose says, which returns 0 for those that are not to. It may be called by several goroutines at a
// time, and must not make calls of this package. End takes the plan back.
func Inject(choose func(At) unix.Errno) *Plan {
	p := &Plan{choose: choose, sockets: make(map[int]*socket), dead: make(map[int]bool)}
	plan.Store(p)
	return p
}

// End has all calls succeed again.
func (p *Plan) End() { plan.CompareAndSwap(p, nil) }

// Given returns the faults so far, in the order in which they were given.
func (p *Plan) Given() []Given {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.given)
}

// String counts the faults so far, by call and error.
func (p *Plan) String() string {
	count := make(map[string]int)
	for _, g := range p.Given() {
		name := "short"
		if g.Errno != Short {
			name = unix.ErrnoName(g.Errno)
		}
		count[g.Call.String()+" "+name]++
	}
	var lines []string
	for what, n := range count {
		lines = append(lines, fmt.Sprintf("%s %d", what, n))
	}
	slices.Sort(lines)
	return strings.Join(lines, ", ")
}

// Dead reports whether the connection of the peer with that port was given an error that ends it.
func (p *Plan) Dead(port int) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.dead[port]
}

// ask returns the fault of a call, or 0.
func (p *Plan) ask(call Call, fd int) unix.Errno {
	if p == nil {
		return 0
	}
	p.mu.Lock()
	at := At{Call: call}
	s := p.sockets[fd]
	if s != nil {
		s.calls[call]++
		at.Conn, at.N = s.conn, s.calls[call]
	} else {
		p.calls[call]++
		at.N = p.calls[call]
	}
	if s != nil && s.broken {
		defer p.mu.Unlock()
		switch call {
		case CallRead:
			return unix.ECONNRESET
		case CallWrite:
			return unix.EPIPE
		}
		return 0
	}
	p.mu.Unlock()
	errno := p.choose(at)
	if errno == 0 {
		return 0
	}
	p.mu.Lock()
	p.given = append(p.given, Given{at, errno})
	if s != nil && at.Conn > 0 && ends(call, errno) {
		s.broken = true
		p.dead[s.port] = true
	}
	p.mu.Unlock()
	if errno == unix.EAGAIN {
		p.rearm(fd)
	}
	return errno
}

// ends reports whether a connection does not outlive such an error.
func ends(call Call, errno unix.Errno) bool {
	switch call {
	case CallRead, CallWrite:
		return errno != unix.EAGAIN && errno != unix.EINTR && errno != Short
	case CallEpollAdd, CallEpollModify:
		return true
	}
	return false
}

// add notes a descriptor that is about to be registered.
func (p *Plan) add(epoll, fd int) {
	s := &socket{epoll: epoll}
	switch peer, _ := unix.Getpeername(fd); peer := peer.(type) {
	case *unix.SockaddrInet4:
		s.port = peer.Port
	case *unix.SockaddrInet6:
		s.port = peer.Port
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if s.port > 0 {
		p.conns++
		s.conn = p.conns
	}
	p.sockets[fd] = s
}

func (p *Plan) watch(epoll, op, fd int, event unix.EpollEvent) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if s := p.sockets[fd]; s != nil {
		s.event = event
	}
	return unix.EpollCtl(epoll, op, fd, &event)
}

func (p *Plan) forget(fd int) {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.sockets, fd)
}

// rearm has the kernel report again what fd is ready for, now or a moment later. A kernel that says EAGAIN while there is
// something owes an edge: epoll gave its one when the bytes came.
func (p *Plan) rearm(fd int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.sockets[fd]
	if s == nil {
		return
	}
	again := func() { unix.EpollCtl(s.epoll, unix.EPOLL_CTL_MOD, fd, &s.event) }
	if rand.N(2) == 0 {
		again()
		return
	}
	time.AfterFunc(rand.N(2*time.Millisecond), func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.sockets[fd] == s { // it is open, and the number nobody else's
			again()
		}
	})
}

// Rate is how often a call fails in one way.
type Rate struct {
	Call  Call
	Errno unix.Errno
	OneIn int
}

// Random chooses faults at rates, the same for a seed. Those that no listener and no poller outlives are given to connections
// only.
func Random(seed uint64, rates ...Rate) func(At) unix.Errno {
	return func(at At) unix.Errno {
		for i, r := range rates {
			if r.Call != at.Call || at.Conn == 0 && (ends(r.Call, r.Errno) || r.Call == CallSetsockopt) {
				continue
			}
			dice := rand.NewPCG(seed+uint64(i)<<48, uint64(at.Call)<<56|uint64(at.Conn)<<28|uint64(at.N))
			if dice.Uint64()%uint64(r.OneIn) == 0 {
				return r.Errno
			}
		}
		return 0
	}
}
