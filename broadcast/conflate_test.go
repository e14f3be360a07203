package broadcast_test

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/pushd/pushd/broadcast"
)

// history is what was published to a topic that conflates, by offset from 1.
type history struct {
	keys []string // of each message
	ids  map[uint32]uint64
	last map[string]uint64 // the newest message of each key
	gone map[string]bool   // it is a Delete
}

// follower is what is known of one subscription to a topic that conflates.
type follower struct {
	from     uint64            // what came after must be sent, for each key its newest
	got      map[string]uint64 // by key, the newest that was
	counts   map[string]int    // by key, how many were
	deleted  map[string]bool   // by key, whether the last was a Delete
	since    time.Duration
	began    time.Time // the hub's clock is the real one, set forward
	rate     float64
	retained bool
	told     int // of the socket's notices
	begins   int // in what the socket is sent: before it there may be the rest of a frame for another subscription
}

// ticker is a hub with topics that conflate, and those that follow them.
type ticker struct {
	t         *testing.T
	rng       *rand.Rand
	settings  map[string]broadcast.Settings
	hub       *broadcast.Hub
	shard     shard
	topics    map[string]*history
	followers []map[string]*follower // by slot, by topic
	dialects  []uint8
	parsed    []int
	now       time.Duration
	next      uint32
	events    map[string]int
}

func newTicker(t *testing.T, rng *rand.Rand, slots int) *ticker {
	x := &ticker{t: t, rng: rng, topics: map[string]*history{}, events: map[string]int{}}
	few := 1000
	if rng.IntN(2) == 0 {
		few = 20 // keys are forgotten
	}
	x.settings = map[string]broadcast.Settings{
		"a": {Slow: broadcast.Conflate, LogLimit: 8 << 10},
		"b": {Slow: broadcast.Conflate, LogLimit: 8 << 10, Retain: true, MaxRate: 50},
		"c": {Slow: broadcast.Conflate, LogLimit: 64 << 10, MaxKeys: few},
	}
	x.hub = broadcast.NewHub(broadcast.Config{Patience: -1, Encoders: both, Settings: func(topic string) broadcast.Settings { return x.settings[topic] }})
	x.shard = newShard(t, x.hub, slots)
	for topic := range x.settings {
		x.topics[topic] = &history{ids: map[uint32]uint64{}, last: map[string]uint64{}, gone: map[string]bool{}}
	}
	for range slots {
		x.followers = append(x.followers, map[string]*follower{})
		x.dialects = append(x.dialects, uint8(rng.IntN(2)))
		x.parsed = append(x.parsed, 0)
	}
	return x
}

// publish publishes the next value of a key, or deletes it.
func (x *ticker) publish(topic, key string) {
	x.next++
	h := x.topics[topic]
	m := broadcast.Message{Kind: broadcast.Binary, Key: key, Payload: payload(x.next, 4+x.rng.IntN(40))}
	if topic == "b" && h.last[key] > 0 && !h.gone[key] && x.rng.IntN(10) == 0 {
		m = broadcast.Message{Kind: broadcast.Delete, Key: key}
	}
	r, err := x.hub.TryPublish(topic, m)
	if err != nil {
		if err != broadcast.ErrNoRoom {
			x.t.Fatalf("publish to %s: %v", topic, err)
		}
		x.events["no room"]++
		return
	}
	h.keys = append(h.keys, key)
	if r.Position.Offset != uint64(len(h.keys)) {
		x.t.Fatalf("%s: message %d is at %d", topic, len(h.keys), r.Position.Offset)
	}
	h.ids[x.next], h.last[key], h.gone[key] = r.Position.Offset, r.Position.Offset, m.Kind == broadcast.Delete
}

