package broadcast

import (
	"slices"
)

const (
	minChunk = 4 << 10
	maxChunk = 64 << 10

	// recordCost is what a message costs a topic's limit beside its frame: its
	// record and its place in the table of ends.
	recordCost = 64
)

// record is what a topic remembers of a message beside its bytes, enough to
// encode it again for a dialect that comes into use later.
type record struct {
	at         int64  // when it was published, in ns since the hub began
	offset     uint64 // of its position
	key, event string
	size       uint32 // of the payload, which ends the frame of dialect 0
	kind       Kind
}

// chunk holds consecutive messages of one dialect. What has been appended never
// moves and never changes, so slices of it may be read without the topic's
// lock.
type chunk struct {
	first   uint64   // sequence number of its first message
	ends    []uint32 // where each message ends in data
	data    []byte   // never grows beyond its capacity
	records []record // dialect 0 only
}

func (c *chunk) last() uint64 { return c.first + uint64(len(c.ends)) - 1 }

// start returns where message seq begins in data.
func (c *chunk) start(seq uint64) uint32 {
	if seq == c.first {
		return 0
	}
	return c.ends[seq-c.first-1]
}

// tape is a log as one dialect sees it: chunks without a hole between them, the
// last of which ends at the log's head.
type tape []*chunk

// find returns the index of the chunk that holds message seq, or len(t).
func (t tape) find(seq uint64) int {
	i, _ := slices.BinarySearchFunc(t, seq, func(c *chunk, o uint64) int {
		if c.last() < o {
			return -1
		}
		return 1 // the first chunk that does not end before o is the one
	})
	return i
}

// noLog is the log of every topic that nothing was published to. Nobody writes to it.
var noLog topicLog

// topicLog is one topic's log. The topic's lock guards it.
type topicLog struct {
	head       uint64   // sequence number of the newest message; 0 before the first
	tail       uint64   // messages in (tail, head] are held
	tailOffset uint64   // of the position of the last that is not
	size       int      // what limit bounds
	memory     int      // size, but with chunks by their capacity, in every dialect
	tapes      []tape   // by dialect; nil before the first message
	shown      *Message // what encoders are shown, so that the publisher's own can stay on its stack
	tailShared bool     // tailOffset is also that of the message before: it is an expired delete
}

// chunkSize returns the capacity for a tape's next chunk: it grows fourfold, so that a
// topic with little to say costs little, up to an eighth of the log, so that
// eviction, which drops whole chunks, does not drop much at once.
func (s *topicSettings) chunkSize(t tape, frame int) int {
	size := minChunk
	if n := len(t); n > 0 {
		size = max(size, min(4*cap(t[n-1].data), maxChunk, s.LogLimit/8))
	}
	return max(size, frame)
}

// chunkMost is how many messages a chunk may have: what eviction drops at once
// counts by its records too.
func (s *topicSettings) chunkMost() int {
	return min(maxChunk, max(s.LogLimit/8, minChunk)) / recordCost
}

// cost is what a message will add to size, or a little more.
func cost(m *Message) int {
	return len(m.Payload) + len(m.Key) + len(m.Event) + maxFrameHeader + recordCost
}

const maxFrameHeader = 10 // RFC 6455 section 5.2, without a mask

// append takes m as the next message, encoded for each dialect in use. It
// returns by how many bytes the log's memory grew.
func (l *topicLog) append(set *topicSettings, inUse uint32, m *Message, at int64) (grown int) {
	l.head++
	if l.shown == nil {
		l.shown = new(Message)
	}
	*l.shown = *m
	l.shown.Deflate = set.Deflate
	if l.tapes == nil {
		l.tapes = make([]tape, len(set.hub.cfg.Encoders))
	}
	for d, e := range set.hub.cfg.Encoders {
		if inUse&(1<<d) == 0 {
			continue
		}
		before := 0
		if t := l.tapes[d]; d == 0 && len(t) > 0 {
			before = len(t[len(t)-1].data)
		}
		c, more := l.appendFrame(set, &l.tapes[d], e, l.shown)
		grown += more
		if d == 0 {
			if more > 0 {
				before = 0
			}
			c.records = append(c.records, record{at: at, offset: m.Position.Offset, key: m.Key, event: m.Event, size: uint32(len(m.Payload)), kind: m.Kind})
			l.size += len(c.data) - before + len(m.Key) + len(m.Event) + recordCost
			grown += len(m.Key) + len(m.Event) + recordCost
		}
	}
	l.memory += grown
	l.shown.Payload = nil // it was only lent
	return grown
}

