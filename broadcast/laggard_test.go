package broadcast_test

import (
	"errors"
	"math"
	"slices"
	"testing"

	"github.com/pushd/pushd/broadcast"
)

// TestBlockedAtEveryByte blocks a member after each byte of a pass of three
// messages, and lets it go on after each further one.
func TestBlockedAtEveryByte(t *testing.T) {
	const frame = headSize + 4
	for first := range 3 * frame {
		for second := 1; second <= 3*frame-first; second++ {
			h := broadcast.NewHub(broadcast.Config{Patience: -1, Encoders: both})
			s := newShard(t, h, 2)
			s.subscribe(0, "a", 0, nil)
			s.subscribe(1, "a", 0, nil)
			s.sockets[0].room = first
			publish(t, h, "a", 3, 4)
			s.work(past)
			if n := s.Stats().Lagging.Load(); n != 1 {
				t.Fatalf("%d lag", n)
			}
			publish(t, h, "a", 1, 4)
			s.unblock(0, second)
			s.work(past)
			s.unblock(0, math.MaxInt)
			s.work(past)
			if s.expect(0, 2, 1, 2, 3, 4); s.Stats().Lagging.Load() != 0 || t.Failed() {
				t.Fatalf("blocked after %d bytes, and after %d more; %d lag", first, second, s.Stats().Lagging.Load())
			}
		}
	}
}

// TestBlockedWithAllTaken: a writer may say Blocked of what it took all of.
// There is nothing to keep then.
func TestBlockedWithAllTaken(t *testing.T) {
	for _, test := range []struct {
		name string
		n    int // bytes taken, of two frames
		want uint64
	}{{"at the end", 2 * (headSize + 4), 2}, {"between frames", headSize + 4, 1}, {"of nothing", 0, 0}} {
		t.Run(test.name, func(t *testing.T) {
			h := broadcast.NewHub(broadcast.Config{Patience: -1, Encoders: both})
			w := &stopper{t: t, n: test.n}
			s := h.NewShard(w, func() {})
			var list broadcast.List
			if _, err := s.Subscribe(0, &list, "a", 0, broadcast.Options{}); err != nil {
				t.Fatal(err)
			}
			publish(t, h, "a", 2, 4)
			s.Work(future)
			if n := s.Stats().Deliveries.Load(); n != test.want || s.Stats().Lagging.Load() != 1 {
				t.Errorf("%d were begun, want %d; %d lag", n, test.want, s.Stats().Lagging.Load())
			}
			w.n = math.MaxInt
			s.Writable(list)
			s.Work(future)
			if n := s.Stats().Deliveries.Load(); n != 2 || s.Stats().Lagging.Load() != 0 {
				t.Errorf("%d were begun in the end; %d lag", n, s.Stats().Lagging.Load())
			}
		})
	}
}

// stopper takes n bytes and is Blocked then, even where that was all.
type stopper struct {
	t *testing.T
	n int
}

func (w *stopper) Write(_ uint32, a, b []byte) (int, broadcast.Outcome) {
	if all := len(a) + len(b); w.n > all {
		return all, broadcast.Sent
	}
	return w.n, broadcast.Blocked
}

func (w *stopper) Keep(_ uint32, rest []byte) { w.t.Errorf("to keep %d bytes", len(rest)) }

func (w *stopper) Tell(_ uint32, topic string, n broadcast.Notice) {
	w.t.Errorf("told %v about %s", n, topic)
}

// TestOwnOutputFirst: a connection with own output takes no part in a pass, of
// any topic (B8).
func TestOwnOutputFirst(t *testing.T) {
	h := broadcast.NewHub(broadcast.Config{Patience: -1, Encoders: both})
	s := newShard(t, h, 1)
	s.subscribe(0, "a", 0, nil)
	s.subscribe(0, "b", 0, nil)
	s.sockets[0].room = 5
	publish(t, h, "a", 1, 10)
	s.work(past)
	publish(t, h, "b", 1, 10)
	s.work(past)
	if n := s.Stats().Lagging.Load(); n != 2 {
		t.Errorf("%d of two subscriptions lag", n)
	}
	s.unblock(0, math.MaxInt)
	s.work(past)
	frames, err := parseAll(s.sockets[0].out)
	if err != nil || len(frames) != 2 || frames[0].Topic != "a" || frames[1].Topic != "b" {
		t.Errorf("received %v, %v", frames, err)
	}
}