// subscribe subscribes a slot that is not.
func (x *ticker) subscribe(slot uint32, topic string) {
	h := x.topics[topic]
	o := broadcast.Options{}
	if x.rng.IntN(3) == 0 {
		o.MaxRate = []float64{50, 20, 7}[x.rng.IntN(3)]
	}
	if info, ok := x.hub.Topic(topic); ok && x.rng.IntN(3) == 0 {
		p := info.Position
		p.Offset -= uint64(x.rng.IntN(min(len(h.keys), 200) + 1))
		o.Since = &p
	}
	r, err := x.shard.Subscribe(slot, &x.shard.sockets[slot].list, topic, x.dialects[slot], o)
	if err != nil {
		x.t.Fatal(err)
	}
	s := x.shard.sockets[slot]
	f := &follower{from: r.Position.Offset, got: map[string]uint64{}, counts: map[string]int{}, deleted: map[string]bool{}, since: x.now, began: time.Now(), rate: r.MaxRate, told: len(s.notices), begins: len(s.out) + len(s.kept)}
	switch {
	case r.Recovered:
		f.from = o.Since.Offset
		x.events["recovered"]++
	case o.Since != nil:
		x.events["not recovered"]++
	}
	if r.Retain {
		f.from, f.retained = 0, true
	}
	x.followers[slot][topic] = f
}

// gap reports whether the subscription was told that something is missing.
func (f *follower) gap(s *socket, topic string) bool {
	return slices.Contains(s.notices[f.told:], topic+" gap")
}

// check holds what slot has received against what was published.
func (x *ticker) check(slot uint32) {
	s := x.shard.sockets[slot]
	for x.parsed[slot] < len(s.out) {
		m, n := parse(s.out[x.parsed[slot]:])
		if n == 0 {
			return
		}
		x.parsed[slot] += n
		f, h := x.followers[slot][m.Topic], x.topics[m.Topic]
		if f == nil || x.parsed[slot] <= f.begins {
			continue // it has unsubscribed
		}
		key, v := m.Key, uint64(0)
		if len(m.Payload) >= 4 {
			v = h.ids[uint32(m.Payload[0])<<24|uint32(m.Payload[1])<<16|uint32(m.Payload[2])<<8|uint32(m.Payload[3])]
			key = h.keys[v-1]
		} else { // which of its deletions, nobody can say
			v = f.got[key]
		}
		f.deleted[key] = m.Kind == broadcast.Delete
		if v < f.got[key] {
			x.t.Fatalf("slot %d: %s %q went back from %d to %d", slot, m.Topic, key, f.got[key], v)
		}
		f.got[key] = v
		f.counts[key]++
		if most := 3 + int((x.now-f.since+time.Since(f.began)).Seconds()*f.rate); f.rate > 0 && f.counts[key] > most {
			x.t.Fatalf("slot %d: %s %q was sent %d times in %v at a rate of %v", slot, m.Topic, key, f.counts[key], x.now-f.since, f.rate)
		}
		if x.dialects[slot] == 1 && !m.Retained {
			x.checkPosition(slot, f, m)
		}
	}
}

// checkPosition: nothing at or below the position of what was just received is still to come.
func (x *ticker) checkPosition(slot uint32, f *follower, m broadcast.Message) {
	h := x.topics[m.Topic]
	if m.Topic == "b" || f.gap(x.shard.sockets[slot], m.Topic) {
		return // a deletion cannot be told from one before
	}
	seen := 0
	for v := m.Position.Offset; v > f.from && seen < 60; v-- { // the newest of each key below it, as far as they can be seen from here
		key := h.keys[v-1]
		if seen++; f.got[key] < v && h.last[key] == v { // or what is newer is to come
			x.t.Fatalf("slot %d: received up to %s:%d, but %q only up to %d, and not %d", slot, m.Topic, m.Position.Offset, key, f.got[key], v)
		}
	}
}

func TestConflation(t *testing.T) {
	total, runs := map[string]int{}, 0
	seeds(t, func(t *testing.T, seed uint64) {
		x := newTicker(t, rand.New(rand.NewPCG(seed, 3)), 40)
		x.run(3000)
		x.settle()
		for what, n := range x.events {
			total[what] += n
		}
		st := x.shard.Stats()
		total["conflated"] += int(st.Conflated.Load())
		total["gap"] += int(st.Gaps.Load())
		runs++
	})
	t.Log(runs, total)
	for _, what := range []string{"recovered", "not recovered", "conflated", "gap", "stall", "resume"} {
		if total[what] == 0 && runs > 10 && !t.Failed() {
			t.Errorf("it never came to %q: the test is not what it was", what)
		}
	}
}