// appendFrame encodes m at the end of t, in a new chunk if it does not fit.
func (l *topicLog) appendFrame(set *topicSettings, t *tape, e Encoder, m *Message) (c *chunk, grown int) {
	var room []byte
	if n := len(*t); n > 0 {
		c = (*t)[n-1]
		room = c.data[len(c.data):]
	}
	frame := e.AppendMessage(room, m)
	// An encoder may have needed more room for a while than its frame takes: where it has moved, it is not in the chunk.
	moved := len(frame) > 0 && (cap(room) == 0 || &frame[0] != &room[:1][0])
	if c == nil || moved || len(c.ends) >= set.chunkMost() {
		c = &chunk{first: l.head, data: make([]byte, 0, set.chunkSize(*t, len(frame)))}
		c.data = append(c.data, frame...)
		*t = append(*t, c)
		grown = cap(c.data)
	} else {
		c.data = c.data[:len(c.data)+len(frame)]
	}
	c.ends = append(c.ends, uint32(len(c.data)))
	return c, grown
}

// evictable reports whether the oldest chunk lies at or below low.
func (l *topicLog) evictable(low uint64) bool {
	t := l.tape(0)
	return len(t) > 0 && t[0].last() <= low
}

// evict drops the oldest chunk, and what lies below it in the other tapes. It
// returns how many bytes of memory that gives back.
func (l *topicLog) evict() (freed int) {
	old := l.tapes[0][0]
	for i := max(0, len(old.records)-2); i < len(old.records); i++ {
		before := l.tailOffset
		l.tailOffset = old.records[i].offset
		l.tailShared = l.tailOffset == before && old.records[i].kind == Delete
	}
	l.tail = old.last()
	freed = len(old.records) * recordCost
	for i := range old.records {
		freed += len(old.records[i].key) + len(old.records[i].event)
	}
	l.size -= len(old.data) + freed
	for d := range l.tapes {
		t := &l.tapes[d]
		n := 0
		for n < len(*t) && (*t)[n].last() <= l.tail {
			freed += cap((*t)[n].data)
			n++
		}
		*t = slices.Delete(*t, 0, n)
	}
	l.memory -= freed
	return freed
}

// tape returns dialect d's.
func (l *topicLog) tape(d uint8) tape {
	if l.tapes == nil {
		return nil
	}
	return l.tapes[d]
}

// disuse drops dialect d's tape; dialect 0's always stays.
func (l *topicLog) disuse(d uint8) (freed int) {
	if d == 0 || l.tapes == nil { // noLog is everybody's
		return 0
	}
	for _, c := range l.tape(d) {
		freed += cap(c.data)
	}
	l.tapes[d] = nil
	l.memory -= freed
	return freed
}

// message fills m with message seq, which must be held, but for its positions.
// Its payload is a slice of the log.
func (l *topicLog) message(seq uint64, m *Message) {
	t := l.tapes[0]
	c := t[t.find(seq)]
	r, end := &c.records[seq-c.first], c.ends[seq-c.first]
	m.Kind, m.Key, m.Event = r.kind, r.key, r.event
	m.Payload = c.data[end-r.size : end : end]
}

// record returns that of message seq, which must be held.
func (l *topicLog) record(seq uint64) *record {
	t := l.tapes[0]
	c := t[t.find(seq)]
	return &c.records[seq-c.first]
}

// at returns when message seq, which must be held, was published.
func (l *topicLog) at(seq uint64) int64 { return l.record(seq).at }

// offset returns that of the position of message seq, which must be held.
func (l *topicLog) offset(seq uint64) uint64 { return l.record(seq).offset }
