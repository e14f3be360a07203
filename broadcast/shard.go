package broadcast

import (
	"sync"
	"sync/atomic"
	"time"
)

// Outcome says how a write ended.
type Outcome uint8

const (
	Sent    Outcome = iota // all of it was taken
	Blocked                // only the first n bytes were; Shard.Writable will be called when there is room again
	Ended                  // the connection is closing; nothing more goes out
)

// Writer moves bytes to connections, which it knows by their slot. Its methods
// are called by the shard's owner, never wait, and never call back into the
// Shard: a connection that ends meanwhile is to leave later.
type Writer interface {
	// Write writes a and then b. Both are the log's: the writer may not keep
	// them. A connection that has output of its own waiting is Blocked.
	Write(slot uint32, a, b []byte) (n int, o Outcome)

	// Keep is called after a Write that stopped within a frame: rest, of which
	// it must take a copy, is to go out before anything else.
	Keep(slot uint32, rest []byte)

	// Tell passes on what happened to a subscription.
	Tell(slot uint32, topic string, n Notice)
}

// Notice is something that a subscriber may have to be told.
type Notice struct {
	Kind     NoticeKind
	From, To Position // Gap
}

// NoticeKind is what a notice says.
type NoticeKind uint8

const (
	Live NoticeKind = iota // replay, or the sending of retained values, has come to its end
	Lost                   // the log has lost what came next: the policy is to disconnect
	Gap                    // what came after From, up to and including To, will not be sent
)

// Shard holds the subscriptions of some of the connections. One goroutine owns
// it and calls its methods, except where they say otherwise.
type Shard struct {
	hub  *Hub
	w    Writer
	wake func()

	subs      subTable
	audiences []*audience // by the index that a subscription has; nil where free
	free      []uint32    // free places in audiences
	lags      map[uint32]*laggard

	frames     frames
	positions  []Position  // scratch of advanceLog
	passes     []*audience // audiences with news, each once, in the order in which they are served
	passesFree []*pass
	joint      joint
	timed      timedHeap  // audiences with news whose tick has not come
	joined     uint       // how many have joined an audience with a rate
	ready      []*laggard // laggards that may go on, each once
	turn       bool       // whose turn it is: the laggards'
	jointTurn  bool       // the joint pass's, of those of passes
	stats      ShardStats

	dirtyMu sync.Mutex
	dirty   []*audience // marked, not yet seen by the owner
}

// ShardStats is what a shard has done so far. Another goroutine may read it.
type ShardStats struct {
	Deliveries    atomic.Uint64 // messages begun, each for one subscriber
	Bytes         atomic.Uint64 // written for subscribers
	Writes        atomic.Uint64 // calls to Writer.Write
	Passes        atomic.Uint64
	PassNanos     atomic.Uint64 // time that passes took, pauses left out
	Lagging       atomic.Int64  // subscriptions with a cursor of their own
	Lost          atomic.Uint64 // subscriptions whose next message the log had lost, and that were to end
	Gaps          atomic.Uint64 // gaps that subscribers were told of
	Dropped       atomic.Uint64 // messages in them, under the policy to drop
	Conflated     atomic.Uint64 // values sent in place of all messages to those that were behind
	Subscriptions atomic.Int64
	Latency       Latency // publish to written
}

// NewShard returns a shard of h whose owner is woken by wake, which may be
// called from any goroutine and must not wait.
func (h *Hub) NewShard(w Writer, wake func()) *Shard {
	return &Shard{hub: h, w: w, wake: wake, lags: make(map[uint32]*laggard)}
}

// Stats returns the shard's counters. Any goroutine may call it.
func (s *Shard) Stats() *ShardStats { return &s.stats }

// Work writes news to whom it concerns, until there is none or the time has
// come. It reports whether some is left; if not, Idle says when there will be.
func (s *Shard) Work(until time.Time) (more bool) {
	s.takeDirty()
	s.takeTimed()
	for n := 0; len(s.passes) > 0 || s.joint.on || len(s.ready) > 0; n++ {
		if n > 0 && !time.Now().Before(until) {
			return true
		}
		s.turn = !s.turn
		if s.turn && len(s.ready) > 0 || len(s.passes) == 0 && !s.joint.on {
			s.catchUp(until)
			continue
		}
		s.goOn(until)
	}
	return false
}

// goOn goes on with a pass: the joint one and the others in turn.
func (s *Shard) goOn(until time.Time) {
	s.jointTurn = !s.jointTurn
	if !s.joint.on && len(s.passes) > 1 {
		s.gather(until)
	}
	if s.joint.on && (s.jointTurn || len(s.passes) == 0) {
		s.stepJoint(until)
		return
	}
	if len(s.passes) == 0 {
		return
	}
	a := s.passes[0]
	s.passes = pop(s.passes)
	if !a.gone {
		s.passed(a, s.step(a, until))
	}
}

// passed says that a has had its turn and whether it wants another.
func (s *Shard) passed(a *audience, more bool) {
	if more && (a.pass != nil || a.rate == 0) {
		s.passes = append(s.passes, a)
		return
	}
	if a.queued = false; more {
		s.schedule(a)
	}
}

// catchUp lets laggards go on, each by a segment in turn, for half of the time
// that is left: a pass may take all that it is given.
func (s *Shard) catchUp(until time.Time) {
	half := time.Now().Add(time.Until(until) / 2)
	for more := true; more && len(s.ready) > 0; more = time.Now().Before(half) {
		l := s.ready[0]
		s.ready = pop(s.ready)
		l.queued = false
		s.advance(l)
	}
}

// pop drops the first element; the array is used again when it runs empty.
func pop[T any](q []*T) []*T {
	q[0] = nil
	if len(q) == 1 {
		return q[:0]
	}
	return q[1:]
}

func (s *Shard) takeDirty() {
	s.dirtyMu.Lock()
	defer s.dirtyMu.Unlock()
	for i, a := range s.dirty {
		a.dirty.Store(false)
		switch {
		case a.queued || a.gone:
		case a.rate != 0:
			s.schedule(a)
		default:
			a.queued = true
			s.passes = append(s.passes, a)
		}
		s.dirty[i] = nil
	}
	s.dirty = s.dirty[:0]
}
