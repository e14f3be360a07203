package broadcast

import "sort"

// era is a stretch of a topic's sequence that is numbered under one epoch.
// Messages are counted from 1 by the topic's sequence, which cursors are made
// of and which nobody outside sees; an era maps it to positions.
type era struct {
	epoch string
	start uint64 // the sequence number before its first message
	base  uint64 // the offset before its first message
	last  uint64 // the offset of its last message, once another era has begun
	given bool   // the publisher numbers: offsets stand in the records, and may leave some out
}

// maxEras bounds the epochs of one topic that can be resumed from.
const maxEras = 8

// eraOf returns the index of the era of message seq; of the place before all
// messages, the latest that begins there.
func (t *topic) eraOf(seq uint64) int {
	last := len(t.eras) - 1
	for i := last; i > 0; i-- {
		if t.eras[i].start < seq || t.eras[i].start == seq && t.eras[0].start == seq {
			return i
		}
	}
	return 0
}

// positionLocked returns the position of message seq, or of the place before
// all. Of what is no longer held, and was numbered by a publisher, it returns an
// older one.
func (t *topic) positionLocked(seq uint64) Position {
	i := t.eraOf(seq)
	return Position{t.eras[i].epoch, t.offsetLocked(i, seq)}
}

// exactLocked reports whether positionLocked says exactly where message seq is.
func (t *topic) exactLocked(seq uint64) bool {
	return !t.eras[t.eraOf(seq)].given || seq >= t.log.tail
}

func (t *topic) offsetLocked(i int, seq uint64) uint64 {
	switch e := &t.eras[i]; {
	case !e.given:
		return e.base + seq - min(seq, e.start)
	case seq <= e.start || seq < t.log.tail:
		return e.base
	case seq == t.log.tail:
		return t.log.tailOffset
	default:
		return t.log.offset(seq)
	}
}

// standing says where a position is, as seen from a log.
type standing uint8

const (
	unknown standing = iota // it has never been here, or its epoch is forgotten
	lost                    // something after it is not held any more
	held                    // all that came after it is
	ahead                   // the publisher numbers, and has not come so far: another server heard of it sooner
)

// findLocked returns the sequence number of the last message at or before p, and
// where that is. Of what is lost the number may be too low.
func (t *topic) findLocked(p Position) (seq uint64, at standing) {
	i := len(t.eras) - 1
	for ; i >= 0 && t.eras[i].epoch != p.Epoch; i-- {
	}
	if i < 0 {
		return 0, unknown
	}
	e, end, last := &t.eras[i], t.log.head, i == len(t.eras)-1
	if !last {
		end = t.eras[i+1].start
	}
	if !e.given {
		switch seq = e.start + p.Offset - e.base; {
		case p.Offset < e.base || seq > end:
			return 0, unknown
		case seq < t.log.tail:
			return seq, lost
		}
		return seq, held
	}
	from := max(e.start, t.log.tail)
	switch first := t.offsetLocked(i, from); {
	case end < from || p.Offset < first, p.Offset == first && from > e.start && t.log.tailShared:
		return 0, lost
	case p.Offset == first && from == e.start && i == 0 && from > 0: // it stands for all that is left of eras before, too
		return 0, lost
	}
	seq = from + uint64(sort.Search(int(end-from)+1, func(n int) bool { return t.offsetLocked(i, from+uint64(n)) >= p.Offset }))
	if seq > end || t.offsetLocked(i, seq) > p.Offset {
		seq--
	}
	if last && seq == end && t.offsetLocked(i, seq) < p.Offset {
		return seq, ahead
	}
	return seq, held
}

// seenLocked reports whether p is a publisher's own position that is not new.
func (t *topic) seenLocked(p Position) bool {
	for i := range t.eras {
		if e := &t.eras[i]; e.given && e.epoch == p.Epoch {
			last := e.last
			if i == len(t.eras)-1 {
				last = t.offsetLocked(i, t.log.head)
			}
			return p.Offset <= last
		}
	}
	return false
}

// numberLocked gives m, the next message, its position, which is not one that was
// seen, and the one before, and begins an era where the publisher does.
func (t *topic) numberLocked(m *Message) error {
	last := len(t.eras) - 1
	e, given := &t.eras[last], m.Position.Epoch != ""
	switch {
	case m.expired && e.given:
		m.Previous = t.positionLocked(t.log.head)
		m.Position = m.Previous
		return nil
	case given && t.log.head == 0 && e.epoch == m.Position.Epoch:
		e.base, e.given = m.Position.Offset-1, true
	case given && (t.log.head == 0 || e.given && e.epoch != m.Position.Epoch):
		for i := range t.eras {
			if t.eras[i].epoch == m.Position.Epoch {
				return ErrPositionConflict
			}
		}
		e.last = t.offsetLocked(last, t.log.head)
		if len(t.eras) == maxEras {
			t.eras = append(t.eras[:0], t.eras[1:]...)
		}
		t.eras = append(t.eras, era{epoch: m.Position.Epoch, start: t.log.head, base: m.Position.Offset - 1, given: true})
	case given != e.given:
		return ErrPositionConflict
	}
	m.Previous = t.positionLocked(t.log.head)
	if !given {
		m.Position = Position{m.Previous.Epoch, m.Previous.Offset + 1}
	}
	return nil
}
