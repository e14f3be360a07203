package broadcast_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pushd/pushd/broadcast"
)

var (
	stress = flag.Duration("broadcast.stress", 2*time.Second, "how long the random tests take, together")
	seed   = flag.Uint64("broadcast.seed", 0, "seed of the first random test; 0: any")
)

// seeds calls f with one seed after the other for half of the stress time, and
// with at least one.
func seeds(t *testing.T, f func(t *testing.T, seed uint64)) {
	first := *seed
	if first == 0 {
		first = rand.Uint64()>>32 | 1
	}
	until := time.Now().Add(*stress / 2)
	s := first
	defer func() { // a Fatal leaves by here too
		if t.Failed() {
			t.Logf("to run it again: -broadcast.seed=%d", s)
		}
	}()
	for ; ; s++ {
		if f(t, s); t.Failed() || !time.Now().Before(until) {
			return
		}
	}
}

// someConfig returns limits so small that they are met.
func someConfig(rng *rand.Rand) broadcast.Config {
	cfg := broadcast.Config{Patience: -1, Encoders: both, ResumeWindow: 1}
	cfg.LogLimit = []int{4 << 10, 8 << 10, 40 << 10, 64 << 10}[rng.IntN(4)]
	cfg.MemoryLimit = []int64{1 << 30, 1 << 30, broadcast.MaxChunk + 64<<10}[rng.IntN(3)]
	cfg.MaxTopics = []int{2, 1 << 10}[rng.IntN(2)]
	return cfg
}

// TestRandomInTurns lets one goroutine play everybody, so that a seed that
// fails fails again.
func TestRandomInTurns(t *testing.T) {
	total, runs := map[string]int{}, 0
	seeds(t, func(t *testing.T, seed uint64) {
		rng := rand.New(rand.NewPCG(seed, 1))
		w := newWorld(t, someConfig(rng), 1+rng.IntN(3))
		owners := []*owner{w.newOwner(200, rng), w.newOwner(40, rng), w.newOwner(3, rng)}
		publishers := []*publisher{w.newPublisher(1, rng), w.newPublisher(2, rng)}
		for range 4000 {
			if w.failed.Load() {
				return
			}
			if rng.IntN(3) == 0 {
				publishers[rng.IntN(2)].step()
			} else {
				owners[rng.IntN(3)].step()
			}
			if rng.IntN(500) == 0 {
				w.hub.Sweep()
			}
			if rng.IntN(80) == 0 {
				if err := w.hub.Check(); err != nil {
					w.failf("%v", err)
				}
				owners[rng.IntN(3)].check()
			}
		}
		for _, p := range publishers {
			p.batch.Flush()
		}
		for _, o := range owners {
			o.settle()
		}
		w.finish()
		runs++
		for what, n := range w.events {
			total[what] += n
		}
	})
	t.Log(runs, total)
	for _, what := range []string{"lost", "live", "partial write", "blocked write", "write over two chunks", "no room",
		"too large", "recovered", "not recovered", "since beyond the cursor", "left in a pass", "joined in a pass"} {
		if total[what] == 0 && runs > 10 && !t.Failed() {
			t.Errorf("it never came to %q: the test is not what it was", what)
		}
	}
}

// TestRandomAtOnce gives each shard and each publisher a goroutine of its own.
func TestRandomAtOnce(t *testing.T) {
	seeds(t, func(t *testing.T, seed uint64) {
		w := newWorld(t, someConfig(rand.New(rand.NewPCG(seed, 2))), 3)
		var publishing, owning sync.WaitGroup
		var over atomic.Bool
		for i := range 3 {
			owning.Go(func() {
				o := w.newOwner(100, rand.New(rand.NewPCG(seed, 10+uint64(i))))
				for !over.Load() {
					o.step()
					if o.rng.IntN(50) == 0 {
						o.check()
						runtime.Gosched()
					}
				}
				o.settle()
			})
		}
		for i := range 4 {
			publishing.Go(func() {
				p := w.newPublisher(uint32(i+1), rand.New(rand.NewPCG(seed, 20+uint64(i))))
				p.patience = time.Millisecond
				for range 400 {
					if p.step(); p.rng.IntN(100) == 0 {
						w.hub.Sweep()
					}
				}
				p.batch.Flush()
			})
		}
		publishing.Wait()
		over.Store(true)
		owning.Wait()
		w.finish()
	})
}

