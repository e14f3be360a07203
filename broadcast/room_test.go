package broadcast_test

import (
	"bytes"
	"context"
	"errors"
	"math"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pushd/pushd/broadcast"
)

const quarter = 1024 - headSize // the payload of which four frames fill a first chunk

func TestTooLarge(t *testing.T) {
	tests := []struct {
		name  string
		limit int
		m     broadcast.Message
		large bool
	}{
		{"a quarter of the smallest log", 1, broadcast.Message{Payload: make([]byte, 1024-10-64)}, false},
		{"a byte more", 1, broadcast.Message{Payload: make([]byte, 1024-10-64+1)}, true},
		{"key and event count", 4 << 10, broadcast.Message{Key: "k", Event: "ev", Payload: make([]byte, 1024-10-64-3)}, false},
		{"a byte more of them", 4 << 10, broadcast.Message{Key: "k", Event: "eve", Payload: make([]byte, 1024-10-64-3)}, true},
		{"more than a chunk", 1 << 20, broadcast.Message{Payload: make([]byte, 3*broadcast.MaxChunk)}, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			h := broadcast.NewHub(broadcast.Config{Patience: -1, Encoders: both, LogLimit: test.limit})
			s := newShard(t, h, 1)
			s.subscribe(0, "a", 0, nil)
			r, err := h.TryPublish("a", test.m)
			if errors.Is(err, broadcast.ErrTooLarge) != test.large || test.large == (r.Position.Offset == 1) {
				t.Fatalf("%+v, %v", r, err)
			}
			if s.work(past); !test.large {
				s.expect(0, 1, 1)
			}
		})
	}
}

// TestLimitHolds fills small logs with all sizes that they take.
func TestLimitHolds(t *testing.T) {
	for _, limit := range []int{4 << 10, 10_000, 64 << 10} {
		h := broadcast.NewHub(broadcast.Config{Patience: -1, Encoders: both, LogLimit: limit})
		for size := 0; size <= limit/4-10-64; size += 13 {
			publish(t, h, "a", 1, size)
			if err := h.Check(); err != nil {
				t.Fatalf("limit %d, after %d bytes: %v", limit, size, err)
			}
		}
		if info, _ := h.Topic("a"); info.Bytes > limit || info.Oldest.Offset == 0 {
			t.Errorf("%+v", info)
		}
	}
}

// fullLog returns a hub whose topic "a" has no room for another message of a
// quarter, because the first chunk is being sent by slow, in the middle of a
// pass. fast has been sent everything.
func fullLog(t *testing.T, cfg broadcast.Config) (h *broadcast.Hub, fast, slow shard) {
	t.Helper()
	cfg.Encoders, cfg.LogLimit = both, 32<<10
	h = broadcast.NewHub(cfg)
	fast, slow = newShard(t, h, 1), newShard(t, h, 20)
	fast.subscribe(0, "a", 0, nil)
	for slot := range uint32(20) {
		slow.subscribe(slot, "a", 0, nil)
	}
	publish(t, h, "a", 30, quarter) // 30 (1024 + 64) = 32640
	if !slow.Work(past) {
		t.Fatal("the pass did not yield")
	}
	fast.work(past)
	return h, fast, slow
}