// TestRejoinUnderNews lets a laggard catch up while every turn brings news, so
// that one pass follows the other and there is hardly a moment between them.
func TestRejoinUnderNews(t *testing.T) {
	h := broadcast.NewHub(broadcast.Config{Patience: -1, Encoders: both})
	s := newShard(t, h, 50)
	for slot := range uint32(50) {
		s.subscribe(slot, "a", 0, nil)
	}
	s.sockets[0].room = 3
	last := publish(t, h, "a", 10, 10)
	s.Work(past)
	publish(t, h, "a", 90, 10)
	s.unblock(0, math.MaxInt)
	rejoined := 0
	for turn := 1; turn <= 100; turn++ {
		last = publish(t, h, "a", 1, 10)
		if s.Work(past); rejoined == 0 && s.Stats().Lagging.Load() == 0 {
			rejoined = turn
		}
		if err := s.Check(); err != nil {
			t.Fatal(err)
		}
	}
	if _, passing, _ := s.Cursor("a", 0); rejoined == 0 || !passing {
		t.Errorf("rejoined in turn %d; still in a pass: %t", rejoined, passing)
	}
	s.work(past)
	s.expect(0, 50, span(1, last.Position.Offset)...)
}

func TestSince(t *testing.T) {
	type position = broadcast.Position
	tests := []struct {
		name      string
		since     func(epoch string) *position
		recovered bool
		position  uint64 // in the reply
		history   uint64 // if not recovered
		received  []uint64
		notices   []string
	}{
		{"none", func(string) *position { return nil }, false, 20, 0, span(21, 22), nil},
		{"the newest", func(e string) *position { return &position{e, 20} }, true, 20, 0, span(21, 22), []string{"a live"}},
		{"held", func(e string) *position { return &position{e, 13} }, true, 20, 0, span(14, 22), []string{"a live"}},
		{"the oldest", func(e string) *position { return &position{e, 12} }, true, 20, 0, span(13, 22), []string{"a live"}},
		{"just lost", func(e string) *position { return &position{e, 11} }, false, 20, 12, span(21, 22), nil},
		{"the beginning", func(e string) *position { return &position{e, 0} }, false, 20, 12, span(21, 22), nil},
		{"of the future", func(e string) *position { return &position{e, 22} }, false, 20, 12, span(21, 22), nil},
		{"beyond the cursor", func(e string) *position { return &position{e, 21} }, true, 21, 0, span(22, 22), []string{"a live"}},
		{"of another life", func(string) *position { return &position{"another", 20} }, false, 20, 12, span(21, 22), nil},
	}
	for _, test := range tests {
		for dialect := range uint8(2) {
			t.Run(test.name, func(t *testing.T) {
				h := broadcast.NewHub(broadcast.Config{Patience: -1, Encoders: both, LogLimit: 64 << 10})
				s := newShard(t, h, 2)
				s.subscribe(0, "a", dialect, nil)
				for range 20 { // chunks of dialect 0 end at 4, 12, 20
					publish(t, h, "a", 1, 1024-headSize)
					s.work(past)
				}
				s.evict("a", h, 12)
				last := publish(t, h, "a", 1, 1024-headSize) // the audience has not been sent it yet

				r := s.subscribe(1, "a", dialect, test.since(last.Position.Epoch))
				if r.Recovered != test.recovered || r.Position != (position{last.Position.Epoch, test.position}) || r.History.Offset != test.history {
					t.Errorf("subscribed as %+v", r)
				}
				if s.sockets[1].writes != 0 || s.sockets[1].notices != nil {
					t.Error("something was written before the caller could answer")
				}
				s.work(past)
				publish(t, h, "a", 1, 4)
				s.work(past)
				if s.expect(1, 2, test.received...); !slices.Equal(s.sockets[1].notices, test.notices) || s.Stats().Lagging.Load() != 0 {
					t.Errorf("told %v; %d lag", s.sockets[1].notices, s.Stats().Lagging.Load())
				}
			})
		}
	}
}