// publisher is one of those that publish.
type publisher struct {
	*world
	rng      *rand.Rand
	batch    *broadcast.Batch
	id       uint32
	patience time.Duration // how long it waits for room; 0: its context has ended
}

func (w *world) newPublisher(number uint32, rng *rand.Rand) *publisher {
	return &publisher{world: w, rng: rng, batch: w.hub.Batch(), id: number << 24}
}

// step publishes one message, or tells of those published before.
func (p *publisher) step() {
	p.id++
	topic, size := p.topics[p.rng.IntN(len(p.topics))], 4+p.rng.IntN(60)
	if p.rng.IntN(8) == 0 {
		size += p.rng.IntN(p.cfg.LogLimit/4 + 10)
	}
	m := broadcast.Message{Payload: payload(p.id, size), Key: keyOf(p.id), Event: eventOf(p.id)}
	ctx, cancel := context.WithTimeout(context.Background(), p.patience)
	defer cancel()
	var r broadcast.Receipt
	var err error
	switch p.rng.IntN(5) {
	case 0:
		p.batch.Flush()
		return
	case 1:
		r, err = p.hub.TryPublish(topic, m)
	case 2:
		r, err = p.hub.Publish(ctx, topic, m)
	default:
		r, err = p.batch.Publish(ctx, topic, m)
	}
	clear(m.Payload) // it was copied
	large := size+len(m.Key)+len(m.Event)+10+64 > p.cfg.LogLimit/4
	switch {
	case errors.Is(err, broadcast.ErrNoRoom):
		p.happened("no room")
	case errors.Is(err, broadcast.ErrTooManyTopics) && p.cfg.MaxTopics < len(p.topics):
	case errors.Is(err, broadcast.ErrTooLarge) != large:
		p.failf("publishing %d bytes with a log limit of %d: %v", size, p.cfg.LogLimit, err)
	case large:
		p.happened("too large")
	case err != nil:
		p.failf("publishing to %s: %v", topic, err)
	default:
		p.saw(place{topic, r.Position.Epoch, r.Position.Offset}, p.id, true)
	}
}

// step does one of the things that an owner does.
func (o *owner) step() {
	slot := uint32(o.rng.IntN(len(o.conns)))
	topic := o.topics[o.rng.IntN(1+o.rng.IntN(len(o.topics)))] // the first has the most
	c, s := o.conns[slot], o.sockets[slot]
	switch o.rng.IntN(16) {
	case 0, 1, 2, 3:
		o.subscribe(slot, topic)
	case 4:
		_, had := c.members[topic]
		o.countPass(topic, c.dialect, had, "left in a pass")
		delete(c.members, topic)
		if o.Unsubscribe(&s.list, topic) != had {
			o.failf("slot %d: unsubscribed from %s: %t", slot, topic, !had)
		}
	case 5:
		if o.rng.IntN(8) == 0 || s.ended {
			o.leave(slot)
		}
	case 6:
		if o.rng.IntN(20) == 0 {
			s.ended = true
		}
	case 7, 8:
		for slot, s := range o.sockets {
			if s.blocked && o.rng.IntN(16) == 0 {
				o.unblock(uint32(slot), []int{o.rng.IntN(100), math.MaxInt}[o.rng.IntN(2)])
				o.more = true
			}
		}
		for slot, c := range o.conns {
			if c.lost && o.rng.IntN(16) == 0 {
				o.leave(uint32(slot)) // the policy
			}
		}
	case 9:
		o.Writable(s.list) // more often than it must be
		o.more = true
	default:
		if o.woken.Swap(false) || o.more {
			o.more = o.Work([]time.Time{past, past, past, future}[o.rng.IntN(4)])
		}
	}
}

// leave ends the connection in slot, and begins another.
func (o *owner) leave(slot uint32) {
	for topic := range o.conns[slot].members {
		o.countPass(topic, o.conns[slot].dialect, true, "left in a pass")
	}
	o.Leave(&o.sockets[slot].list)
	if o.sockets[slot].list != 0 {
		o.failf("slot %d: its list is %d after it left", slot, o.sockets[slot].list)
	}
	o.conns[slot], o.sockets[slot] = o.newConn(), &socket{room: math.MaxInt}
	o.more = true // nobody wakes the owner for what it did itself
}

