package broadcast_test

import (
	"bytes"
	"slices"
	"testing"

	"github.com/pushd/pushd/broadcast"
)

// filled returns a log with messages of these sizes, by plain and full.
func filled(t *testing.T, limit int, sizes ...int) *broadcast.Log {
	t.Helper()
	l := broadcast.NewLog(limit, both...)
	for i, size := range sizes {
		l.Append(broadcast.Message{Topic: "a", Epoch: "abcdefgh", Payload: payload(uint32(i), size), Key: keyOf(uint32(i)), Event: eventOf(uint32(i))})
	}
	checkLog(t, l)
	return l
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
		bytes int      // what they take
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
			if got := l.Lasts(0); !slices.Equal(got, test.lasts) || l.Memory() != test.bytes {
				t.Errorf("chunks end at %v and take %d bytes, want %v and %d", got, l.Memory(), test.lasts, test.bytes)
			}
			for o := range uint64(len(test.sizes)) {
				m := l.Message(o + 1)
				if i := uint32(o); m.Offset != o+1 || m.Previous != o || m.Key != keyOf(i) || m.Event != eventOf(i) ||
					!bytes.Equal(m.Payload, payload(i, test.sizes[o])) {
					t.Errorf("message %d: %+v", o+1, m)
				}
			}
		})
	}
}

func TestLogEvicts(t *testing.T) {
	l := filled(t, 64<<10, repeat(20, 1024-headSize)...) // chunks end at 4, 12, 20
	l.Use(1, 0, "a", "abcdefgh")
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
	l.Append(broadcast.Message{Topic: "a", Epoch: "abcdefgh", Payload: payload(7, 10)})
	checkLog(t, l)
	for d := range uint8(2) {
		if s := l.Segment(d, 20, 21); s.End != 21 {
			t.Errorf("dialect %d: nothing after the log was empty: %+v", d, s)
		}
	}
}

// TestLogBackfills brings a dialect into use at each offset, and then a second
// time at each earlier one.
func TestLogBackfills(t *testing.T) {
	const n = 12
	want := filled(t, 32<<10, repeat(n, 900)...)
	want.Use(1, 0, "a", "abcdefgh")
	for first := range uint64(n + 1) {
		for second := range first + 1 {
			l := filled(t, 32<<10, repeat(n-1, 900)...)
			before := l.Memory()
			grown := l.Use(1, min(first, n-1), "a", "abcdefgh")
			grown += l.Append(broadcast.Message{Topic: "a", Epoch: "abcdefgh", Payload: payload(n-1, 900), Key: keyOf(n - 1), Event: eventOf(n - 1)})
			grown += l.Use(1, second, "a", "abcdefgh")
			checkLog(t, l)
			if before+grown != l.Memory() {
				t.Fatalf("in use from %d, then %d: grew by %d, said %d", first, second, l.Memory()-before, grown)
			}
			if got, want := readAll(l, 1, second, n), readAll(want, 1, second, n); !bytes.Equal(got, want) {
				t.Fatalf("in use from %d, then %d: %d bytes, want %d", first, second, len(got), len(want))
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
}

// readAll returns what stands in (from, to], segment by segment.
func readAll(l *broadcast.Log, d uint8, from, to uint64) (all []byte) {
	for from < to {
		s := l.Segment(d, from, to)
		all = append(append(all, s.A...), s.B...)
		from = s.End
	}
	return all
}

// TestBackfillAfterEviction brings a dialect into use that begins within what
// was evicted.
func TestBackfillAfterEviction(t *testing.T) {
	l := filled(t, 64<<10, repeat(20, 1024-headSize)...)
	l.Use(1, 6, "a", "abcdefgh") // frames are larger: its chunks end elsewhere
	l.Evict()
	l.Evict() // tail is 12
	l.Use(1, 3, "a", "abcdefgh")
	checkLog(t, l)
	frames, err := parseAll(readAll(l, 1, 12, 20))
	if err != nil || len(frames) != 8 || frames[0].Offset != 13 {
		t.Errorf("%d frames after eviction, %v", len(frames), err)
	}
}