// evict has the topic lose all up to tail.
func (s shard) evict(topic string, h *broadcast.Hub, tail uint64) {
	s.t.Helper()
	h.Shrink(topic, tail)
	if info, _ := h.Topic(topic); info.Oldest.Offset != tail {
		s.t.Fatalf("%+v: wanted it to begin at %d", info, tail)
	}
}

// TestSinceTheBeginning: a topic without a message has a history too, of
// nothing, and its end is told.
func TestSinceTheBeginning(t *testing.T) {
	h := broadcast.NewHub(broadcast.Config{Patience: -1, Encoders: both})
	s := newShard(t, h, 2)
	epoch := s.subscribe(0, "a", 0, nil).Position.Epoch
	r := s.subscribe(1, "a", 0, &broadcast.Position{Epoch: epoch})
	s.work(past)
	if !r.Recovered || !slices.Equal(s.sockets[1].notices, []string{"a live"}) {
		t.Errorf("recovered %t, told %v", r.Recovered, s.sockets[1].notices)
	}
}

// TestSinceInPass: replay goes to the end of the pass under way, Live is told
// there, and the member does not rejoin before the pass is over.
func TestSinceInPass(t *testing.T) {
	h, s := begun(t, 404, 400)
	last := publish(t, h, "a", 1, 10)
	for slot := uint32(400); slot < 404; slot++ {
		r := s.subscribe(slot, "a", 0, &broadcast.Position{Epoch: last.Position.Epoch})
		if !r.Recovered || r.Position.Offset != 1 {
			t.Errorf("subscribed in a pass to 1 as %+v", r)
		}
	}
	s.onTell = func(slot uint32, _ string, _ broadcast.Notice) { s.expect(int(slot), int(slot)+1, 1) }
	for s.Stats().Passes.Load() == 0 {
		if n := s.Stats().Lagging.Load(); n != 4 {
			t.Fatalf("%d lag during the pass", n)
		}
		s.Work(past)
		if err := s.Check(); err != nil {
			t.Fatal(err)
		}
		for slot := 400; slot < 404; slot++ {
			s.Writable(s.sockets[slot].list) // has nothing to say to who waits
		}
	}
	s.expect(400, 404, 1)
	if n := s.Stats().Lagging.Load(); n != 0 {
		t.Errorf("%d have not rejoined when the pass was over: the next one is there already", n)
	}
	s.work(past)
	s.expect(0, 404, 1, 2)
	for slot := 400; slot < 404; slot++ {
		if !slices.Equal(s.sockets[slot].notices, []string{"a live"}) {
			t.Errorf("told %v", s.sockets[slot].notices)
		}
	}
}

// TestLost: when eviction passes a laggard's cursor it is told, once, at the
// audience's next visit or when it wants to go on (B7).
func TestLost(t *testing.T) {
	for _, wants := range []bool{false, true} {
		h := broadcast.NewHub(broadcast.Config{Patience: -1, Encoders: both, LogLimit: 32 << 10})
		s := newShard(t, h, 3)
		for slot := range uint32(3) {
			s.subscribe(slot, "a", 0, nil)
		}
		s.sockets[0].room = 5 // blocks within message 1
		for range 100 {
			publish(t, h, "a", 1, 1000)
			if wants && s.sockets[0].blocked {
				if info, _ := h.Topic("a"); info.Oldest.Offset > 1 {
					s.unblock(0, math.MaxInt)
				}
			}
			s.work(past)
		}
		s.unblock(0, math.MaxInt)
		s.work(past)
		if s.expect(0, 1, 1); !slices.Equal(s.sockets[0].notices, []string{"a lost"}) || s.Stats().Lost.Load() != 1 {
			t.Errorf("told %v", s.sockets[0].notices)
		}
		s.expect(1, 3, span(1, 100)...)
		s.Topics(s.sockets[0].list, func(topic string, behind uint64) bool {
			if topic != "a" || behind != 0 {
				t.Errorf("%s: %d behind", topic, behind)
			}
			return true
		})
		s.Leave(&s.sockets[0].list)
		s.work(past)
	}
}

