package server

import (
	"context"
	"time"

	"github.com/pushd/pushd/conn"
	"github.com/pushd/pushd/internal/dialect"
)

const (
	// visitSlots is how many slots a shard looks at in one go, between which
	// it has time for other things.
	visitSlots = 256
	// visitTimeout is how long a shard may take to come round: one that has
	// ended never does.
	visitTimeout = 5 * time.Second
)

// visit calls f on the shard's goroutine and waits until it has returned. f may
// still be called after an error, which is a *dialect.Error: nobody may use
// what it writes.
func visit(ctx context.Context, shard *conn.Shard, f func()) error {
	done := make(chan struct{})
	shard.Do(func() {
		defer close(done)
		if ctx.Err() == nil {
			f()
		}
	})
	late := time.NewTimer(visitTimeout)
	defer late.Stop()
	select {
	case <-done:
		if ctx.Err() == nil {
			return nil
		}
	case <-ctx.Done():
	case <-late.C:
	}
	return &dialect.Error{Code: dialect.CodeOverloaded, Message: "a shard did not come round in time"}
}

// which says which connections are asked for; what is "" does not matter.
type which struct{ topic, user string }

// eachConnection calls f, on the shards' goroutines, with each open connection
// behind after (nil for all) that is one of which, in the order of shard and
// slot, until f returns false. f may not be slow.
func (s *Server) eachConnection(ctx context.Context, w which, after *conn.Handle, f func(connInfo) bool) error {
	first, from := 0, uint32(0)
	if after != nil {
		first, from = after.Shard(), slotOf(*after)+1
	}
	for shard := first; shard < len(s.owners); shard++ {
		o, more, stopped := s.owners[shard], true, false
		for more && !stopped {
			err := visit(ctx, o.shard, func() {
				from, more = o.inspect(from, visitSlots, func(i connInfo) {
					if !stopped && (w.user == "" || w.user == i.User) && (w.topic == "" || o.subscribed(i, w.topic)) {
						stopped = !f(i)
					}
				})
			})
			if err != nil {
				return err
			}
		}
		if stopped {
			break
		}
		from = 0
	}
	return nil
}

// slotOf returns the slot in a handle: its low 24 bits.
func slotOf(h conn.Handle) uint32 { return uint32(h) & (1<<24 - 1) }

// subscribed reports whether a connection is subscribed to topic. It is called
// on the shard's goroutine, within inspect.
func (o *owner) subscribed(i connInfo, topic string) (found bool) {
	if c := o.shard.Conn(i.Handle); c != nil {
		o.audience.Topics(*list(c), func(name string, _ uint64) bool {
			found = name == topic
			return !found
		})
	}
	return found
}
