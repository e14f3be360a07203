package broadcast

import "sort"

// segment is what lies between two messages of a log in one dialect, ready to be
// written: the messages in (start, end], in at most two slices. It may be read
// without the topic's lock.
type segment struct {
	start, end uint64
	a, b       []byte
	ends       [2][]uint32 // where each message ends, counted from base
	base       uint32      // where a begins in its chunk; b begins its own
	at         int64       // when its first message was published
}

// covers reports whether dialect d's tape has what follows start. It begins
// where the dialect came into use.
func (l *topicLog) covers(d uint8, start uint64) bool {
	chunks := l.tape(d)
	return len(chunks) > 0 && chunks[0].first <= start+1
}

// encodeLocked encodes the messages of dialect d in (start, limit], as many as make
// a turn, up to where its tape begins: for who reads what lies before, which is a
// resume after the last subscriber had gone. The segment is f's, valid until the next.
func (t *topic) encodeLocked(d uint8, start, limit uint64, f *frames) segment {
	if chunks := t.log.tape(d); len(chunks) > 0 {
		limit = min(limit, chunks[0].first-1)
	}
	f.reset()
	f.m = Message{Topic: t.name}
	for o := start + 1; o <= limit && len(f.data) < turnBytes; o++ {
		t.messageLocked(o, &f.m)
		f.data = t.set.hub.cfg.Encoders[d].AppendMessage(f.data, &f.m)
		f.ends = append(f.ends, uint32(len(f.data)))
	}
	return segment{start: start, end: start + uint64(len(f.ends)), a: f.data, ends: [2][]uint32{f.ends}}
}

// segment returns the messages of dialect d in (start, limit], as many as stand
// in two chunks. Everything after start must be held, and covered.
func (l *topicLog) segment(d uint8, start, limit uint64) segment {
	s := segment{start: start, end: start}
	if start >= limit {
		return s
	}
	s.at = l.at(start + 1)
	chunks := l.tape(d)
	i := l.tapes[d].find(start + 1)
	s.a, s.ends[0] = chunks[i].slice(start, limit)
	s.base = chunks[i].start(start + 1)
	s.end += uint64(len(s.ends[0]))
	if s.end < limit {
		s.b, s.ends[1] = chunks[i+1].slice(s.end, limit)
		s.end += uint64(len(s.ends[1]))
	}
	return s
}

// slice returns the bytes and ends of the messages in (start, limit] that c
// holds.
func (c *chunk) slice(start, limit uint64) ([]byte, []uint32) {
	limit = min(limit, c.last())
	ends := c.ends[start+1-c.first : limit+1-c.first]
	to := ends[len(ends)-1]
	return c.data[c.start(start+1):to:to], ends
}

func (s *segment) messages() uint64 { return s.end - s.start }

// split says where a write of n bytes stopped: begun is the last message of
// which a byte went out, and rest what is missing of it, if anything is.
func (s *segment) split(n int) (begun uint64, rest []byte) {
	part, ends, base, from := s.a, s.ends[0], s.base, s.start
	if n > len(s.a) {
		part, ends, base, from = s.b, s.ends[1], 0, s.start+uint64(len(ends))
		n -= len(s.a)
	}
	if n == 0 {
		return from, nil
	}
	i := sort.Search(len(ends), func(i int) bool { return int(ends[i]-base) >= n })
	return from + uint64(i) + 1, part[n : ends[i]-base]
}
