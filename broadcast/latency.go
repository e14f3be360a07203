package broadcast

import (
	"math/bits"
	"sync/atomic"
)

// Latency is a histogram of nanoseconds from publish to written, in buckets
// that double. It is observed once for all that a pass writes in one turn, by
// the age of the oldest message in it, so it never shows less than the truth.
type Latency struct {
	counts [latencyBuckets]atomic.Uint64
	sum    atomic.Uint64
}

const (
	latencyBuckets = 20
	latencyFirst   = 16 // the first bucket ends at 2^16 ns, about 66 us; the last but one at 17 s
)

func (h *Latency) observe(ns int64, n uint64) {
	if n == 0 {
		return
	}
	ns = max(ns, 0)
	i := min(max(bits.Len64(uint64(ns))-latencyFirst, 0), latencyBuckets-1)
	h.counts[i].Add(n)
	h.sum.Add(uint64(ns) * n)
}

// Read returns how many were at most each bound, in seconds and not counting
// those above the highest, with the count and the sum in seconds of all.
func (h *Latency) Read() (upTo map[float64]uint64, count uint64, sum float64) {
	upTo = make(map[float64]uint64, latencyBuckets-1)
	for i := range h.counts {
		count += h.counts[i].Load()
		if i < latencyBuckets-1 {
			upTo[float64(uint64(1)<<(latencyFirst+i))/1e9] = count
		}
	}
	return upTo, count, float64(h.sum.Load()) / 1e9
}
