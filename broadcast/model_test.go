package broadcast_test

import (
	"bytes"
	"encoding/binary"
	"math"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/pushd/pushd/broadcast"
)

// world is what a model test checks against: who was given which offset, and
// what happened at all. Every goroutine of the test shares it.
type world struct {
	t      testing.TB
	cfg    broadcast.Config
	hub    *broadcast.Hub
	topics []string
	failed atomic.Bool

	mu     sync.Mutex
	told   map[place]uint32 // what stood at each place according to a subscriber or a receipt
	acked  map[place]bool
	events map[string]int
}

// place is a place in one life of a topic.
type place struct {
	topic, epoch string
	offset       uint64
}

func newWorld(t testing.TB, cfg broadcast.Config, topics int) *world {
	w := &world{t: t, cfg: cfg, hub: broadcast.NewHub(cfg), told: map[place]uint32{}, acked: map[place]bool{}, events: map[string]int{}}
	for i := range topics {
		w.topics = append(w.topics, string(rune('a'+i)))
	}
	return w
}

func (w *world) failf(format string, args ...any) {
	if !w.failed.Swap(true) { // what follows the first mistake says little
		w.t.Errorf(format, args...)
	}
}

func (w *world) happened(what string) {
	w.mu.Lock()
	w.events[what]++
	w.mu.Unlock()
}

// saw notes that message id stands at p, by a receipt or in a frame.
func (w *world) saw(p place, id uint32, receipt bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if was, ok := w.told[p]; ok && was != id {
		w.failf("%v: message %x and message %x", p, was, id)
	}
	if receipt && w.acked[p] {
		w.failf("%v was given twice", p)
	}
	w.told[p] = id
	w.acked[p] = w.acked[p] || receipt
}

// checkReceipts checks that every offset up to a topic's last was given to a
// publisher, and that nobody was sent what was not acknowledged.
func (w *world) checkReceipts() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for p := range w.told {
		if !w.acked[p] {
			w.failf("%v was sent, but not acknowledged", p)
		}
		if before := (place{p.topic, p.epoch, p.offset - 1}); p.offset > 1 && !w.acked[before] {
			w.failf("%v was acknowledged, the one before was not", p)
		}
	}
}

// payload returns size bytes; from 4 on, only message id has them.
func payload(id uint32, size int) []byte {
	p := binary.BigEndian.AppendUint32(make([]byte, 0, max(size, 4)), id)
	for i := 4; i < size; i++ {
		p = append(p, byte(id)+byte(i))
	}
	return p[:size]
}

// member is what the model knows of one subscription.
type member struct {
	epoch  string
	next   uint64 // the offset it must be sent next
	live   uint64 // Live is due when all up to here was begun
	due    bool   // Live is
	isLost bool
}

// owner is the goroutine that owns a shard, with the model of its connections.
type owner struct {
	*world
	shard
	rng   *rand.Rand
	conns []*conn
	woken atomic.Bool
	more  bool
}

// conn is the model of the connection in one slot.
type conn struct {
	dialect uint8
	members map[string]*member
	begun   []place // frames that were begun and have not been received whole
	parsed  int     // how much of the socket's out has been
	endless bool    // blocks no more
	lost    bool    // a subscription of it is
}

func (w *world) newOwner(conns int, rng *rand.Rand) *owner {
	o := &owner{world: w, rng: rng}
	fw := newWriter(w.t, conns)
	o.shard = shard{w.hub.NewShard(fw, func() { o.woken.Store(true) }), fw}
	fw.onWrite, fw.onTell = o.checkWrite, o.checkTell
	for range conns {
		o.conns = append(o.conns, o.newConn())
	}
	return o
}

func (o *owner) newConn() *conn {
	return &conn{dialect: uint8(o.rng.IntN(4) / 3), members: map[string]*member{}}
}