func (x *ticker) run(steps int) {
	topics := []string{"a", "b", "c"}
	for range steps {
		slot, topic := uint32(x.rng.IntN(len(x.followers))), topics[x.rng.IntN(3)]
		s, f := x.shard.sockets[slot], x.followers[slot]
		switch n := x.rng.IntN(40); {
		case n < 12:
			for range 1 + x.rng.IntN(30) {
				key := fmt.Sprint("k", x.rng.IntN(50))
				if x.rng.IntN(2) == 0 {
					key = "hot"
				}
				x.publish(topic, key)
			}
		case n < 16:
			if f[topic] == nil {
				x.subscribe(slot, topic)
			}
		case n == 16:
			x.check(slot)
			if f[topic] != nil {
				x.shard.Unsubscribe(&s.list, topic)
				delete(f, topic)
			}
		case n < 20:
			if s.room > math.MaxInt/2 {
				s.room = x.rng.IntN(2000)
				x.events["stall"]++
			}
		case n < 23:
			x.events["resume"]++
			x.shard.unblock(slot, []int{x.rng.IntN(500), math.MaxInt}[x.rng.IntN(2)])
		case n < 26:
			d := time.Duration(x.rng.IntN(30)) * time.Millisecond
			x.now += d
			x.hub.Advance(d)
		default:
			x.shard.Work([]time.Time{past, future}[x.rng.IntN(2)])
			x.check(slot)
		}
		if x.rng.IntN(50) == 0 {
			if err := cmp.Or(x.shard.Check(), x.hub.Check()); err != nil {
				x.t.Fatal(err)
			}
		}
	}
}

// settle lets everybody read all there is, and checks that each has the newest value of each key.
func (x *ticker) settle() {
	for slot := range x.followers {
		x.shard.unblock(uint32(slot), math.MaxInt)
	}
	for range 50 {
		x.shard.work(future)
		x.now += 50 * time.Millisecond
		x.hub.Advance(50 * time.Millisecond)
	}
	if n := x.shard.Stats().Lagging.Load(); n != 0 {
		x.t.Fatalf("%d lag though they have read all", n)
	}
	for slot, topics := range x.followers {
		x.check(uint32(slot))
		for topic, f := range topics {
			h := x.topics[topic]
			for key, last := range h.last {
				switch {
				case last <= f.from || f.gap(x.shard.sockets[slot], topic):
				case f.retained && h.gone[key], x.dialects[slot] == 0 && h.gone[key]:
				case h.gone[key] && f.deleted[key]:
				case f.got[key] != last:
					x.t.Fatalf("slot %d: %s %q is at %d, received up to %d, from %d on", slot, topic, key, last, f.got[key], f.from)
				}
			}
		}
		x.shard.Leave(&x.shard.sockets[slot].list)
	}
	x.shard.work(future)
	if err := x.hub.Check(); err != nil {
		x.t.Fatal(err)
	}
}

// TestConflationBounds: whoever stops reading while each of 1,000 keys changes a hundred times is sent each once.
func TestConflationBounds(t *testing.T) {
	for _, keys := range []int{1, 1000} {
		h := broadcast.NewHub(broadcast.Config{Patience: -1, Encoders: both, Settings: func(string) broadcast.Settings { return broadcast.Settings{Slow: broadcast.Conflate} }})
		s := newShard(t, h, 2)
		s.subscribe(0, "a", 0, nil)
		s.subscribe(1, "a", 1, nil)
		s.sockets[0].room, s.sockets[1].room = 500, 500
		var last broadcast.Receipt
		for i := range 100_000 {
			r, err := h.TryPublish("a", broadcast.Message{Key: fmt.Sprint(i % keys), Payload: payload(uint32(i), 100)})
			if err != nil {
				t.Fatal(err)
			}
			if last = r; i%50 == 0 {
				s.Work(past)
			}
		}
		s.work(future)
		for slot := range uint32(2) {
			before, _ := parseAll(s.sockets[slot].out)
			s.unblock(slot, math.MaxInt)
			s.work(future)
			frames, err := parseAll(s.sockets[slot].out)
			if err != nil {
				t.Fatal(err)
			}
			if n := len(frames) - len(before); n < keys || n > keys+5 {
				t.Errorf("%d keys: %d messages", keys, n)
			}
			if got := frames[len(frames)-1].Position; got.Offset != last.Position.Offset {
				t.Errorf("%d keys: the last message carries %v, the topic is at %v", keys, got, last.Position)
			}
		}
		if n := s.Stats().Lagging.Load(); n != 0 {
			t.Errorf("%d lag", n)
		}
	}
}
