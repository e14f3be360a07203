package broadcast_test

import (
	"bytes"
	"slices"
	"testing"
)

// TestSegmentSplit stops a write of every segment of a log, in each dialect, at
// every byte, and compares with a walk over the frames.
func TestSegmentSplit(t *testing.T) {
	sizes := []int{0, 1, 40, 4000, 7, 9000, 12, 3}
	l := filledTwice(t, 1<<20, sizes...)
	for d := range uint8(2) {
		for start := range uint64(len(sizes)) {
			for limit := start + 1; limit <= uint64(len(sizes)); limit++ {
				s := l.Segment(d, start, limit)
				all := slices.Concat(s.A, s.B)
				var ends []int
				for at := 0; at < len(all); at = ends[len(ends)-1] {
					m, n := parse(all[at:])
					if n == 0 || m.Position.Offset != start+uint64(len(ends))+1 {
						t.Fatalf("dialect %d (%d, %d]: offset %d and %d bytes at %d", d, start, limit, m.Position.Offset, n, at)
					}
					ends = append(ends, at+n)
				}
				if s.Start != start || s.End != start+uint64(len(ends)) || s.End > limit {
					t.Fatalf("dialect %d (%d, %d]: is (%d, %d] and holds %d", d, start, limit, s.Start, s.End, len(ends))
				}
				for n := range len(all) + 1 {
					begun, end := start, 0 // by the book
					for end < n {
						end = ends[begun-start]
						begun++
					}
					got, rest := s.Split(n)
					if got != begun || !bytes.Equal(rest, all[n:max(n, end)]) {
						t.Fatalf("dialect %d (%d, %d] at byte %d of %d: begun %d with %d to go, want %d with %d",
							d, start, limit, n, len(all), got, len(rest), begun, end-n)
					}
				}
			}
		}
	}
}

// TestSegmentEnds reads with limits before, at and behind the places where
// chunks meet.
func TestSegmentEnds(t *testing.T) {
	l := filled(t, 64<<10, repeat(20, 1024-headSize)...) // chunks end at 4, 12, 20
	tests := []struct {
		name              string
		start, limit, end uint64
		parts             int
	}{
		{"nothing", 20, 20, 20, 0},
		{"beyond", 20, 19, 20, 0},
		{"within a chunk", 1, 3, 3, 1},
		{"up to where it ends", 1, 4, 4, 1},
		{"one beyond", 1, 5, 5, 2},
		{"from where it ends", 4, 5, 5, 1},
		{"over two, and no more", 0, 20, 12, 2},
		{"the last two", 4, 20, 20, 2},
		{"the last message", 19, 20, 20, 1},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := l.Segment(0, test.start, test.limit)
			parts := min(1, len(s.A)) + min(1, len(s.B))
			if s.End != test.end || parts != test.parts {
				t.Errorf("(%d, %d] ends at %d in %d parts, want %d in %d", test.start, test.limit, s.End, parts, test.end, test.parts)
			}
		})
	}
}

// TestSegmentStays checks that a segment is what it was when the log goes on.
func TestSegmentStays(t *testing.T) {
	l := filled(t, 64<<10, repeat(6, 1000)...)
	s := l.Segment(0, 2, 6)
	before := slices.Concat(s.A, s.B)
	fill := func() {
		for i := range uint32(8) {
			l.Append(message("a", payload(100+i, 1000)))
		}
	}
	fill()
	l.Evict()
	fill()
	if !bytes.Equal(before, slices.Concat(s.A, s.B)) {
		t.Error("its bytes have changed")
	}
	if cap(s.A) != len(s.A) || cap(s.B) != len(s.B) {
		t.Error("who appends to it would write into the log")
	}
}