// checkWrite holds a write against the model, having decided how much room
// there is, and notes the frames that it will begin.
func (o *owner) checkWrite(slot uint32, a, b []byte) {
	c, s := o.conns[slot], o.sockets[slot]
	if s.ended {
		return // it is up to date for ever
	}
	if s.room > math.MaxInt/2 && !c.endless && o.rng.IntN(12) == 0 {
		s.room = o.rng.IntN(len(a) + len(b) + 1)
	}
	frames, err := parseAll(append(bytes.Clone(a), b...))
	if err != nil {
		o.failf("slot %d: %v", slot, err)
		return
	}
	taken, at := min(s.room, len(a)+len(b)), 0
	if len(s.kept) > 0 {
		taken = 0
	}
	next := map[string]uint64{}
	for _, f := range frames {
		m := c.members[f.Topic]
		if m == nil || m.isLost {
			o.failf("slot %d: a frame of %s, subscribed to as %+v", slot, f.Topic, m)
			return
		}
		if _, ok := next[f.Topic]; !ok {
			next[f.Topic] = m.next
		}
		o.checkFrame(slot, m, f, next[f.Topic])
		if next[f.Topic]++; at < taken {
			m.next++
			c.begun = append(c.begun, place{f.Topic, m.epoch, f.Position.Offset})
		}
		at += frameSize(f, c.dialect)
	}
	if frames[0].Topic != frames[len(frames)-1].Topic {
		o.happened("write of several topics")
	}
	switch {
	case taken < at && taken > 0:
		o.happened("partial write")
	case taken == 0:
		o.happened("blocked write")
	case len(b) > 0:
		o.happened("write over two chunks")
	}
}

// checkFrame holds a frame of m's topic, which is to be that of next, against the model.
func (o *owner) checkFrame(slot uint32, m *member, f broadcast.Message, next uint64) {
	c := o.conns[slot]
	if f.Position.Offset != next || f.Previous.Offset != next-1 || c.dialect == 1 && f.Position.Epoch != m.epoch {
		o.failf("slot %d: sent %v of %s after %d, want %s:%d", slot, f.Position, f.Topic, f.Previous.Offset, m.epoch, next)
		return
	}
	if m.due && next > m.live {
		o.failf("slot %d: sent %s:%d before it was told that all up to %d had been", slot, f.Topic, next, m.live)
	}
	id := binary.BigEndian.Uint32(f.Payload)
	if !bytes.Equal(f.Payload, payload(id, len(f.Payload))) || c.dialect == 1 && (f.Key != keyOf(id) || f.Event != eventOf(id)) {
		o.failf("slot %d: %s:%d is not as it was published: %+v", slot, f.Topic, next, f)
	}
	o.saw(place{f.Topic, m.epoch, next}, id, false)
}

func keyOf(id uint32) string   { return "key"[:id%4] }
func eventOf(id uint32) string { return "event"[:id%6] }

func frameSize(m broadcast.Message, dialect uint8) int {
	if dialect == 0 {
		return headSize + len(m.Payload)
	}
	return headSize + 3 + len(m.Key) + len(m.Event) + len(m.Payload) + 12
}

func (o *owner) checkTell(slot uint32, topic string, n broadcast.Notice) {
	m := o.conns[slot].members[topic]
	switch {
	case m == nil || m.isLost:
		o.failf("slot %d: told %v about %s, subscribed to as %+v", slot, n, topic, m)
	case n.Kind == broadcast.Live:
		if !m.due || m.next != m.live+1 {
			o.failf("slot %d: told that %s is live: %+v", slot, topic, *m)
		}
		m.due = false
		o.happened("live")
	case n.Kind == broadcast.Lost:
		m.isLost, o.conns[slot].lost = true, true
		if info, ok := o.hub.Topic(topic); !ok || info.Oldest.Offset < m.next {
			o.failf("slot %d: told that %s:%d is lost, but it is held: %+v", slot, topic, m.next, info)
		}
		o.happened("lost")
	}
}

