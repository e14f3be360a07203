package broadcast

import (
	"slices"
	"sync"
	"sync/atomic"
)

// Position is a place in a topic's history: after the message at Offset. Offset
// 0 is before the first.
type Position struct {
	Epoch  string
	Offset uint64 // below 2^53, so that every client's numbers hold it
}

// topic is one topic: its numbering, its log, and who is to be told.
type topic struct {
	name        string
	subscribers atomic.Int64

	mu        sync.Mutex
	epoch     string
	log       topicLog
	audiences []*audience   // those with members
	used      int64         // when something was last published or somebody left, in ns since the hub began
	room      chan struct{} // closed when there may be room again; nil while nobody waits
	gone      bool          // taken from the hub: look it up again
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
// memory of the log changed.
func (t *topic) appendLocked(m *Message, at int64) (grown int, err error) {
	need := cost(m)
	if t.log.size+need > t.log.limit {
		low := t.lowLocked()
		for t.log.size+need > t.log.limit && t.log.evictable(low) {
			grown -= t.log.evict()
		}
		if t.log.size > 0 && t.log.size+need > t.log.limit {
			return grown, ErrNoRoom
		}
	}
	m.Topic, m.Epoch = t.name, t.epoch
	t.used = at
	return grown + t.log.append(m, at), nil
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

func (t *topic) audienceLocked(s *Shard, dialect uint8) *audience {
	for _, a := range t.audiences {
		if a.shard == s && a.dialect == dialect {
			return a
		}
	}
	return nil
}

// removeLocked takes a, which has no members left, from the topic, and drops
// the tape of its dialect if nobody else reads it. It returns how many bytes of
// memory that gives back.
func (t *topic) removeLocked(a *audience, at int64) (freed int) {
	t.audiences = slices.DeleteFunc(t.audiences, func(b *audience) bool { return a == b })
	t.used = at
	t.madeRoomLocked()
	if slices.ContainsFunc(t.audiences, func(b *audience) bool { return b.dialect == a.dialect }) {
		return 0
	}
	return t.log.disuse(a.dialect)
}
