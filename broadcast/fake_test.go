package broadcast_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/pushd/pushd/broadcast"
)

var (
	past   = time.Time{}         // as a time to work until: yield as soon as may be
	future = time.Unix(1<<40, 0) // never yield
	both   = []broadcast.Encoder{plain{}, full{}}
)

// plain is a dialect 0: topic's first byte, offset, payload's length, payload.
type plain struct{}

func (plain) AppendMessage(dst []byte, m *broadcast.Message) []byte {
	if m.Kind == broadcast.Delete { // it has no form here
		return dst
	}
	return append(appendHead(dst, m.Topic[0], m), m.Payload...)
}

// full is a dialect with all that a message has, before and after the payload.
type full struct{}

func (full) AppendMessage(dst []byte, m *broadcast.Message) []byte {
	dst = append(appendHead(dst, m.Topic[0]|0x80, m), byte(m.Kind), byte(len(m.Key)), byte(len(m.Event)))
	dst = append(append(append(dst, m.Key...), m.Event...), m.Payload...)
	dst = append(dst, m.Position.Epoch...) // 8 bytes
	return binary.BigEndian.AppendUint32(dst, uint32(m.Previous.Offset))
}

const (
	headSize = 8
	retained = 1 << 23 // in the length
)

func appendHead(dst []byte, topic byte, m *broadcast.Message) []byte {
	n := len(m.Payload)
	dst = binary.BigEndian.AppendUint32(append(dst, topic), uint32(m.Position.Offset))
	if m.Retained {
		n |= retained
	}
	return append(dst, byte(n>>16), byte(n>>8), byte(n))
}

// parse returns the first frame of stream as a message and how long it is, or 0
// where stream does not hold all of it.
func parse(stream []byte) (m broadcast.Message, n int) {
	if len(stream) < headSize {
		return m, 0
	}
	m.Topic = string(stream[0] &^ 0x80)
	m.Position.Offset = uint64(binary.BigEndian.Uint32(stream[1:]))
	m.Previous.Offset = m.Position.Offset - 1
	size := int(stream[5])<<16 | int(stream[6])<<8 | int(stream[7])
	m.Retained = size&retained != 0
	size &^= retained
	if stream[0]&0x80 == 0 {
		if n = headSize + size; len(stream) < n {
			return m, 0
		}
		m.Payload = stream[headSize:n]
		return m, n
	}
	if len(stream) < headSize+3 {
		return m, 0
	}
	key, event, at := int(stream[9]), int(stream[10]), headSize+3
	if n = at + key + event + size + 12; len(stream) < n {
		return m, 0
	}
	next := func(n int) []byte { at += n; return stream[at-n : at] }
	m.Kind = broadcast.Kind(stream[8])
	m.Key, m.Event = string(next(key)), string(next(event))
	m.Payload, m.Position.Epoch = next(size), string(next(8))
	m.Previous = broadcast.Position{Epoch: m.Position.Epoch, Offset: uint64(binary.BigEndian.Uint32(next(4)))}
	return m, n
}

// parseAll returns the frames of stream, which must be whole ones.
func parseAll(stream []byte) (all []broadcast.Message, err error) {
	for len(stream) > 0 {
		m, n := parse(stream)
		if n == 0 {
			return all, fmt.Errorf("the stream ends within a frame, after %d whole ones: % x", len(all), stream[:min(len(stream), 100)])
		}
		all = append(all, m)
		stream = stream[n:]
	}
	return all, nil
}

// socket is one connection of a fakeWriter.
type socket struct {
	list    broadcast.List
	room    int    // bytes it takes before it blocks
	out     []byte // what the peer has been sent
	kept    []byte // own output, to go out first
	blocked bool   // Writable is owed
	ended   bool
	writes  int
	notices []string
}

// flush writes own output as far as there is room.
func (s *socket) flush() {
	n := min(s.room, len(s.kept))
	s.out = append(s.out, s.kept[:n]...)
	s.kept, s.room = s.kept[n:], s.room-n
}

// offsets returns what the peer has received so far.
func (s *socket) offsets(t testing.TB) (all []uint64) {
	t.Helper()
	frames, err := parseAll(s.out)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range frames {
		all = append(all, m.Position.Offset)
	}
	return all
}

