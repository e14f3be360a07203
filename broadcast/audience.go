package broadcast

import (
	"slices"
	"sync/atomic"
	"time"
)

// audience is everybody on one shard who gets one topic in one dialect, and how
// far they have come. The shard's owner has it to itself, but for low.
type audience struct {
	shard   *Shard
	topic   *topic
	index   uint32
	dialect uint8
	policy  Policy // what it was when the audience began
	gone    bool   // off the topic; a new one is made for the next member
	queued  bool   // on shard.passes
	passing bool
	dirty   atomic.Bool // on shard.dirty

	low    uint64   // start of the unfinished pass, or cursor; guarded by topic.mu
	cursor uint64   // up-to-date members have been sent all up to here, or will be by the pass under way
	pass   segment  // what the pass under way sends
	next   int      // the member it comes to next
	stop   int      // the members beyond joined after it began
	holes  []uint32 // places in members whose member left during the pass

	members []uint32 // indices in shard.subs; none where one left during the pass
	behind  *laggard // list of those with a cursor of their own
	waiting []*laggard
	lowest  uint64 // no laggard's cursor lies below it
}

const none = ^uint32(0)

// markDirty puts a on its shard's list of news. Any goroutine may call it.
func (a *audience) markDirty() {
	if a.dirty.Swap(true) {
		return
	}
	s := a.shard
	s.dirtyMu.Lock()
	s.dirty = append(s.dirty, a)
	s.dirtyMu.Unlock()
	s.wake()
}

// join returns the audience of a topic in a dialect, made if need be.
func (s *Shard) join(name string, dialect uint8) (*audience, error) {
	t, err := s.hub.get(name)
	if err != nil {
		return nil, err
	}
	defer t.mu.Unlock()
	if a := t.audienceLocked(s, dialect); a != nil {
		return a, nil
	}
	head := t.log.head
	a := &audience{shard: s, topic: t, dialect: dialect, low: head, cursor: head}
	t.log.use(dialect)
	t.audiences = append(t.audiences, a)
	if n := len(s.free); n > 0 {
		a.index, s.free = s.free[n-1], s.free[:n-1]
		s.audiences[a.index] = a
	} else {
		a.index = uint32(len(s.audiences))
		s.audiences = append(s.audiences, a)
	}
	return a, nil
}

// remove takes a, which has no members left, off its topic.
func (s *Shard) remove(a *audience) {
	a.gone = true
	t := a.topic
	t.mu.Lock()
	s.hub.memory.Add(int64(-t.removeLocked(a, s.hub.now())))
	silent := t.log.head == 0
	t.mu.Unlock()
	if silent { // nobody can resume it; and names that subscribers make up must not stay
		s.hub.forget(t, func() bool { return t.log.head == 0 })
	}
	s.audiences[a.index] = nil
	s.free = append(s.free, a.index)
}

// step goes on with a's pass, or begins one, until it is done or the time has
// come. It reports whether a wants another turn.
func (s *Shard) step(a *audience, until time.Time) (more bool) {
	if !a.passing && !s.begin(a) {
		return false
	}
	began := time.Now()
	delivered, bytes, writes := uint64(0), 0, 0
	for n := 0; a.next < a.stop; a.next++ {
		if n++; n%16 == 0 && !time.Now().Before(until) {
			break
		}
		i := a.members[a.next]
		if i == none {
			continue
		}
		sub := s.subs.at(i)
		if sub.lagging() {
			continue
		}
		n, outcome := s.w.Write(sub.slot, a.pass.a, a.pass.b)
		writes++
		bytes += n
		switch outcome {
		case Sent:
			delivered += a.pass.messages()
		case Blocked:
			begun, rest := a.pass.split(n)
			delivered += begun - a.pass.start
			if len(rest) > 0 {
				s.w.Keep(sub.slot, rest)
			}
			s.lag(a, i, begun)
		case Ended: // it will leave
		}
	}
	now := time.Now()
	s.stats.PassNanos.Add(uint64(now.Sub(began)))
	s.stats.delivered(delivered, bytes, writes)
	s.stats.Latency.observe(int64(now.Sub(s.hub.began))-a.pass.at, delivered)
	if a.next < a.stop {
		return true
	}
	return s.finish(a)
}

func (st *ShardStats) delivered(messages uint64, bytes, writes int) {
	st.Deliveries.Add(messages)
	st.Bytes.Add(uint64(bytes))
	st.Writes.Add(uint64(writes))
}

// begin fixes what the next pass sends and to whom (rule B3). It reports false
// where there is no news.
func (s *Shard) begin(a *audience) bool {
	t := a.topic
	t.mu.Lock()
	a.pass = t.log.segment(a.dialect, a.cursor, t.log.head)
	tail := t.log.tail
	t.mu.Unlock()
	s.dropLost(a, tail)
	if a.pass.messages() == 0 {
		return false
	}
	a.passing, a.next, a.stop = true, 0, len(a.members)
	a.cursor = a.pass.end
	return true
}

// finish ends a's pass. It reports whether there is news already.
func (s *Shard) finish(a *audience) (more bool) {
	a.passing = false
	a.pass = segment{}
	s.stats.Passes.Add(1)
	a.fillHoles()

	t := a.topic
	t.mu.Lock()
	a.low = a.cursor
	t.madeRoomLocked()
	more = t.log.head > a.cursor
	t.mu.Unlock()

	waiting := a.waiting
	a.waiting = a.waiting[:0]
	for _, l := range waiting {
		l.waiting = false
		switch {
		case l.gone:
		case l.cursor == a.cursor:
			s.advance(l) // it rejoins, now or never if the next pass begins at once
		default:
			s.makeReady(l)
		}
	}
	if len(a.members) == 0 {
		s.remove(a)
		return false
	}
	return more || a.behind != nil // a mark taken during the pass may have meant an eviction
}

// fillHoles moves members from the end to where others left during the pass.
func (a *audience) fillHoles() {
	trim := func() {
		for n := len(a.members); n > 0 && a.members[n-1] == none; n-- {
			a.members = a.members[:n-1]
		}
	}
	for _, hole := range a.holes {
		trim()
		if n := len(a.members); int(hole) < n {
			a.place(hole, a.members[n-1])
			a.members = a.members[:n-1]
		}
	}
	trim()
	a.holes = a.holes[:0]
}

// place puts member i at a place in the list.
func (a *audience) place(at, i uint32) {
	a.members[at] = i
	a.shard.subs.at(i).setPlace(at)
}

// leave takes the member at a place off the list (rule B4).
func (a *audience) leave(at uint32) {
	if a.passing {
		a.members[at] = none
		a.holes = append(a.holes, at)
		return
	}
	last := len(a.members) - 1
	if int(at) != last {
		a.place(at, a.members[last])
	}
	a.members = a.members[:last]
	if cap(a.members) > 1024 && len(a.members) < cap(a.members)/4 {
		a.members = slices.Clip(slices.Clone(a.members))
	}
}
