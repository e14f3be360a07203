package main

import (
	"math/bits"
	"time"
)

// histogram counts durations by microseconds, in buckets that are at most a thirty-second of their value wide. The zero value
// is empty.
type histogram struct {
	counts [64 * 32]uint64
	total  uint64
	max    time.Duration
}

const fine = 32 // buckets to each power of two

func (h *histogram) add(d time.Duration) {
	d = max(d, 0)
	us := uint64(d / time.Microsecond)
	shift := max(0, bits.Len64(us)-6) // us>>shift is below 2*fine
	h.counts[shift*fine+int(us>>shift)]++
	h.total++
	h.max = max(h.max, d)
}

// quantile is the duration that the fraction q of all does not exceed, 0 if there is none.
func (h *histogram) quantile(q float64) time.Duration {
	left := uint64(q * float64(h.total))
	for i, n := range h.counts {
		if n > left {
			shift := max(0, i/fine-1)
			upper := time.Duration(i-shift*fine+1) << shift * time.Microsecond
			return min(upper, h.max)
		}
		left -= n
	}
	return h.max
}