// fakeWriter keeps the contract of a Writer and holds the shard to it.
type fakeWriter struct {
	t       testing.TB
	sockets []*socket
	owed    []byte // what the next call must Keep
	owedBy  uint32

	onWrite func(slot uint32, a, b []byte) // before it is answered
	onTell  func(slot uint32, topic string, n broadcast.Notice)
}

func newWriter(t testing.TB, sockets int) *fakeWriter {
	w := &fakeWriter{t: t}
	for range sockets {
		w.sockets = append(w.sockets, &socket{room: math.MaxInt})
	}
	return w
}

func (w *fakeWriter) Write(slot uint32, a, b []byte) (int, broadcast.Outcome) {
	w.settled()
	s := w.sockets[slot]
	s.writes++
	if len(a) == 0 {
		w.t.Errorf("slot %d: a write of nothing", slot)
	}
	if w.onWrite != nil {
		w.onWrite(slot, a, b)
	}
	if s.ended {
		return 0, broadcast.Ended
	}
	if len(s.kept) > 0 {
		s.blocked = true
		return 0, broadcast.Blocked
	}
	all := append(bytes.Clone(a), b...)
	n := min(s.room, len(all))
	s.out = append(s.out, all[:n]...)
	s.room -= n
	if n == len(all) {
		return n, broadcast.Sent
	}
	s.blocked = true
	for at := 0; at < n; {
		_, size := parse(all[at:])
		if at += size; at > n {
			w.owed, w.owedBy = all[n:at], slot
		}
	}
	return n, broadcast.Blocked
}

func (w *fakeWriter) Keep(slot uint32, rest []byte) {
	if len(w.owed) == 0 || slot != w.owedBy || !bytes.Equal(rest, w.owed) {
		w.t.Errorf("slot %d is to keep %x; slot %d should, %x", slot, rest, w.owedBy, w.owed)
	}
	w.owed = nil
	w.sockets[slot].kept = append(w.sockets[slot].kept, rest...)
}

func (w *fakeWriter) Tell(slot uint32, topic string, n broadcast.Notice) {
	w.settled()
	w.sockets[slot].notices = append(w.sockets[slot].notices, fmt.Sprintf("%s %s", topic, [...]string{"live", "lost", "gap"}[n.Kind]))
	if w.onTell != nil {
		w.onTell(slot, topic, n)
	}
}

func (w *fakeWriter) settled() {
	if w.owed != nil {
		w.t.Errorf("slot %d was not told to keep % x", w.owedBy, w.owed)
		w.owed = nil
	}
}

// shard is a Shard with its fake writer.
type shard struct {
	*broadcast.Shard
	*fakeWriter
}

func newShard(t testing.TB, h *broadcast.Hub, sockets int) shard {
	w := newWriter(t, sockets)
	return shard{h.NewShard(w, func() {}), w}
}

// subscribe fails the test where Subscribe fails.
func (s shard) subscribe(slot uint32, topic string, dialect uint8, since *broadcast.Position) broadcast.Subscribed {
	s.t.Helper()
	r, err := s.Subscribe(slot, &s.sockets[slot].list, topic, dialect, broadcast.Options{Since: since})
	if err != nil {
		s.t.Fatalf("slot %d: subscribe to %s: %v", slot, topic, err)
	}
	return r
}

// unblock gives the socket room for n bytes and says so where that helps.
func (s shard) unblock(slot uint32, n int) {
	k := s.sockets[slot]
	k.room = n
	k.flush()
	if len(k.kept) == 0 && k.room > 0 {
		k.blocked = false
		s.Writable(k.list)
	}
}

// work works until there is nothing left, and checks the shard between turns.
func (s shard) work(until time.Time) {
	s.t.Helper()
	for more := true; more; {
		more = s.Work(until)
		if err := s.Check(); err != nil {
			s.t.Fatal(err)
		}
	}
}

// publish publishes n messages of size bytes each.
func publish(t testing.TB, h *broadcast.Hub, topic string, n, size int) (last broadcast.Receipt) {
	t.Helper()
	for range n {
		var err error
		if last, err = h.TryPublish(topic, broadcast.Message{Payload: bytes.Repeat([]byte("x"), size)}); err != nil {
			t.Fatalf("publish to %s: %v", topic, err)
		}
	}
	return last
}

// span returns from, from+1, … to.
func span(from, to uint64) (all []uint64) {
	for ; from <= to; from++ {
		all = append(all, from)
	}
	return all
}

func message(topic string, payload []byte) broadcast.Message {
	return broadcast.Message{Topic: topic, Payload: payload}
}