func TestNoRoomDuringPass(t *testing.T) {
	h, fast, slow := fullLog(t, broadcast.Config{})
	large := message("a", make([]byte, quarter))
	if _, err := h.TryPublish("a", large); !errors.Is(err, broadcast.ErrNoRoom) {
		t.Errorf("published while the oldest messages are being sent: %v", err)
	}
	if _, err := h.TryPublish("a", message("a", make([]byte, 10))); err != nil {
		t.Errorf("what fits was refused: %v", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
	defer cancel()
	if _, err := h.Publish(ctx, "a", large); !errors.Is(err, broadcast.ErrNoRoom) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("when its time was over the publisher got %v", err)
	}
	if info, _ := h.Topic("a"); info.Oldest.Offset != 0 || info.Position.Offset != 31 {
		t.Errorf("%+v: evicted from under a pass, or numbered what was refused", info)
	}
	slow.Work(past) // this pass, to 8, is over
	if r, err := h.TryPublish("a", large); err != nil || r.Position.Offset != 32 || r.Subscribers != 21 {
		t.Errorf("when the pass was over: %+v, %v", r, err)
	}
	if info, _ := h.Topic("a"); info.Oldest.Offset != 4 {
		t.Errorf("%+v", info)
	}
	fast.work(past)
	slow.work(past)
	fast.expect(0, 1, span(1, 32)...)
	slow.expect(0, 20, span(1, 32)...)
}

// TestPublisherWaits: a publisher that finds no room goes on the moment the
// pass ends, and also when its last member leaves.
func TestPublisherWaits(t *testing.T) {
	tests := []struct {
		name string
		free func(slow shard)
	}{
		{"for the pass", func(slow shard) { slow.Work(past) }},
		{"for the last to leave", func(slow shard) {
			for _, s := range slow.sockets {
				slow.Leave(&s.list)
			}
			slow.Work(past)
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h, _, slow := fullLog(t, broadcast.Config{MaxWaiting: 1})
				began, done := time.Now(), make(chan error, 1)
				go func() {
					_, err := h.Publish(context.Background(), "a", message("a", make([]byte, quarter)))
					done <- err
				}()
				synctest.Wait()
				if n := h.Stats().Waiting; n != 1 {
					t.Fatalf("%d wait", n)
				}
				if _, err := h.Publish(context.Background(), "a", message("a", make([]byte, quarter))); !errors.Is(err, broadcast.ErrNoRoom) {
					t.Errorf("one more than may wait got %v", err)
				}
				test.free(slow)
				if err := <-done; err != nil || !time.Now().Equal(began) {
					t.Errorf("it got %v, and waited %v longer than it had to", err, time.Since(began))
				}
				if n := h.Stats().Waiting; n != 0 {
					t.Errorf("%d wait still", n)
				}
			})
		})
	}
}

// TestPublisherWaitsForLeave: a subscriber that leaves before it was sent
// anything makes room.
func TestPublisherWaitsForLeave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := broadcast.NewHub(broadcast.Config{Patience: -1, Encoders: both, LogLimit: 32 << 10})
		s := newShard(t, h, 1)
		s.subscribe(0, "a", 0, nil)
		publish(t, h, "a", 30, quarter)
		began, done := time.Now(), make(chan error, 1)
		go func() {
			_, err := h.Publish(context.Background(), "a", message("a", make([]byte, quarter)))
			done <- err
		}()
		synctest.Wait()
		s.Leave(&s.sockets[0].list)
		if err := <-done; err != nil || !time.Now().Equal(began) {
			t.Errorf("it got %v, and waited %v longer than it had to", err, time.Since(began))
		}
	})
}

// TestBatch: a batch tells at Flush, before it waits, and when it has touched
// many topics.
func TestBatch(t *testing.T) {
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	h, _, _ := fullLog(t, broadcast.Config{})
	s := newShard(t, h, 1)
	s.subscribe(0, "b", 0, nil)
	b := h.Batch()
	put := func(topic string, size int) error {
		_, err := b.Publish(ended, topic, message(topic, make([]byte, size)))
		return err
	}
	told := func(want ...uint64) {
		t.Helper()
		s.work(past)
		s.expect(0, 1, want...)
	}
	for range 3 {
		if err := put("b", 10); err != nil {
			t.Fatal(err)
		}
	}
	told()
	b.Flush()
	told(1, 2, 3)
	b.Flush()
	if n := s.sockets[0].writes; n != 1 {
		t.Errorf("a batch went out in %d writes", n)
	}
	if err := put("b", 10); err != nil {
		t.Fatal(err)
	}
	if err := put("a", quarter); !errors.Is(err, broadcast.ErrNoRoom) || !errors.Is(err, context.Canceled) {
		t.Errorf("no room: %v", err)
	}
	told(1, 2, 3, 4)
	if err := put("b", 10); err != nil {
		t.Fatal(err)
	}
	for i := range 16 {
		if err := put(string(rune('c'+i)), 10); err != nil {
			t.Fatal(err)
		}
	}
	told(1, 2, 3, 4, 5)
	if err := put("b", 1<<20); !errors.Is(err, broadcast.ErrTooLarge) {
		t.Errorf("too large: %v", err)
	}
}

