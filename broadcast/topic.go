package broadcast

import (
	"math"
	"slices"
	"sort"
	"sync"
	"sync/atomic"
)

// topic is one topic: its numbering, its log, and who is to be told.
type topic struct {
	name        string
	subscribers atomic.Int32
	gone        bool // taken from the hub: look it up again; guarded by mu, and here for its size

	mu        sync.Mutex
	eras      []era     // of its numbering, oldest first; never empty
	log       *topicLog // noLog before the first message
	set       *topicSettings
	inUse     uint32        // the dialects that are encoded, as bits; 0 always is
	keys      *keyTable     // nil where nobody needs it
	audiences []*audience   // those with members
	used      int64         // when something was last published or somebody left, in ns since the hub began
	room      chan struct{} // closed when there may be room again; nil while nobody waits
}

// lowLocked is the offset above which nothing may be evicted: where the slowest
// unfinished pass began (rule B2).
func (t *topic) lowLocked() uint64 {
	low := t.log.head
	for _, a := range t.audiences {
		low = min(low, a.low)
	}
	return low
}

// appendLocked gives m its place in the log, evicting what must go. It returns
// ErrNoRoom where a pass holds what would have to go, and by how many bytes the
// memory of the topic changed. duplicate says that a publisher's own position was
// there before; then nothing is appended.
func (t *topic) appendLocked(m *Message, at int64) (grown int, duplicate bool, err error) {
	if t.seenLocked(m.Position) { // before all else: a retry of a delete finds no key
		return 0, true, nil
	}
	need := cost(m)
	if need > max(t.set.LogLimit, t.set.hub.cfg.LogLimit)/4 {
		return 0, false, ErrTooLarge
	}
	if err = t.checkKeyLocked(m); err != nil {
		return 0, false, err
	}
	if t.log.size+need > t.set.LogLimit {
		low := t.patientLocked(at)
		for t.log.size+need > t.set.LogLimit && t.log.evictable(low) {
			grown -= t.log.evict()
		}
		if t.log.size > 0 && t.log.size+need > t.set.LogLimit {
			return grown, false, ErrNoRoom
		}
	}
	if m.Topic = t.name; m.Kind == Delete {
		m.Payload = nil
	}
	if err = t.numberLocked(m); err != nil {
		return grown, false, err
	}
	if t.conflatesLocked() {
		m.Previous = Position{} // what is between need not be sent
	}
	t.used = at
	if t.log == &noLog {
		t.log = new(topicLog)
	}
	grown += t.log.append(t.set, t.inUse, m, at)
	t.keepLocked(m, t.log.head, at)
	return grown, false, nil
}

// checkKeyLocked refuses a message that the topic's keys have no place for.
func (t *topic) checkKeyLocked(m *Message) error {
	switch {
	case m.Kind == Delete && (!t.set.Retain || !t.keys.has(m.Key)):
		return ErrNoKey
	case !t.set.Retain || m.Kind == Delete || t.keys.fits(m, t.set.MaxKeys, t.set.MaxKeyBytes):
		return nil
	}
	t.keys.dropTombstones(math.MaxInt64) // nobody keeps a place by having been deleted
	if !t.keys.fits(m, t.set.MaxKeys, t.set.MaxKeyBytes) {
		return ErrTooManyKeys
	}
	return nil
}

// keepLocked makes m, which is message seq, its key's newest value.
func (t *topic) keepLocked(m *Message, seq uint64, at int64) {
	k := t.keys
	if k == nil {
		return
	}
	if m.Kind == Delete && !t.conflatesLocked() { // nobody has to be told of it by its key
		if i, ok := k.places[m.Key]; ok {
			k.drop(i)
		}
		k.buried = seq // should the topic conflate one day
		return
	}
	if k.put(m, seq, at); !t.set.Retain {
		k.trim(t.set.MaxKeys, t.set.MaxKeyBytes)
	}
}

// conflatesLocked reports whether somebody is sent the newest values instead of
// every message, or will be.
func (t *topic) conflatesLocked() bool {
	return t.set.Slow == Conflate || slices.ContainsFunc(t.audiences, func(a *audience) bool { return a.policy == Conflate })
}

// configureLocked has t be as set says.
func (t *topic) configureLocked(set *topicSettings) {
	t.set = set
	switch needs := set.Retain || t.conflatesLocked(); {
	case !needs && t.keys != nil:
		t.keys.release()
		t.keys = nil
	case needs && t.keys == nil: // as if it had been so while the log was written
		t.keys = newKeyTable(&set.hub.keys)
		t.keys.forgotten = t.log.tail
		var m Message
		for seq := t.log.tail + 1; seq <= t.log.head; seq++ {
			t.log.message(seq, &m)
			t.keepLocked(&m, seq, t.log.at(seq))
			t.keys.trim(set.MaxKeys, set.MaxKeyBytes)
		}
	}
}

// historyLocked returns the sequence number after which a subscriber may resume.
func (t *topic) historyLocked(now int64) (seq uint64) {
	h, l := &t.set.History, t.log
	seq = l.tail
	if h.Count > 0 && l.head-seq > uint64(h.Count) {
		seq = l.head - uint64(h.Count)
	}
	if h.Age > 0 {
		seq += uint64(sort.Search(int(l.head-seq), func(n int) bool { return l.at(seq+uint64(n)+1) >= now-int64(h.Age) }))
	}
	if h.Bytes > 0 {
		n := 0
		for s := l.head; s > seq; s-- {
			if n += int(l.record(s).size); n > h.Bytes {
				return s
			}
		}
	}
	return seq
}

// messageLocked fills m with message seq, which must be held. Its payload is a
// slice of the log.
func (t *topic) messageLocked(seq uint64, m *Message) {
	t.log.message(seq, m)
	m.Position, m.Previous = t.positionLocked(seq), Position{}
	if !t.conflatesLocked() {
		m.Previous = t.positionLocked(seq - 1)
	}
}

// markLocked tells every audience that there is news.
func (t *topic) markLocked() {
	for _, a := range t.audiences {
		a.markDirty()
	}
}

// madeRoomLocked wakes the publishers that wait for room.
func (t *topic) madeRoomLocked() {
	if t.room != nil {
		close(t.room)
		t.room = nil
	}
}

// waitLocked returns a channel that is closed when there may be room.
func (t *topic) waitLocked() <-chan struct{} {
	if t.room == nil {
		t.room = make(chan struct{})
	}
	return t.room
}

// removeLocked takes a, which has no members left, from the topic, and drops
// the tape of its dialect if nobody else reads it. It returns how many bytes of
// memory that gives back.
func (t *topic) removeLocked(a *audience, at int64) (freed int) {
	t.audiences = slices.DeleteFunc(t.audiences, func(b *audience) bool { return a == b })
	t.used = at
	t.madeRoomLocked()
	if t.keys != nil && !t.set.Retain && !t.conflatesLocked() {
		t.keys.release()
		t.keys = nil
	}
	if slices.ContainsFunc(t.audiences, func(b *audience) bool { return b.dialect == a.dialect && b.rate == 0 }) {
		return 0
	}
	if a.dialect != 0 {
		t.inUse &^= 1 << a.dialect
	}
	return t.log.disuse(a.dialect)
}