func (o *owner) countPass(topic string, dialect uint8, is bool, what string) {
	if _, passing, _ := o.Cursor(topic, dialect); is && passing {
		o.happened(what)
	}
}

// someSince returns a position in topic: held, evicted, of the future, of
// another life, or nil.
func (o *owner) someSince(info broadcast.TopicInfo) *broadcast.Position {
	p := info.Position
	switch o.rng.IntN(8) {
	case 0, 1:
		p.Offset -= uint64(o.rng.IntN(int(p.Offset-info.Oldest.Offset) + 1))
	case 2:
	case 3:
		p.Offset = info.Oldest.Offset - min(1, info.Oldest.Offset)
	case 4:
		p.Offset += uint64(o.rng.IntN(3))
	case 5:
		p.Epoch = "another"
	default:
		return nil
	}
	return &p
}

func (o *owner) subscribe(slot uint32, topic string) {
	c, s := o.conns[slot], o.sockets[slot]
	if s.ended {
		return
	}
	info, _ := o.hub.Topic(topic)
	since := o.someSince(info)
	o.countPass(topic, c.dialect, c.members[topic] == nil, "joined in a pass")
	r, err := o.Subscribe(slot, &s.list, topic, c.dialect, broadcast.Options{Since: since})
	switch _, have := c.members[topic]; {
	case have:
		if !errors.Is(err, broadcast.ErrAlready) {
			o.failf("slot %d: subscribed to %s twice: %v", slot, topic, err)
		}
		return
	case errors.Is(err, broadcast.ErrTooManyTopics) && o.cfg.MaxTopics < len(o.topics):
		return
	case err != nil:
		o.failf("slot %d: subscribe to %s: %v", slot, topic, err)
		return
	}
	cursor, _, _ := o.Cursor(topic, c.dialect)
	m := &member{epoch: r.Position.Epoch, next: r.Position.Offset + 1}
	c.members[topic] = m
	after, _ := o.hub.Topic(topic)
	if err := checkSubscribed(r, since, info, after, cursor); err != nil {
		o.failf("slot %d: subscribed to %s: %v", slot, topic, err)
	}
	if !r.Recovered {
		if since != nil {
			o.happened("not recovered")
		}
		return
	}
	m.next, m.due, m.live = since.Offset+1, true, r.Position.Offset
	o.happened("recovered")
	if since.Offset > cursor {
		o.happened("since beyond the cursor")
	}
	o.more = true
}

// checkSubscribed checks a reply against what the topic was before and after:
// it may have moved meanwhile.
func checkSubscribed(r broadcast.Subscribed, since *broadcast.Position, before, after broadcast.TopicInfo, cursor uint64) error {
	must := since != nil && since.Epoch == after.Position.Epoch && since.Offset >= after.Oldest.Offset && since.Offset <= before.Position.Offset
	may := since != nil && since.Epoch == after.Position.Epoch && since.Offset >= before.Oldest.Offset && since.Offset <= after.Position.Offset
	switch {
	case must && !r.Recovered, r.Recovered && !may:
		return fmt.Errorf("recovered is %t, since %v, before %+v, after %+v", r.Recovered, since, before, after)
	case r.Position.Epoch != after.Position.Epoch:
		return fmt.Errorf("position %v, epoch is %s", r.Position, after.Position.Epoch)
	case r.Recovered && r.Position.Offset != max(cursor, since.Offset), !r.Recovered && r.Position.Offset != cursor:
		return fmt.Errorf("position %v, cursor %d, since %v", r.Position, cursor, since)
	case since != nil && !r.Recovered && (r.History.Epoch != r.Position.Epoch || r.History.Offset > after.Oldest.Offset):
		return fmt.Errorf("history %v, topic %+v", r.History, after)
	case (since == nil || r.Recovered) && r.History != (broadcast.Position{}):
		return fmt.Errorf("history %v where none was missing", r.History)
	}
	return nil
}