// TestTotalLimit: above it the topics that were published to least recently
// lose their oldest first, but for what a pass is sending.
func TestTotalLimit(t *testing.T) {
	tests := []struct {
		name string
		held []string // topics with a subscriber that has been sent nothing
		lost []string // topics that lost what they had
	}{
		{"the oldest two", nil, []string{"b", "c"}},
		{"not what is held", []string{"b"}, []string{"c", "d"}},
		{"held are all but the newest", []string{"a", "b", "c", "d"}, []string{"e"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			h := broadcast.NewHub(broadcast.Config{Patience: -1, Encoders: both, MemoryLimit: broadcast.MaxChunk + 17<<10})
			s := newShard(t, h, 1)
			for _, topic := range test.held {
				s.subscribe(0, topic, 0, nil)
			}
			for _, topic := range []string{"a", "b", "c", "d", "a", "e"} { // a chunk of 4 KiB each
				publish(t, h, topic, 1, 10)
			}
			_, err := h.TryPublish("f", message("f", nil))
			if len(test.held) == 4 { // a sixteenth below the limit is out of reach, the limit is not
				if err != nil {
					t.Error(err)
				}
			} else if n := h.Stats().LogBytes; err != nil || n != 4*(4<<10)+5*broadcast.RecordCost { // a has two
				t.Errorf("%v, %d bytes", err, n)
			}
			var lost []string
			for _, info := range h.Topics("", 10) {
				if info.Oldest.Offset > 0 {
					lost = append(lost, info.Name)
				}
			}
			if !slices.Equal(lost, test.lost) {
				t.Errorf("%v lost something, want %v", lost, test.lost)
			}
			if err := h.Check(); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestTotalLimitAllHeld: where passes hold everything a publisher waits, and
// goes on when they have ended; and it does not look at every topic for each
// refusal.
func TestTotalLimitAllHeld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := broadcast.NewHub(broadcast.Config{Patience: -1, Encoders: both, MemoryLimit: broadcast.MaxChunk + 7<<10})
		s := newShard(t, h, 1)
		for _, topic := range []string{"a", "b"} {
			s.subscribe(0, topic, 0, nil)
			publish(t, h, topic, 1, 10)
		}
		time.Sleep(time.Nanosecond) // the hub's clock begins at 0, which is when it has never looked
		done := make(chan error, 1)
		go func() {
			_, err := h.Publish(context.Background(), "a", message("a", bytes.Repeat([]byte("x"), 10)))
			done <- err
		}()
		synctest.Wait()
		if n := h.Stats().Waiting; n != 1 {
			t.Fatalf("%d wait", n)
		}
		s.work(past)
		if _, err := h.TryPublish("b", message("b", nil)); !errors.Is(err, broadcast.ErrNoRoom) {
			t.Errorf("looked again at once: %v", err)
		}
		began := time.Now()
		if err := <-done; err != nil || time.Since(began) > 20*time.Millisecond {
			t.Errorf("%v after %v", err, time.Since(began))
		}
		s.work(past)
	})
}

// TestPatience: a full log waits for who has just fallen behind, for a second at
// most, and not for who conflates.
func TestPatience(t *testing.T) {
	for _, policy := range []broadcast.Policy{broadcast.Disconnect, broadcast.Drop, broadcast.Conflate} {
		for _, recovers := range []bool{true, false} {
			h := broadcast.NewHub(broadcast.Config{Encoders: both, LogLimit: 8 << 10, Settings: func(string) broadcast.Settings { return broadcast.Settings{Slow: policy} }})
			s := newShard(t, h, 2)
			s.subscribe(0, "a", 0, nil)
			s.subscribe(1, "a", 0, nil)
			s.sockets[0].room = 0
			fill := func() (n int, err error) { // until there is no room, though whoever reads has read all
				for ; n < 200 && err == nil; n++ {
					_, err = h.TryPublish("a", broadcast.Message{Payload: make([]byte, 100)})
					s.work(past)
				}
				return n, err
			}
			n, err := fill()
			if waits := err == broadcast.ErrNoRoom; waits != (policy != broadcast.Conflate) {
				t.Fatalf("%v: %d messages, then %v", policy, n, err)
			}
			if recovers {
				s.unblock(0, math.MaxInt)
				s.work(past)
			} else {
				h.Advance(time.Second)
			}
			if n, err = fill(); err != nil {
				t.Errorf("%v, recovers %t: after %d messages %v", policy, recovers, n, err)
			}
			lost := s.Stats().Lost.Load() > 0
			if lost != (policy == broadcast.Disconnect && !recovers) {
				t.Errorf("%v, recovers %t: lost %t", policy, recovers, lost)
			}
		}
	}
}
