package broadcast

import (
	"cmp"
	"slices"
	"time"
)

// joint is a pass over several audiences at once: what one connection is to be
// sent of several topics goes out in one write. Each of its audiences is in a
// pass of its own all the while, so that what holds for passes (rules B3 and B4)
// holds here.
type joint struct {
	on        bool
	audiences []*audience
	few       []*audience // scratch of gather
	heads     []uint32    // by slot: list of its entries, index plus one
	entries   []entry
	slots     []uint32 // that have entries, in the order in which they are served
	next      int      // in slots
	buf       []byte   // what goes out in one write
	parts     []part   // of buf
}

// entry is one member's place in one of the audiences.
type entry struct {
	audience, place uint32
	next            uint32 // the slot's next entry, index plus one
}

// part is what one topic has in a write.
type part struct {
	a    *audience
	sub  uint32
	size int
}

const (
	jointMembers   = 4 << 10   // an audience with more goes alone: most of its members have no other news
	jointEntries   = 256 << 10 // bounds what is gathered at a time
	jointAudiences = 1 << 10
	joinedBytes    = 64 << 10 // and what is copied for one write; what is longer than a quarter of it goes alone
)

// gather begins a joint pass of the audiences that are queued, if there are
// several with news that are small enough.
func (s *Shard) gather(until time.Time) {
	j := &s.joint
	few := j.few[:0]
	rest := s.passes[:0]
	for _, a := range s.passes {
		switch {
		case a.gone:
		case a.pass != nil || len(a.members) > jointMembers || len(few) == jointAudiences:
			rest = append(rest, a)
		default:
			few = append(few, a)
		}
	}
	clear(s.passes[len(rest):])
	s.passes = rest
	slices.SortFunc(few, func(a, b *audience) int { return cmp.Compare(len(a.members), len(b.members)) }) // nobody waits for the many
	for n, a := range few {
		switch {
		case len(j.entries) > jointEntries || n%64 == 63 && !time.Now().Before(until):
			s.passes = append(s.passes, a)
		case s.begin(a):
			j.add(a)
		default:
			s.passed(a, false)
		}
	}
	clear(few)
	j.few = few
	j.on = len(j.audiences) > 0
}

// add adds the members of an audience whose pass has begun.
func (j *joint) add(a *audience) {
	j.audiences = append(j.audiences, a)
	for place, i := range a.members {
		slot := a.shard.subs.at(i).slot
		if int(slot) >= len(j.heads) {
			j.heads = append(j.heads, make([]uint32, int(slot)+1-len(j.heads))...)
		}
		if j.heads[slot] == 0 {
			j.slots = append(j.slots, slot)
		}
		j.entries = append(j.entries, entry{uint32(len(j.audiences) - 1), uint32(place), j.heads[slot]})
		j.heads[slot] = uint32(len(j.entries))
	}
}

// stepJoint goes on with the joint pass until it is done or the time has come.
func (s *Shard) stepJoint(until time.Time) {
	j, began := &s.joint, time.Now()
	var d delivered
	for n := 0; j.next < len(j.slots); j.next++ {
		if n++; n%16 == 0 && !time.Now().Before(until) {
			break
		}
		s.serveSlot(j.slots[j.next], &d)
	}
	s.stats.add(&d, time.Since(began))
	if j.next < len(j.slots) {
		return
	}
	for _, a := range j.audiences {
		s.passed(a, s.finish(a))
	}
	clear(j.audiences)
	*j = joint{audiences: j.audiences[:0], few: j.few, heads: j.heads, entries: j.entries[:0], slots: j.slots[:0], buf: j.buf, parts: j.parts}
	if cap(j.entries) > jointEntries {
		j.entries = nil
	}
}

// serveSlot sends the connection in a slot what it has to be sent.
func (s *Shard) serveSlot(slot uint32, d *delivered) {
	j := &s.joint
	e := j.heads[slot]
	j.heads[slot] = 0
	for e != 0 {
		at := j.entries[e-1]
		e = at.next
		a := j.audiences[at.audience]
		i, p := a.members[at.place], a.pass
		if i == none || s.subs.at(i).lagging() {
			continue
		}
		if p.gap != nil {
			s.w.Tell(slot, a.topic.name, *p.gap)
		}
		size := len(p.a) + len(p.b)
		if e == 0 && len(j.parts) == 0 || size > joinedBytes/4 {
			s.flushJoined(slot, d)
			s.sendPass(a, i, d)
			continue
		}
		if len(j.buf)+size > joinedBytes {
			s.flushJoined(slot, d)
		}
		j.buf = append(append(j.buf, p.a...), p.b...)
		j.parts = append(j.parts, part{a, i, size})
	}
	s.flushJoined(slot, d)
}

// flushJoined writes what has been joined for a slot.
func (s *Shard) flushJoined(slot uint32, d *delivered) {
	j := &s.joint
	if len(j.parts) == 0 {
		return
	}
	n, outcome := 0, Sent
	if len(j.buf) > 0 {
		n, outcome = s.w.Write(slot, j.buf, nil)
		d.writes++
		d.bytes += n
	}
	for _, x := range j.parts {
		p := x.a.pass
		took := min(n, x.size)
		n -= took
		messages := p.messages()
		if took < x.size && outcome == Ended {
			messages = 0 // it will leave
		} else if took < x.size {
			messages = s.fallBehind(x.a, x.sub, took)
		}
		d.messages += messages
		if x.a.rate == 0 {
			s.stats.Latency.observe(s.hub.now()-p.at, messages)
		}
	}
	j.buf, j.parts = j.buf[:0], j.parts[:0]
}
