package broadcast_test

import (
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/pushd/pushd/broadcast"
)

// begun returns a shard with members of topic "a" in the slots [0, members), in
// the middle of a pass that sends message 1: the first 15 have it.
func begun(t *testing.T, sockets, members int) (*broadcast.Hub, shard) {
	t.Helper()
	h := broadcast.NewHub(broadcast.Config{Patience: -1, Encoders: both, ResumeWindow: 1})
	s := newShard(t, h, sockets)
	for slot := range members {
		s.subscribe(uint32(slot), "a", 0, nil)
	}
	publish(t, h, "a", 1, 10)
	if !s.Work(past) {
		t.Fatal("the pass did not yield")
	}
	return h, s
}

// expect checks which offsets the peers of the slots [from, to) have received.
func (s shard) expect(from, to int, want ...uint64) {
	s.t.Helper()
	for slot := from; slot < to; slot++ {
		if got := s.sockets[slot].offsets(s.t); !slices.Equal(got, want) {
			s.t.Errorf("slot %d received %v, want %v", slot, got, want)
		}
	}
}

func TestPassYieldsByTime(t *testing.T) {
	_, s := begun(t, 40, 40)
	s.expect(0, 15, 1)
	s.expect(15, 40)
	for _, done := range []int{30, 40} {
		if more := s.Work(past); more != (done < 40) {
			t.Errorf("after %d members more is %t", done, more)
		}
		s.expect(0, done, 1)
		s.expect(done, 40)
	}
	if s.Work(past) {
		t.Error("there is more after the pass")
	}
	st := s.Stats()
	if st.Passes.Load() != 1 || st.Writes.Load() != 40 || st.Deliveries.Load() != 40 || st.Bytes.Load() != 40*(headSize+10) {
		t.Errorf("%d passes, %d writes, %d deliveries, %d bytes", st.Passes.Load(), st.Writes.Load(), st.Deliveries.Load(), st.Bytes.Load())
	}
	if _, count, sum := st.Latency.Read(); count != 40 || sum <= 0 {
		t.Errorf("latency of %d deliveries, %f s together", count, sum)
	}
}

// TestJoinInPass: who joins in a pass stands behind its end and begins at the
// cursor that it has moved (B3).
func TestJoinInPass(t *testing.T) {
	h, s := begun(t, 41, 40)
	publish(t, h, "a", 1, 10)
	if r := s.subscribe(40, "a", 0, nil); r.Position.Offset != 1 {
		t.Errorf("joined at %v, the pass ends at 1", r.Position)
	}
	s.work(past)
	s.expect(0, 40, 1, 2)
	s.expect(40, 41, 2)
}

// TestLeaveInPass lets members before, at and behind the pass's position leave,
// and others take the places in the table that become free (B4).
func TestLeaveInPass(t *testing.T) {
	tests := []struct {
		name    string
		leavers []int
	}{
		{"nobody", nil},
		{"one that has had its turn", []int{3}},
		{"the one whose turn it is", []int{15}},
		{"one whose turn comes", []int{20}},
		{"the last", []int{39}},
		{"the last two, the last one last", []int{38, 39}},
		{"the last two, the last one first", []int{39, 38}},
		{"a hole, then who would fill it", []int{3, 39}},
		{"the end, then a hole", []int{39, 37, 3, 38}},
		{"all but one before", span32(1, 39)},
		{"all but one behind", span32(0, 38)},
	}
	for _, test := range tests {
		for _, joiners := range []int{0, 2} {
			t.Run(fmt.Sprintf("%s, %d join", test.name, joiners), func(t *testing.T) {
				h, s := begun(t, 42, 40)
				for _, slot := range test.leavers {
					s.Leave(&s.sockets[slot].list)
				}
				if _, passing, places := s.Cursor("a", 0); !passing || places != 40 {
					t.Errorf("%d places during the pass: somebody moved", places)
				}
				for slot := 40; slot < 40+joiners; slot++ {
					s.subscribe(uint32(slot), "a", 0, nil)
				}
				s.work(past)
				if _, _, places := s.Cursor("a", 0); places != 40-len(test.leavers)+joiners {
					t.Errorf("%d places after the pass", places)
				}
				publish(t, h, "a", 1, 10)
				s.work(past)
				for slot := range 40 + joiners {
					switch {
					case slot >= 40:
						s.expect(slot, slot+1, 2)
					case !slices.Contains(test.leavers, slot):
						s.expect(slot, slot+1, 1, 2)
					case slot < 15:
						s.expect(slot, slot+1, 1)
					default:
						s.expect(slot, slot+1)
					}
				}
			})
		}
	}
}

func span32(from, to int) (all []int) {
	for _, o := range span(uint64(from), uint64(to)) {
		all = append(all, int(o))
	}
	return all
}

// TestAllLeaveInPass: the audience goes with the pass, or stays for who joined.
func TestAllLeaveInPass(t *testing.T) {
	for _, rejoin := range []bool{false, true} {
		t.Run(fmt.Sprintf("rejoin %t", rejoin), func(t *testing.T) {
			h, s := begun(t, 40, 40)
			for slot := range 40 {
				s.Leave(&s.sockets[slot].list)
			}
			if rejoin {
				s.subscribe(39, "a", 0, nil)
			}
			s.work(past)
			s.expect(15, 40)
			if _, _, places := s.Cursor("a", 0); places == 1 != rejoin {
				t.Errorf("%d places are left", places)
			}
			publish(t, h, "a", 1, 10)
			s.work(past)
			if s.expect(0, 15, 1); rejoin {
				s.expect(39, 40, 2)
			}
		})
	}
}

