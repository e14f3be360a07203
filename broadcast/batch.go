package broadcast

import (
	"context"
	"fmt"
	"time"
)

// Batch publishes many messages and tells the audiences once, at Flush, so that
// a burst goes out in few writes. A batch belongs to one goroutine.
type Batch struct {
	hub     *Hub
	touched []*topic // those that have not been told yet
}

// maxTouched bounds the topics a batch may leave untold, and the search for one.
const maxTouched = 16

// Batch returns an empty batch.
func (h *Hub) Batch() *Batch { return &Batch{hub: h} }

// Publish appends m to the topic's log, as Hub.Publish does, but leaves the
// telling to Flush. Before it waits for room it flushes.
func (b *Batch) Publish(ctx context.Context, name string, m Message) (Receipt, error) {
	for {
		t, r, err := b.hub.append(name, &m, false)
		switch {
		case err == nil:
			t.mu.Unlock()
			b.touch(t)
			return r, nil
		case err != ErrNoRoom:
			if t != nil {
				t.mu.Unlock()
			}
			return r, err
		}
		var room <-chan struct{} // nil where the limit over all topics was met: nobody tells when that ends
		if t != nil {
			room = t.waitLocked()
			t.mu.Unlock()
		}
		b.Flush()
		if err := b.hub.waitForRoom(ctx, room); err != nil {
			return Receipt{}, err
		}
	}
}

func (h *Hub) waitForRoom(ctx context.Context, room <-chan struct{}) error {
	defer h.waiting.Add(-1)
	if h.waiting.Add(1) > int64(h.cfg.MaxWaiting) {
		return fmt.Errorf("%w, and %d publishers wait already", ErrNoRoom, h.cfg.MaxWaiting)
	}
	look := time.NewTimer(20 * time.Millisecond)
	defer look.Stop()
	select {
	case <-room:
	case <-look.C:
	case <-ctx.Done():
		return fmt.Errorf("%w: %w", ErrNoRoom, context.Cause(ctx))
	}
	return nil
}

func (b *Batch) touch(t *topic) {
	for _, u := range b.touched {
		if u == t {
			return
		}
	}
	if len(b.touched) == maxTouched {
		b.Flush()
	}
	b.touched = append(b.touched, t)
}

// Flush tells the audiences of everything published since the last one.
func (b *Batch) Flush() {
	for i, t := range b.touched {
		t.mu.Lock()
		t.markLocked()
		t.mu.Unlock()
		b.touched[i] = nil
	}
	b.touched = b.touched[:0]
}
