package broadcast_test

import (
	"bytes"
	"slices"
	"testing"

	"github.com/pushd/pushd/broadcast"
)

// filled returns a log with messages of these sizes, by plain.
func filled(t *testing.T, limit int, sizes ...int) *broadcast.Log {
	t.Helper()
	return fill(t, broadcast.NewLog(limit, both...), sizes)
}

// filledTwice returns one by plain and full.
func filledTwice(t *testing.T, limit int, sizes ...int) *broadcast.Log {
	t.Helper()
	l := broadcast.NewLog(limit, both...)
	l.Use(1)
	return fill(t, l, sizes)
}

func fill(t *testing.T, l *broadcast.Log, sizes []int) *broadcast.Log {
	t.Helper()
	for i, size := range sizes {
		appendTo(l, uint32(i), size)
	}
	checkLog(t, l)
	return l
}

func appendTo(l *broadcast.Log, i uint32, size int) (grown int) {
	return l.Append(broadcast.Message{Topic: "a", Payload: payload(i, size), Key: keyOf(i), Event: eventOf(i)})
}

func checkLog(t *testing.T, l *broadcast.Log) {
	t.Helper()
	if err := l.Check(); err != nil {
		t.Fatal(err)
	}
}

func repeat(n, size int) []int { return slices.Repeat([]int{size}, n) }

func TestLogChunks(t *testing.T) {
	tests := []struct {
		name  string
		limit int
		sizes []int
		lasts []uint64 // of the chunks
		bytes int      // what they take, without records
	}{
		{"empty", 1 << 20, nil, nil, 0},
		{"one", 1 << 20, []int{10}, []uint64{1}, 4 << 10},
		{"payload of nothing", 1 << 20, []int{0, 0}, []uint64{2}, 4 << 10},
		{"a chunk full to the byte", 1 << 20, repeat(4, 1024-headSize), []uint64{4}, 4 << 10},
		{"one more", 1 << 20, repeat(5, 1024-headSize), []uint64{4, 5}, (4 + 16) << 10},
		{"the next does not fit by a byte", 1 << 20, []int{2048 - headSize, 2048 - headSize + 1}, []uint64{1, 2}, (4 + 16) << 10},
		{"chunks grow fourfold to the largest", 4 << 20, repeat(4+16+64+64+1, 1024-headSize), []uint64{4, 20, 84, 148, 149}, (4 + 16 + 64 + 64 + 64) << 10},
		{"and no larger than an eighth of the log", 64 << 10, repeat(4+8+8, 1024-headSize), []uint64{4, 12, 20}, (4 + 8 + 8) << 10},
		{"larger than a first chunk", 1 << 20, []int{5000, 10}, []uint64{1, 2}, 5000 + headSize + 4*(5000+headSize)},
		{"larger than any chunk", 4 << 20, []int{10, 200_000, 10}, []uint64{1, 2, 3}, 4<<10 + 200_000 + headSize + broadcast.MaxChunk},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			l := filled(t, test.limit, test.sizes...)
			for i := range uint32(len(test.sizes)) {
				test.bytes += broadcast.RecordCost + len(keyOf(i)) + len(eventOf(i))
			}
			if got := l.Lasts(0); !slices.Equal(got, test.lasts) || l.Memory() != test.bytes {
				t.Errorf("chunks end at %v and take %d bytes with records, want %v and %d", got, l.Memory(), test.lasts, test.bytes)
			}
			for o := range uint64(len(test.sizes)) {
				m := l.Message(o + 1)
				if i := uint32(o); m.Position.Offset != o+1 || m.Previous.Offset != o || m.Key != keyOf(i) || m.Event != eventOf(i) ||
					!bytes.Equal(m.Payload, payload(i, test.sizes[o])) {
					t.Errorf("message %d: %+v", o+1, m)
				}
			}
		})
	}
}

