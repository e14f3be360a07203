package server

import (
	"sync"
	"sync/atomic"
)

// counts is what the server counts beyond what its parts do.
type counts struct {
	upgrades  tally        // results of handshakes: "ok", or an error code
	closes    tally        // of WebSockets, by closeLabel
	badTokens tally        // by auth.Reason
	queued    atomic.Int64 // publishes from the public door that wait for room
}

// tally counts by a key of few values.
type tally struct {
	mu sync.RWMutex
	m  map[string]*atomic.Uint64
}

func (t *tally) add(key string) {
	t.mu.RLock()
	n := t.m[key]
	t.mu.RUnlock()
	if n == nil {
		t.mu.Lock()
		if n = t.m[key]; n == nil {
			if t.m == nil {
				t.m = make(map[string]*atomic.Uint64)
			}
			n = new(atomic.Uint64)
			t.m[key] = n
		}
		t.mu.Unlock()
	}
	n.Add(1)
}

// each calls f with each key and its count.
func (t *tally) each(f func(key string, n uint64)) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	for k, n := range t.m {
		f(k, n.Load())
	}
}
