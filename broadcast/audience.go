package broadcast

import (
	"slices"
	"sync/atomic"
)

// audience is everybody on one shard who gets one topic in one dialect, under
// one policy, at one rate and phase, and how far they have come. The shard's
// owner has it to itself, but for low.
type audience struct {
	shard   *Shard
	topic   *topic
	index   uint32
	dialect uint8
	policy  Policy // as the topic's settings said when the audience began
	rate    uint8  // 1 plus an index in Rates; 0: it is sent news as they come
	phase   uint8
	gone    bool        // off the topic; a new one is made for the next member
	queued  bool        // on shard.passes or shard.timed
	dirty   atomic.Bool // on shard.dirty

	low    uint64    // start of the unfinished pass, or cursor; noLow where it holds nothing; guarded by topic.mu
	cursor uint64    // up-to-date members have been sent all up to here, or will be by the pass under way
	pass   *pass     // the one under way, or nil
	known  *Position // of cursor, at a rate: the log may be past it

	patience *patience // with those that have just fallen behind; nil before the first did

	members []uint32 // indices in shard.subs; none where one left during the pass
	behind  *laggard // list of those with a cursor of their own
	waiting *laggard // list of those that wait for the pass under way, or the next, to end
	lowest  uint64   // no laggard's cursor lies below it
}

const (
	none  = ^uint32(0)
	noLow = ^uint64(0)
)

// markDirty puts a on its shard's list of news. Any goroutine may call it.
func (a *audience) markDirty() {
	if a.dirty.Load() || a.dirty.Swap(true) {
		return
	}
	s := a.shard
	s.dirtyMu.Lock()
	s.dirty = append(s.dirty, a)
	s.dirtyMu.Unlock()
	s.wake()
}

// join returns the audience of a topic in a dialect, at most at the given rate,
// made if need be.
func (s *Shard) join(name string, dialect uint8, maxRate float64) (*audience, error) {
	t, err := s.hub.get(name)
	if err != nil {
		return nil, err
	}
	defer t.mu.Unlock()
	policy, rate, phase := t.set.Slow, uint8(0), uint8(0)
	if policy == Conflate {
		if rate = lower(step(t.set.MaxRate), step(maxRate)); rate != 0 {
			s.joined++
			phase = uint8(s.joined % phases)
		}
	}
	for _, a := range t.audiences {
		if a.shard == s && a.dialect == dialect && a.policy == policy && a.rate == rate && a.phase == phase {
			return a, nil
		}
	}
	head := t.log.head
	a := &audience{shard: s, topic: t, dialect: dialect, policy: policy, rate: rate, phase: phase, low: head, cursor: head}
	if rate != 0 { // it reads no log
		a.low, a.known = noLow, new(t.positionLocked(head))
	} else {
		t.inUse |= 1 << dialect
	}
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

// at returns the position of a's cursor where it is known; else, the log has it.
func (a *audience) at() Position {
	if a.known == nil {
		return Position{}
	}
	return *a.known
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

// fillHoles moves members from the end to where others left during the pass.
func (a *audience) fillHoles(holes []uint32) {
	trim := func() {
		for n := len(a.members); n > 0 && a.members[n-1] == none; n-- {
			a.members = a.members[:n-1]
		}
	}
	for _, hole := range holes {
		trim()
		if n := len(a.members); int(hole) < n {
			a.place(hole, a.members[n-1])
			a.members = a.members[:n-1]
		}
	}
	trim()
}

// place puts member i at a place in the list.
func (a *audience) place(at, i uint32) {
	a.members[at] = i
	a.shard.subs.at(i).setPlace(at)
}

// leave takes the member at a place off the list (rule B4).
func (a *audience) leave(at uint32) {
	if a.pass != nil {
		a.members[at] = none
		a.pass.holes = append(a.pass.holes, at)
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