func TestLogEvicts(t *testing.T) {
	l := filledTwice(t, 64<<10, repeat(20, 1024-headSize)...) // chunks end at 4, 12, 20
	for _, step := range []struct {
		low  uint64
		can  bool
		tail uint64
	}{{3, false, 0}, {4, true, 4}, {11, false, 4}, {20, true, 12}, {19, false, 12}, {20, true, 20}, {20, false, 20}} {
		if can := l.Evictable(step.low); can != step.can {
			t.Fatalf("evictable up to %d: %t", step.low, can)
		}
		if step.can {
			before := l.Memory()
			if freed := l.Evict(); before-freed != l.Memory() {
				t.Errorf("evict said it freed %d bytes, it was %d", freed, before-l.Memory())
			}
		}
		checkLog(t, l)
		if tail, head, _ := l.Bounds(); tail != step.tail || head != 20 {
			t.Errorf("(%d, %d] is held, want (%d, 20]", tail, head, step.tail)
		}
	}
	if _, _, size := l.Bounds(); size != 0 || l.Memory() != 0 {
		t.Errorf("an empty log has %d bytes of messages in %d", size, l.Memory())
	}
	l.Append(broadcast.Message{Topic: "a", Payload: payload(7, 10)})
	checkLog(t, l)
	for d := range uint8(2) {
		if s := l.Segment(d, 20, 21); s.End != 21 {
			t.Errorf("dialect %d: nothing after the log was empty: %+v", d, s)
		}
	}
}

// TestLogBacklog brings a dialect into use at each offset, and reads from each
// earlier one.
func TestLogBacklog(t *testing.T) {
	const n = 60 // more than a turn encodes
	want := filledTwice(t, 128<<10, repeat(n, 900)...)
	for used := range uint64(n + 1) {
		l := filled(t, 128<<10, repeat(int(used), 900)...)
		l.Use(1)
		for i := used; i < n; i++ {
			before := l.Memory()
			if grown := appendTo(l, uint32(i), 900); before+grown != l.Memory() {
				t.Fatalf("grew by %d, said %d", l.Memory()-before, grown)
			}
		}
		checkLog(t, l)
		for from := range uint64(n) {
			if l.Covers(1, from) != (from >= used) {
				t.Fatalf("in use from %d: covers what follows %d: %t", used, from, l.Covers(1, from))
			}
			if got, want := readAll(l, 1, from, n), readAll(want, 1, from, n); !bytes.Equal(got, want) {
				t.Fatalf("in use from %d, read from %d: %d bytes, want %d", used, from, len(got), len(want))
			}
		}
		with := l.Memory()
		if freed := l.Disuse(1); with-freed != l.Memory() || len(l.Lasts(1)) != 0 {
			t.Fatalf("disuse freed %d of %d bytes, %d are left", freed, with, l.Memory())
		}
		if freed := l.Disuse(0); freed != 0 {
			t.Fatal("dialect 0, which holds the payloads, was dropped")
		}
	}
}

// readAll returns what stands in (from, to], segment by segment.
func readAll(l *broadcast.Log, d uint8, from, to uint64) (all []byte) {
	for from < to {
		s := l.Encode(d, from, to, "a")
		if l.Covers(d, from) {
			s = l.Segment(d, from, to)
		}
		all = append(append(all, s.A...), s.B...)
		from = s.End
	}
	return all
}

// TestBacklogAfterEviction reads what lies between what was evicted and where
// the dialect came into use.
func TestBacklogAfterEviction(t *testing.T) {
	l := filled(t, 64<<10, repeat(16, 1024-headSize)...)
	l.Use(1)
	for i := range 4 {
		appendTo(l, uint32(16+i), 1024-headSize)
	}
	l.Evict()
	l.Evict() // tail is 12
	checkLog(t, l)
	frames, err := parseAll(readAll(l, 1, 12, 20))
	if err != nil || len(frames) != 8 || frames[0].Position.Offset != 13 {
		t.Errorf("%d frames after eviction, %v", len(frames), err)
	}
}

// roomy is a dialect that reserves more than its frames take in the end.
type roomy struct{}

func (roomy) AppendMessage(dst []byte, m *broadcast.Message) []byte {
	start := len(dst)
	dst = plain{}.AppendMessage(append(dst, make([]byte, 10)...), m)
	return dst[:start+copy(dst[start:], dst[start+10:])]
}

// TestRoomyEncoder: a frame that would have fitted, but for what its encoder needed
// for a while, is not lost.
func TestRoomyEncoder(t *testing.T) {
	l := broadcast.NewLog(32<<10, roomy{})
	var want []byte
	for i := range uint32(2000) { // of all sizes, so that all kinds of ends of chunks are met
		m := broadcast.Message{Topic: "a", Payload: payload(i, 100+int(i%97))}
		l.Append(m)
		m.Position.Offset = uint64(i + 1)
		want = plain{}.AppendMessage(want, &m)
	}
	if got := readAll(l, 0, 0, 2000); !bytes.Equal(got, want) {
		t.Error("the log has something else than was appended")
	}
}
