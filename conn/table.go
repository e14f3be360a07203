package conn

import (
	"sync"
	"sync/atomic"
)

const (
	chunkSlots = 1024
	maxChunks  = maxSlots / chunkSlots
)

// tableChunk is 1,024 slots. The times at which something is due stand beside
// them, so that the sweep reads four bytes a connection in sequence.
type tableChunk struct {
	conns [chunkSlots]Conn
	due   [chunkSlots]atomic.Uint32 // in ticks; 0: never
}

// table holds a shard's slots. Chunks are added and stay; a slot never moves.
type table struct {
	chunks [maxChunks]atomic.Pointer[tableChunk]
	used   atomic.Uint32 // how many slots were ever used

	mu   sync.Mutex
	free []uint32
}

func (t *table) at(slot uint32) *Conn {
	return &t.chunks[slot/chunkSlots].Load().conns[slot%chunkSlots]
}

func (t *table) due(slot uint32) *atomic.Uint32 {
	return &t.chunks[slot/chunkSlots].Load().due[slot%chunkSlots]
}

// alloc returns a slot that nobody has, or nil when all are taken.
func (t *table) alloc() *Conn {
	t.mu.Lock()
	defer t.mu.Unlock()
	if n := len(t.free); n > 0 {
		slot := t.free[n-1]
		t.free = t.free[:n-1]
		return t.at(slot)
	}
	slot := t.used.Load()
	if slot == maxSlots {
		return nil
	}
	if slot%chunkSlots == 0 {
		t.chunks[slot/chunkSlots].Store(new(tableChunk))
	}
	c := t.at(slot)
	c.slot = slot
	t.used.Store(slot + 1)
	return c
}

func (t *table) release(slot uint32) {
	t.mu.Lock()
	t.free = append(t.free, slot)
	t.mu.Unlock()
}

// resolve returns the connection that a handle names, or nil. Only the shard's
// goroutine may use the result.
func (t *table) resolve(h Handle) *Conn {
	if h.slot() >= t.used.Load() {
		return nil
	}
	c := t.at(h.slot())
	if w := word(c.word.Load()); !w.has(live) || w.any(ended|done) || w.generation() != h.generation() {
		return nil
	}
	return c
}