// TestResubscribeInPass: a subscription that ended in a pass is not the one
// that the same connection makes then.
func TestResubscribeInPass(t *testing.T) {
	h, s := begun(t, 40, 40)
	for _, slot := range []uint32{3, 20} {
		s.Unsubscribe(&s.sockets[slot].list, "a")
		s.subscribe(slot, "a", 0, nil)
	}
	publish(t, h, "a", 1, 10)
	s.work(past)
	s.expect(3, 4, 1, 2)
	s.expect(20, 21, 2)
}

// TestLeaveFillsPlaces: outside a pass the last member takes the free place.
func TestLeaveFillsPlaces(t *testing.T) {
	for leaver := range 5 {
		h := broadcast.NewHub(broadcast.Config{Patience: -1, Encoders: both})
		s := newShard(t, h, 5)
		for slot := range uint32(5) {
			s.subscribe(slot, "a", 0, nil)
		}
		s.sockets[4].room = 3
		publish(t, h, "a", 1, 10)
		s.work(past) // the last one lags, and keeps it up when it moves
		s.Leave(&s.sockets[leaver].list)
		if err := s.Check(); err != nil {
			t.Fatal(err)
		}
		publish(t, h, "a", 1, 10)
		s.unblock(4, math.MaxInt)
		s.work(past)
		for slot := range 5 {
			if slot != leaver {
				s.expect(slot, slot+1, 1, 2)
			}
		}
	}
}

// TestManyLeave: a list that was long gives its memory back on the way.
func TestManyLeave(t *testing.T) {
	const n = 5000
	h := broadcast.NewHub(broadcast.Config{Patience: -1, Encoders: both})
	s := newShard(t, h, n)
	for slot := range uint32(n) {
		s.subscribe(slot, "a", 0, nil)
	}
	for slot := range n - 10 {
		s.Leave(&s.sockets[slot].list)
	}
	publish(t, h, "a", 1, 10)
	s.work(future)
	s.expect(0, n-10)
	s.expect(n-10, n, 1)
}

// TestPassIsTwoChunks: a pass ends at most two chunks from its start, and the
// next one begins there.
func TestPassIsTwoChunks(t *testing.T) {
	h := broadcast.NewHub(broadcast.Config{Patience: -1, Encoders: both, LogLimit: 64 << 10})
	s := newShard(t, h, 1)
	s.subscribe(0, "a", 0, nil)
	publish(t, h, "a", 20, 1024-headSize) // chunks end at 4, 12, 20
	s.work(past)
	s.expect(0, 1, span(1, 20)...)
	if n := s.sockets[0].writes; n != 2 {
		t.Errorf("%d writes for three chunks", n)
	}
}

// TestTopicsTakeTurns: a long pass does not hold up a short one.
func TestTopicsTakeTurns(t *testing.T) {
	h := broadcast.NewHub(broadcast.Config{Patience: -1, Encoders: both})
	s := newShard(t, h, 101)
	for slot := range uint32(100) {
		s.subscribe(slot, "a", 0, nil)
	}
	s.subscribe(100, "b", 0, nil)
	publish(t, h, "a", 1, 10)
	publish(t, h, "b", 1, 10)
	s.Work(past)
	s.Work(past)
	s.expect(100, 101, 1)
	s.expect(50, 100)
	s.work(past)
	s.expect(0, 100, 1)
}

// TestEnded: a connection that is closing gets nothing more and is in nobody's
// way.
func TestEnded(t *testing.T) {
	h := broadcast.NewHub(broadcast.Config{Patience: -1, Encoders: both})
	s := newShard(t, h, 3)
	for slot := range uint32(3) {
		s.subscribe(slot, "a", 0, nil)
	}
	r := publish(t, h, "a", 1, 10)
	s.work(past)
	s.subscribe(1, "b", 0, nil)
	s.sockets[1].ended = true
	publish(t, h, "a", 1, 10)
	s.Unsubscribe(&s.sockets[2].list, "a")
	s.sockets[2].ended = true
	s.subscribe(2, "a", 0, &r.Position) // it lags
	s.work(past)
	s.expect(0, 1, 1, 2)
	s.expect(1, 3, 1)
	s.Leave(&s.sockets[1].list)
	s.Leave(&s.sockets[2].list)
	publish(t, h, "a", 1, 10)
	s.work(past)
	s.expect(0, 1, 1, 2, 3)
}

// TestWake: the first news wakes the owner, what follows until it has looked
// does not.
func TestWake(t *testing.T) {
	h := broadcast.NewHub(broadcast.Config{Patience: -1, Encoders: both})
	woken := 0
	w := newWriter(t, 1)
	s := shard{h.NewShard(w, func() { woken++ }), w}
	publish(t, h, "a", 1, 10)
	s.subscribe(0, "a", 0, nil)
	if woken != 0 {
		t.Error("woken for what it does not subscribe to")
	}
	for want := 1; want <= 2; want++ {
		publish(t, h, "a", 3, 10)
		if woken != want {
			t.Errorf("woken %d times, want %d", woken, want)
		}
		s.Work(time.Now().Add(time.Second))
	}
	s.expect(0, 1, span(2, 7)...)
}
