package server

import (
	"sync"
	"sync/atomic"
)

// counts is what the server counts beyond what its parts do.
type counts struct {
	upgrades tally[string] // results of handshakes: "ok", or an error code
	closes   tally[uint16] // of WebSockets, by close code; 1006 for none
	queued   atomic.Int64  // publishes from the public door that wait for room
}

// tally counts by a key of few values.
type tally[K comparable] struct {
	mu sync.RWMutex
	m  map[K]*atomic.Uint64
}

func (t *tally[K]) add(key K) {
	t.mu.RLock()
	n := t.m[key]
	t.mu.RUnlock()
	if n == nil {
		t.mu.Lock()
		if n = t.m[key]; n == nil {
			if t.m == nil {
				t.m = make(map[K]*atomic.Uint64)
			}
			n = new(atomic.Uint64)
			t.m[key] = n
		}
		t.mu.Unlock()
	}
	n.Add(1)
}

// each calls f with each key and its count.
func (t *tally[K]) each(f func(key K, n uint64)) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	for k, n := range t.m {
		f(k, n.Load())
	}
}
