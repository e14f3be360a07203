package broadcast

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// MaxChunk is the largest chunk that holds more than one message.
const MaxChunk = maxChunk

// RecordCost is what a message takes beside its frame, key and event.
const RecordCost = recordCost

// Log lets tests drive a topic's log without a hub.
type Log struct {
	topic
}

// NewLog returns an empty log with dialect 0 in use.
func NewLog(limit int, encoders ...Encoder) *Log {
	l := &Log{topic: topic{eras: []era{{epoch: "abcdefgh"}}}}
	l.set = &topicSettings{Settings{LogLimit: limit}, NewHub(Config{Encoders: encoders})}
	l.log, l.inUse = new(topicLog), 1
	return l
}

func (l *Log) Append(m Message) (grown int) {
	l.numberLocked(&m)
	return l.log.append(l.set, l.inUse, &m, 0)
}
func (l *Log) Evictable(low uint64) bool { return l.log.evictable(low) }
func (l *Log) Evict() (freed int)        { return l.log.evict() }
func (l *Log) Disuse(d uint8) (freed int) {
	l.inUse &^= 1 << d &^ 1
	return l.log.disuse(d)
}
func (l *Log) Bounds() (tail, head uint64, size int) { return l.log.tail, l.log.head, l.log.size }
func (l *Log) Check() error                          { return l.log.check(l.set.LogLimit) }
func (l *Log) Memory() int                           { return l.log.memory }

// Use puts dialect d in use.
func (l *Log) Use(d uint8) { l.inUse |= 1 << d }

// Encode returns messages that dialect d's tape does not have.
func (l *Log) Encode(d uint8, start, limit uint64, topic string) Segment {
	l.name = topic
	s := l.encodeLocked(d, start, limit, new(frames))
	return Segment{s, s.start, s.end, s.a, s.b}
}

// Covers reports whether dialect d's tape has what follows start.
func (l *Log) Covers(d uint8, start uint64) bool { return l.log.covers(d, start) }

// Message returns the message at offset, without topic and epoch.
func (l *Log) Message(offset uint64) (m Message) {
	l.messageLocked(offset, &m)
	return m
}

// Lasts returns the last offset of each chunk of dialect d.
func (l *Log) Lasts(d uint8) (lasts []uint64) {
	for _, c := range l.log.tape(d) {
		lasts = append(lasts, c.last())
	}
	return lasts
}

// Segment is a segment with its parts in sight.
type Segment struct {
	s          segment
	Start, End uint64
	A, B       []byte
}

// Segment returns the messages of dialect d in (start, limit].
func (l *Log) Segment(d uint8, start, limit uint64) Segment {
	s := l.log.segment(d, start, limit)
	return Segment{s, s.start, s.end, s.a, s.b}
}

// Split says where a write of n bytes stopped.
func (s *Segment) Split(n int) (begun uint64, rest []byte) { return s.s.split(n) }

// counted is what memory ought to be.
func (l *topicLog) counted() (n int) {
	for d := range l.tapes {
		for _, c := range l.tapes[d] {
			n += cap(c.data) + len(c.records)*recordCost
			for _, r := range c.records {
				n += len(r.key) + len(r.event)
			}
		}
	}
	return n
}

// check reports the first thing about the log that cannot be.
func (l *topicLog) check(limit int) error {
	size := 0
	for d := range l.tapes {
		t := l.tapes[d]
		for i, c := range t {
			switch {
			case len(c.ends) == 0:
				return fmt.Errorf("dialect %d: chunk %d is empty", d, i)
			case int(c.ends[len(c.ends)-1]) != len(c.data) || !slices.IsSorted(c.ends):
				return fmt.Errorf("dialect %d: chunk %d has %d bytes and ends %v", d, i, len(c.data), c.ends)
			case i > 0 && c.first != t[i-1].last()+1:
				return fmt.Errorf("dialect %d: chunk %d begins at %d after %d", d, i, c.first, t[i-1].last())
			}
			if d > 0 {
				continue
			}
			if len(c.records) != len(c.ends) {
				return fmt.Errorf("chunk %d has %d records for %d messages", i, len(c.records), len(c.ends))
			}
			size += len(c.data)
			for _, r := range c.records {
				size += recordCost + len(r.key) + len(r.event)
			}
		}
		if n := len(t); n > 0 && (t[n-1].last() != l.head || t[0].last() <= l.tail) {
			return fmt.Errorf("dialect %d holds %d to %d of a log of (%d, %d]",
				d, t[0].first, t[n-1].last(), l.tail, l.head)
		}
	}
	if n := len(l.tape(0)); n == 0 != (l.tail == l.head) || n > 0 && l.tape(0)[0].first != l.tail+1 {
		return fmt.Errorf("%d chunks for (%d, %d]", n, l.tail, l.head)
	}
	if n := l.counted(); n != l.memory {
		return fmt.Errorf("memory is %d, counted %d", l.memory, n)
	}
	if size != l.size || size > limit {
		return fmt.Errorf("size is %d, counted %d, limit %d", l.size, size, limit)
	}
	return nil
}

