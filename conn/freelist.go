package conn

import "sync"

// freeList keeps objects for use again. Unlike a sync.Pool the collector does
// not empty it, so that the promise of no allocation holds.
type freeList[T any] struct {
	mu    sync.Mutex
	items []*T
	max   int
}

func (l *freeList[T]) get() *T {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := len(l.items)
	if n == 0 {
		return new(T)
	}
	x := l.items[n-1]
	l.items[n-1] = nil
	l.items = l.items[:n-1]
	return x
}

func (l *freeList[T]) put(x *T) {
	l.mu.Lock()
	if len(l.items) < l.max {
		l.items = append(l.items, x)
	}
	l.mu.Unlock()
}
