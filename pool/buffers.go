package pool

import (
	"math/bits"
	"sync"
)

// The size classes are the powers of two from minClass to maxClass.
const (
	minClassBits = 6  // 64 B: what a slow peer has sent of a request, as a rule
	maxClassBits = 20 // 1 MiB: more is rare, and too much to keep
	classes      = maxClassBits - minClassBits + 1

	defaultMaxIdle = 16 << 20
)

// BuffersConfig bounds a Buffers. The zero value is useful.
type BuffersConfig struct {
	MaxIdleBytes int // kept for reuse at most, in all classes together; 0: 16 MiB; negative: nothing is kept
}

// Buffers lends byte slices and keeps what is given back, by size class. It is a stack a class under one lock and not a
// sync.Pool, which every second collection empties, so that what follows allocates. NewBuffers makes one.
type Buffers struct {
	maxIdle int

	mu    sync.Mutex
	idle  [classes][][]byte // the last one given back is the first one lent: it is still in the cache
	stats BuffersStats
}

// BuffersStats counts bytes by capacity. InUse is exact as long as every buffer lent comes back as it was.
type BuffersStats struct {
	InUse int // lent and not given back
	Idle  int // kept for reuse
}

// NewBuffers returns a Buffers that keeps nothing yet.
func NewBuffers(cfg BuffersConfig) *Buffers {
	b := &Buffers{maxIdle: cfg.MaxIdleBytes}
	if b.maxIdle == 0 {
		b.maxIdle = defaultMaxIdle
	}
	return b
}

// Get lends a buffer of length 0 and a capacity of at least n bytes; what lies beyond the length is arbitrary. It is the
// caller's until Put, or for good. More than 1 MiB is made to measure.
func (b *Buffers) Get(n int) []byte {
	class := classFor(n)
	if class >= classes {
		p := make([]byte, 0, n)
		b.mu.Lock()
		b.stats.InUse += cap(p)
		b.mu.Unlock()
		return p
	}
	size := 1 << (minClassBits + class)
	p := b.take(class, size)
	if p == nil {
		return make([]byte, 0, size)
	}
	checkIdle(p)
	return p
}

// take counts a buffer of class as lent, and returns nil when there is none to lend, so that it is made outside the lock.
func (b *Buffers) take(class, size int) []byte {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.stats.InUse += size
	stack := b.idle[class]
	if len(stack) == 0 {
		return nil
	}
	last := len(stack) - 1
	p := stack[last]
	stack[last] = nil
	b.idle[class] = stack[:last]
	b.stats.Idle -= size
	return p
}

// Put takes back what Get lent, at any length but from its first byte on; the caller must not use it any more. What is not
// of a class's size, which is what append may have made of it, and what exceeds MaxIdleBytes is left to the collector.
// Put(nil) does nothing.
func (b *Buffers) Put(p []byte) {
	size := cap(p)
	class := classFor(size)
	if class < classes && size != 1<<(minClassBits+class) {
		return
	}
	p = p[:0]
	b.mu.Lock()
	defer b.mu.Unlock()
	if class < classes {
		checkReturned(p, b.idle[class])
	}
	b.stats.InUse -= size
	if class >= classes || b.stats.Idle+size > b.maxIdle {
		return
	}
	b.idle[class] = append(b.idle[class], p)
	b.stats.Idle += size
}

// Stats returns the byte counts as they are now.
func (b *Buffers) Stats() BuffersStats {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.stats
}

// classFor returns the smallest class that holds n bytes, or classes when none does.
func classFor(n int) int {
	if n <= 1<<minClassBits {
		return 0
	}
	return min(bits.Len(uint(n-1))-minClassBits, classes)
}