// check reports the first thing about the table that cannot be.
func (k *keyTable) check() error {
	size, n, last := 0, 0, uint64(0)
	for p, prev := k.oldest, uint32(0); p != 0; {
		v, seq := &k.values[p-1], k.seqs[p-1]
		if v.prev != prev || seq <= last || k.places[v.key] != p-1 {
			return fmt.Errorf("key %q has seq %d after %d, links %d and %d", v.key, seq, last, v.prev, prev)
		}
		size, n, last = size+v.cost(), n+1, seq
		prev, p = p, v.next
	}
	if size != k.size || n != len(k.places) || n+len(k.free) != len(k.values) {
		return fmt.Errorf("%d keys of %d, %d free, %d places; %d bytes, counted %d", n, len(k.places), len(k.free), len(k.values), k.size, size)
	}
	return nil
}

// Check reports the first thing about h that cannot be. Nobody else may be at
// work.
func (h *Hub) Check() error {
	memory, keys, keyBytes := 0, 0, 0
	for _, t := range h.topics {
		t.mu.Lock()
		err := t.log.check(t.set.LogLimit)
		memory += t.log.memory
		if t.keys != nil {
			keys, keyBytes = keys+len(t.keys.places), keyBytes+t.keys.size
			err = errors.Join(err, t.keys.check())
		}
		for _, a := range t.audiences {
			if a.rate == 0 && (a.low < t.log.tail || a.low > a.cursor) || a.cursor > t.log.head {
				err = fmt.Errorf("audience at (%d, %d] of a log of (%d, %d]", a.low, a.cursor, t.log.tail, t.log.head)
			}
		}
		t.mu.Unlock()
		if err != nil {
			return fmt.Errorf("topic %s: %w", t.name, err)
		}
	}
	if k, b := h.keys.keys.Load(), h.keys.bytes.Load(); k != int64(keys) || b != int64(keyBytes) {
		return fmt.Errorf("%d keys of %d bytes, the tables have %d of %d", k, b, keys, keyBytes)
	}
	if n := h.memory.Load(); n != int64(memory) {
		return fmt.Errorf("memory is %d, the chunks have %d", n, memory)
	}
	return nil
}

// Check reports the first thing about s that cannot be. Its owner calls it.
func (s *Shard) Check() error {
	if err := s.checkQueues(); err != nil {
		return err
	}
	members, lagging := 0, 0
	for _, a := range s.audiences {
		if a == nil {
			continue
		}
		n, lags, err := a.check()
		if err != nil {
			return fmt.Errorf("topic %s in dialect %d: %w", a.topic.name, a.dialect, err)
		}
		members, lagging = members+n, lagging+lags
	}
	if n, l := s.stats.Subscriptions.Load(), s.stats.Lagging.Load(); n != int64(members) || l != int64(lagging) || l != int64(len(s.lags)) {
		return fmt.Errorf("%d subscriptions of which %d lag; counted %d and %d, %d in the table", n, l, members, lagging, len(s.lags))
	}
	return nil
}