// checkStream checks that what the peer of slot has received is whole frames in
// the order in which they were begun, but for the last.
func (o *owner) checkStream(slot uint32) {
	c, s := o.conns[slot], o.sockets[slot]
	for c.parsed < len(s.out) {
		m, n := parse(s.out[c.parsed:])
		if n == 0 {
			break
		}
		if len(c.begun) == 0 || c.begun[0].topic != m.Topic || c.begun[0].offset != m.Position.Offset {
			o.failf("slot %d: received %s:%d, begun are %v", slot, m.Topic, m.Position.Offset, c.begun)
			return
		}
		c.begun, c.parsed = c.begun[1:], c.parsed+n
	}
	if whole := c.parsed == len(s.out) && len(s.kept) == 0; whole != (len(c.begun) == 0) || len(c.begun) > 1 {
		o.failf("slot %d: %d bytes are missing, begun but not received are %v", slot, len(s.kept), c.begun)
	}
}

// check holds the shard and all of its connections against the model.
func (o *owner) check() {
	if err := o.Check(); err != nil {
		o.failf("%v", err)
	}
	for slot, c := range o.conns {
		o.checkStream(uint32(slot))
		seen := map[string]bool{}
		o.Topics(o.sockets[slot].list, func(topic string, behind uint64) bool {
			cursor, _, _ := o.Cursor(topic, c.dialect)
			m := c.members[topic]
			if m == nil || seen[topic] || !m.isLost && behind > cursor {
				o.failf("slot %d: the shard has a subscription to %s, %d behind %d; the model %+v", slot, topic, behind, cursor, m)
			}
			seen[topic] = true
			return true
		})
		if n := o.Count(o.sockets[slot].list); n != len(c.members) || n != len(seen) {
			o.failf("slot %d: %d subscriptions, the model has %v", slot, n, c.members)
		}
	}
}

// settle unblocks everybody, works until there is nothing left, and checks that
// everybody was sent everything.
func (o *owner) settle() {
	for slot, c := range o.conns {
		c.endless = true
		o.unblock(uint32(slot), math.MaxInt)
	}
	for o.more = true; o.more; o.more = o.more || o.woken.Swap(false) {
		o.more = o.Work(future)
	}
	o.check()
	lost := 0
	for slot, c := range o.conns {
		if o.sockets[slot].ended {
			o.leave(uint32(slot))
			continue
		}
		for topic, m := range c.members {
			info, _ := o.hub.Topic(topic)
			switch {
			case m.isLost:
				lost++
			case m.due || m.next != info.Position.Offset+1 || m.epoch != info.Position.Epoch:
				o.failf("slot %d: %+v at the end, topic %+v", slot, *m, info)
			}
		}
	}
	if n := o.Stats().Lagging.Load(); n != int64(lost) {
		o.failf("%d lag at the end, %d have lost their place", n, lost)
	}
	for slot := range o.conns {
		o.leave(uint32(slot))
	}
	o.Work(future)
	if n := o.Stats().Subscriptions.Load(); n != 0 || o.Stats().Lagging.Load() != 0 {
		o.failf("%d subscriptions when all have left, %d lag", n, o.Stats().Lagging.Load())
	}
}

// finish checks the hub when everybody is gone.
func (w *world) finish() {
	w.checkReceipts()
	if err := w.hub.Check(); err != nil {
		w.failf("%v", err)
	}
	for _, info := range w.hub.Topics("", math.MaxInt) {
		if info.Subscribers != 0 {
			w.failf("%+v when all have left", info)
		}
	}
	w.hub.Sweep()
	if s := w.hub.Stats(); s.Topics != 0 || s.LogBytes != 0 || s.Waiting != 0 || int(s.Published) != len(w.acked) {
		w.failf("after the sweep: %+v, %d were acknowledged", s, len(w.acked))
	}
}
