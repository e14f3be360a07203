package broadcast

import "sort"

// round is the sending of the newest values of the keys that were changed in
// (start, end]. It goes through the table of keys in its order, once, so that
// each key has its turn however often others change (rule C1).
type round struct {
	start, end uint64
	from, to   Position  // of these, as they were when the log had them
	told       uint64    // up to here, gaps were told
	table      *keyTable // which place is in: a reload may make another
	place      uint32    // where it goes on
	on         bool
	careful    bool // what is newer than the audience's cursor is left out: a pass will bring it, or the next round (rule C2)
	retained   bool // it is a round from zero, for somebody new
	shared     bool // it is for all members of an audience
}

// frames is a batch of messages encoded for one reader, or for those of one
// audience, which does not stand in a log.
type frames struct {
	m      Message
	data   []byte
	ends   []uint32 // where each message ends in data
	places []uint32 // of a round: where each value stands, and its sequence number
	seqs   []uint64
}

// turnBytes is how much is encoded at a time, and inputBytes how much is taken in for
// that where it is compressed: the topic's lock is held.
const (
	turnBytes  = 16 << 10
	inputBytes = 64 << 10
)

func (f *frames) reset() {
	if cap(f.data) > 4*turnBytes {
		f.data = nil
	}
	f.data, f.ends, f.places, f.seqs = f.data[:0], f.ends[:0], f.places[:0], f.seqs[:0]
}

// begun returns how many messages n bytes have begun, and what is missing of the
// last of them.
func (f *frames) begun(n int) (messages int, rest []byte) {
	if n == 0 {
		return 0, nil
	}
	i := sort.Search(len(f.ends), func(i int) bool { return int(f.ends[i]) >= n })
	return i + 1, f.data[n:f.ends[i]]
}

// encodeRoundLocked encodes for dialect d what comes next in r, of values not
// newer than upTo. It reports whether that is all of it.
func (t *topic) encodeRoundLocked(r *round, d uint8, upTo uint64, f *frames) (whole bool) {
	if r.table != t.keys {
		r.table, r.place = t.keys, 0
	}
	if r.from.Epoch == "" || t.exactLocked(r.start) {
		r.from = t.positionLocked(r.start)
	}
	if r.to.Epoch == "" || t.exactLocked(r.end) {
		r.to = t.positionLocked(r.end)
	}
	f.reset()
	f.m = Message{Topic: t.name, Retained: r.retained, Position: r.from}
	if r.shared {
		f.m.Deflate = t.set.Deflate
	}
	next := func(from uint32) uint32 {
		i := t.keys.next(from, r.start, upTo)
		for r.retained && i != none && t.keys.values[i].kind == Delete {
			i = t.keys.next(i+1, r.start, upTo)
		}
		return i
	}
	input := 0
	for i := next(r.place); i != none; {
		if len(f.data) >= turnBytes || input >= inputBytes {
			return false
		}
		after := next(i + 1)
		if after == none {
			f.m.Position = r.to
		}
		t.keys.message(i, &f.m)
		input += len(f.m.Payload)
		before := len(f.data)
		if f.data = t.set.hub.cfg.Encoders[d].AppendMessage(f.data, &f.m); len(f.data) > before {
			f.ends = append(f.ends, uint32(len(f.data)))
			f.places = append(f.places, i)
			f.seqs = append(f.seqs, t.keys.seqs[i])
		}
		i = after
	}
	return true
}

// sent notes that the first n messages of f were begun, which was all of the
// round where whole says so. It returns the newest of what was sent.
func (r *round) sent(f *frames, n int, whole bool) (high uint64) {
	for _, seq := range f.seqs[:n] {
		high = max(high, seq)
	}
	switch {
	case n == len(f.ends) && whole:
		r.on = false
	case n > 0:
		r.place = f.places[n-1] + 1
	}
	return high
}