// checkQueues checks that whatever is to have a turn is queued for it once.
func (s *Shard) checkQueues() error {
	passes, lags := map[*audience]bool{}, map[*laggard]bool{}
	for _, a := range s.passes {
		if passes[a] || !a.queued && !a.gone {
			return fmt.Errorf("topic %s is queued twice, or does not know that it is", a.topic.name)
		}
		passes[a] = true
	}
	for _, l := range s.ready {
		if lags[l] || !l.queued || l.waiting {
			return fmt.Errorf("laggard %+v is ready twice, or does not know that it is", *l)
		}
		lags[l] = true
	}
	for _, a := range s.audiences {
		if a == nil {
			continue
		}
		for _, x := range s.timed {
			if x.a == a {
				passes[a] = true
			}
		}
		if s.joint.on && slices.Contains(s.joint.audiences, a) {
			if passes[a] || a.pass == nil {
				return fmt.Errorf("topic %s is queued twice, or not in a pass", a.topic.name)
			}
			passes[a] = true
		}
		if a.queued != passes[a] {
			return fmt.Errorf("topic %s is queued: %t, or so it thinks: %t", a.topic.name, passes[a], a.queued)
		}
		if a.pass != nil && !passes[a] {
			return fmt.Errorf("topic %s is in a pass that nobody will go on with", a.topic.name)
		}
		for l := a.waiting; l != nil; l = l.nextWaiting {
			if lags[l] || !l.waiting || l.queued {
				return fmt.Errorf("laggard %+v waits twice, or does not know that it does", *l)
			}
			lags[l] = true
		}
	}
	return nil
}

func (a *audience) check() (members, lagging int, err error) {
	holes, bits := 0, 0
	for at, i := range a.members {
		if i == none {
			holes++
			continue
		}
		sub := a.shard.subs.at(i)
		if sub.at() != uint32(at) || sub.audience != a.index {
			return 0, 0, fmt.Errorf("member at %d has place %d in audience %d", at, sub.at(), sub.audience)
		}
		if sub.lagging() {
			bits++
		}
	}
	known := 0
	if a.pass != nil {
		known = len(a.pass.holes)
	}
	if holes != known || len(a.members) == 0 {
		return 0, 0, fmt.Errorf("%d holes of %d among %d members; in a pass: %t", holes, known, len(a.members), a.pass != nil)
	}
	var prev *laggard
	for l := a.behind; l != nil; prev, l = l, l.next {
		if l.prev != prev || l.gone || l.audience != a || a.shard.lags[l.sub] != l || l.cursor < a.lowest {
			return 0, 0, fmt.Errorf("laggard %+v is on the list of what is behind, lowest %d", *l, a.lowest)
		}
		lagging++
	}
	if lagging != bits {
		return 0, 0, fmt.Errorf("%d lag, %d are on the list", bits, lagging)
	}
	return len(a.members) - holes, lagging, nil
}

// Cursor returns how far the audience of a topic in a dialect has come, whether
// a pass is under way, and how long its members list is.
func (s *Shard) Cursor(topic string, dialect uint8) (cursor uint64, passing bool, places int) {
	for _, a := range s.audiences {
		if a != nil && a.topic.name == topic && a.dialect == dialect {
			return a.cursor, a.pass != nil, len(a.members)
		}
	}
	return 0, false, 0
}

// Shrink evicts from a topic up to tail, as Hub.reclaim does.
func (h *Hub) Shrink(topic string, tail uint64) {
	t := h.lookup(topic)
	defer t.mu.Unlock()
	for t.log.evictable(min(tail, t.lowLocked())) {
		h.memory.Add(int64(-t.log.evict()))
	}
	t.markLocked()
}

// Advance lets time go by for h. Nobody else may be at work.
func (h *Hub) Advance(d time.Duration) { h.began = h.began.Add(-d) }

// ExpireTopic is what Expire does with a topic.
func (h *Hub) ExpireTopic(topic string) {
	h.mu.RLock()
	t := h.topics[topic]
	h.mu.RUnlock()
	h.expire(t)
}

// DropTombstones drops all of a topic's, as Sweep does with those that are old.
func (h *Hub) DropTombstones(topic string) {
	t := h.lookup(topic)
	defer t.mu.Unlock()
	t.keys.dropTombstones(h.now() + 1)
}

// Waiting returns how many laggards are on the lists of those that wait.
func (s *Shard) Waiting() (n int) {
	for _, a := range s.audiences {
		if a != nil {
			for l := a.waiting; l != nil; l = l.nextWaiting {
				n++
			}
		}
	}
	return n
}