// TestLostWithoutPublish: who fell behind is told also where the publisher that
// evicted found no room in the end, so that no news follows.
func TestLostWithoutPublish(t *testing.T) {
	h := broadcast.NewHub(broadcast.Config{Patience: -1, Encoders: both, LogLimit: 64 << 10})
	slow, fast := newShard(t, h, 2), newShard(t, h, 1)
	slow.subscribe(0, "a", 0, nil)
	fast.subscribe(0, "a", 0, nil)
	slow.sockets[0].room = 5
	publish(t, h, "a", 4, 1024-headSize) // the first chunk
	slow.work(past)
	fast.work(past)
	publish(t, h, "a", 56, 1024-headSize) // as much as there is room for
	slow.work(past)
	_, err := h.TryPublish("a", message("a", make([]byte, 15_000))) // fast has not been sent the second chunk
	slow.work(past)
	if !errors.Is(err, broadcast.ErrNoRoom) {
		t.Error(err)
	}
	if info, _ := h.Topic("a"); info.Oldest.Offset != 4 || !slices.Equal(slow.sockets[0].notices, []string{"a lost"}) {
		t.Errorf("%+v, told %v", info, slow.sockets[0].notices)
	}
}

// TestLostInPass: an eviction that is noticed in a pass is not forgotten by its
// end, though it brings no news.
func TestLostInPass(t *testing.T) {
	h := broadcast.NewHub(broadcast.Config{Patience: -1, Encoders: both})
	s := newShard(t, h, 40)
	for slot := range uint32(40) {
		s.subscribe(slot, "a", 0, nil)
	}
	s.sockets[0].room = 5
	publish(t, h, "a", 4, quarter) // the first chunk
	s.work(past)
	publish(t, h, "a", 1, 10)
	s.Work(past)
	s.evict("a", h, 4)
	s.Work(past)
	if _, passing, _ := s.Cursor("a", 0); !passing || len(s.sockets[0].notices) != 0 {
		t.Fatal("the pass is over too soon")
	}
	s.work(past)
	if !slices.Equal(s.sockets[0].notices, []string{"a lost"}) {
		t.Errorf("told %v", s.sockets[0].notices)
	}
}

// TestLostToTotalLimit: who lags in a topic that nobody publishes to is told
// when the limit over all topics takes what it needs.
func TestLostToTotalLimit(t *testing.T) {
	h := broadcast.NewHub(broadcast.Config{Patience: -1, Encoders: both, MemoryLimit: broadcast.MaxChunk + 7<<10})
	s := newShard(t, h, 1)
	s.subscribe(0, "a", 0, nil)
	s.sockets[0].room = 5
	publish(t, h, "a", 2, 10)
	s.work(past)
	publish(t, h, "b", 2, 10)
	s.work(past)
	if !slices.Equal(s.sockets[0].notices, []string{"a lost"}) {
		t.Errorf("told %v", s.sockets[0].notices)
	}
}

// TestBehindList takes laggards off the list from its ends and its middle.
func TestBehindList(t *testing.T) {
	for _, order := range [][]uint32{{0, 1, 2}, {2, 1, 0}, {1, 0, 2}, {1, 2, 0}} {
		h := broadcast.NewHub(broadcast.Config{Patience: -1, Encoders: both})
		s := newShard(t, h, 4)
		for slot := range uint32(4) {
			s.subscribe(slot, "a", 0, nil)
			s.sockets[slot].room = int(slot) * (headSize + 10)
		}
		publish(t, h, "a", 3, 10)
		s.work(past)
		for i, slot := range order {
			behind := uint64(0)
			s.Topics(s.sockets[slot].list, func(_ string, b uint64) bool { behind = b; return true })
			if behind != 3-uint64(slot) {
				t.Errorf("slot %d is %d behind", slot, behind)
			}
			s.Leave(&s.sockets[slot].list)
			if err := s.Check(); err != nil || s.Stats().Lagging.Load() != int64(2-i) {
				t.Errorf("%v: %d lag when %d have left, %v", order, s.Stats().Lagging.Load(), i+1, err)
			}
		}
	}
}
