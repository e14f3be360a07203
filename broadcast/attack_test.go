package broadcast_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/pushd/pushd/broadcast"
)

// newHub returns a hub whose topics all have these settings.
func newHub(s broadcast.Settings) *broadcast.Hub {
	return broadcast.NewHub(broadcast.Config{Patience: -1, Encoders: both, Settings: func(string) broadcast.Settings { return s }})
}

func put(t testing.TB, h *broadcast.Hub, topic, key, value string) broadcast.Position {
	t.Helper()
	r, err := h.TryPublish(topic, broadcast.Message{Key: key, Payload: []byte(value)})
	if err != nil {
		t.Fatalf("publish %s=%s to %s: %v", key, value, topic, err)
	}
	return r.Position
}

func remove(t testing.TB, h *broadcast.Hub, topic, key string) broadcast.Position {
	t.Helper()
	r, err := h.TryPublish(topic, broadcast.Message{Kind: broadcast.Delete, Key: key})
	if err != nil {
		t.Fatalf("delete %s of %s: %v", key, topic, err)
	}
	return r.Position
}

// values returns what a socket in dialect 1 was sent, as key=value, and key- where it was deleted.
func (s *socket) values(t testing.TB) (all []string) {
	t.Helper()
	frames, err := parseAll(s.out)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range frames {
		if m.Kind == broadcast.Delete {
			all = append(all, m.Key+"-")
		} else {
			all = append(all, m.Key+"="+string(m.Payload))
		}
	}
	return all
}

// TestBatchRefusedLetsGo: a message that the topic itself refuses leaves the
// topic free for the next.
func TestBatchRefusedLetsGo(t *testing.T) {
	h := newHub(broadcast.Settings{Retain: true, MaxKeys: 1})
	put(t, h, "a", "k", "1")
	for _, c := range []struct {
		label string
		m     broadcast.Message
		err   error
	}{
		{"no such key", broadcast.Message{Kind: broadcast.Delete, Key: "x"}, broadcast.ErrNoKey},
		{"too many keys", broadcast.Message{Key: "x"}, broadcast.ErrTooManyKeys},
		{"numbered in another way", broadcast.Message{Key: "k", Position: broadcast.Position{Epoch: "other", Offset: 1}}, broadcast.ErrPositionConflict},
	} {
		if _, err := h.Batch().Publish(context.Background(), "a", c.m); !errors.Is(err, c.err) {
			t.Errorf("%s: %v", c.label, err)
		}
		free := make(chan struct{})
		go func() { h.Topic("a"); close(free) }()
		select {
		case <-free:
		case <-time.After(10 * time.Second):
			t.Fatalf("%s: the topic is still locked", c.label)
		}
	}
}

// TestJointPassTakesTurns: topics that always have news, small enough for a joint
// pass, do not keep another's pass from going on.
func TestJointPassTakesTurns(t *testing.T) {
	h := newHub(broadcast.Settings{})
	s := newShard(t, h, 102)
	for slot := range uint32(100) {
		s.subscribe(slot, "a", 0, nil)
	}
	s.subscribe(100, "b", 0, nil)
	s.subscribe(101, "c", 0, nil)
	publish(t, h, "a", 1, 10)
	s.Work(past) // a's pass yields
	publish(t, h, "b", 1, 10)
	publish(t, h, "c", 1, 10)
	s.onWrite = func(slot uint32, _, _ []byte) {
		if slot >= 100 {
			publish(t, h, "b", 1, 10)
			publish(t, h, "c", 1, 10)
		}
	}
	for range 50 {
		s.Work(past)
	}
	if _, passing, _ := s.Cursor("a", 0); passing {
		t.Errorf("after 50 turns a's pass has not ended; those of b and c had %d writes", s.sockets[100].writes+s.sockets[101].writes)
	}
}

// TestConfigureKnowsDeletedKeys: what is retained again after a reload is what a
// topic that always retained would have.
func TestConfigureKnowsDeletedKeys(t *testing.T) {
	for _, c := range []struct {
		label string
		slow  broadcast.Policy
		max   int
		want  []string
	}{
		{"every message", broadcast.Disconnect, 0, []string{"stays=1", "back=2"}},
		{"conflated", broadcast.Conflate, 0, []string{"stays=1", "back=2"}},
	} {
		retain := broadcast.Settings{Slow: c.slow, Retain: true, MaxKeys: c.max}
		h := newHub(retain)
		put(t, h, "a", "gone", "1")
		put(t, h, "a", "stays", "1")
		put(t, h, "a", "back", "1")
		remove(t, h, "a", "gone")
		remove(t, h, "a", "back")
		put(t, h, "a", "back", "2")
		h.Configure(func(string) broadcast.Settings { return broadcast.Settings{} })
		h.Configure(func(string) broadcast.Settings { return retain })
		s := newShard(t, h, 1)
		s.subscribe(0, "a", 1, nil)
		s.work(future)
		got := s.sockets[0].values(t)
		slices.Sort(got)
		slices.Sort(c.want)
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: a new subscriber was sent %q, want %q", c.label, got, c.want)
		}
		if err := h.Check(); err != nil {
			t.Errorf("%s: %v", c.label, err)
		}
	}
}

// TestRebuiltTableForgetsNoKnownKey: a key that is in the table needs no room.
func TestRebuiltTableForgetsNoKnownKey(t *testing.T) {
	h := newHub(broadcast.Settings{})
	first := put(t, h, "a", "", "1")
	put(t, h, "a", "", "2")
	put(t, h, "a", "", "3")
	h.Configure(func(string) broadcast.Settings { return broadcast.Settings{Slow: broadcast.Conflate, MaxKeys: 1} })
	s := newShard(t, h, 1)
	if r := s.subscribe(0, "a", 1, &first); !r.Recovered {
		t.Errorf("%+v: nothing had to be forgotten", r)
	}
}

// TestKeyBytesAreBounded: values that grow count like those that come.
func TestKeyBytesAreBounded(t *testing.T) {
	const keys, limit = 64, 64 << 10
	for _, retain := range []bool{false, true} {
		h := newHub(broadcast.Settings{Slow: broadcast.Conflate, Retain: retain, MaxKeyBytes: limit})
		for i := range keys {
			put(t, h, "a", fmt.Sprint(i), "small")
		}
		refused := 0
		for i := range keys {
			_, err := h.TryPublish("a", broadcast.Message{Key: fmt.Sprint(i), Payload: make([]byte, 4<<10)})
			if errors.Is(err, broadcast.ErrTooManyKeys) {
				refused++
			} else if err != nil {
				t.Fatal(err)
			}
		}
		info, _ := h.Topic("a")
		if info.KeyBytes > limit || info.KeyBytes < limit/2 || (refused > 0) != retain {
			t.Errorf("retaining %t: %d keys take %d bytes, the limit is %d; %d were refused", retain, info.Keys, info.KeyBytes, limit, refused)
		}
		if err := h.Check(); err != nil {
			t.Error(err)
		}
	}
}

// TestExpireAfterReload: a topic that was to expire when Expire began, and keeps
// its values by now, keeps them.
func TestExpireAfterReload(t *testing.T) {
	h := newHub(broadcast.Settings{Retain: true})
	put(t, h, "a", "k", "1")
	time.Sleep(time.Millisecond) // older than now
	h.ExpireTopic("a")
	if info, _ := h.Topic("a"); info.Keys != 1 {
		t.Errorf("%d keys are left of one that stays for good", info.Keys)
	}
}

// TestGoneLaggardsAreLetGo: whoever waits for a quiet topic and leaves costs
// nothing.
func TestGoneLaggardsAreLetGo(t *testing.T) {
	h := newHub(broadcast.Settings{})
	if _, err := h.TryPublish("a", broadcast.Message{Position: broadcast.Position{Epoch: "given", Offset: 5}}); err != nil {
		t.Fatal(err)
	}
	s := newShard(t, h, 4)
	s.subscribe(0, "a", 0, nil)
	s.subscribe(1, "a", 0, &broadcast.Position{Epoch: "given", Offset: 7})
	for range 10 {
		for slot := range uint32(2) {
			s.subscribe(2+slot, "a", 0, &broadcast.Position{Epoch: "given", Offset: 9})
		}
		s.work(future)
		for slot := range uint32(2) {
			s.Leave(&s.sockets[2+slot].list)
		}
		s.work(future)
	}
	if n := s.Waiting(); n != 1 {
		t.Errorf("%d wait for the topic, of which one is still subscribed", n)
	}
	for o := uint64(6); o < 9; o++ {
		if _, err := h.TryPublish("a", broadcast.Message{Position: broadcast.Position{Epoch: "given", Offset: o}}); err != nil {
			t.Fatal(err)
		}
		s.work(future)
	}
	if got := s.sockets[1].offsets(t); !slices.Equal(got, []uint64{8}) {
		t.Errorf("who waited from 7 on was sent %v", got)
	}
}

// TestDuplicateChangesNothing: what was published before under the publisher's own
// position is a duplicate, even if it could not be published now, and needs no room.
func TestDuplicateChangesNothing(t *testing.T) {
	h := broadcast.NewHub(broadcast.Config{Patience: -1, Encoders: both, LogLimit: 16 << 10, Settings: func(string) broadcast.Settings {
		return broadcast.Settings{Retain: true, MaxKeys: 1}
	}})
	at := func(kind broadcast.Kind, key string, offset uint64) broadcast.Message {
		m := broadcast.Message{Kind: kind, Key: key, Position: broadcast.Position{Epoch: "given", Offset: offset}}
		if kind != broadcast.Delete {
			m.Payload = make([]byte, 3<<10)
		}
		return m
	}
	all := []broadcast.Message{
		at(broadcast.Text, "a", 1), at(broadcast.Delete, "a", 2), at(broadcast.Text, "b", 3), at(broadcast.Delete, "b", 4),
		at(broadcast.Text, "c", 5), at(broadcast.Text, "c", 6), at(broadcast.Text, "c", 7), // one more would evict
	}
	for _, m := range all {
		if _, err := h.TryPublish("a", m); err != nil {
			t.Fatal(err)
		}
	}
	before, _ := h.Topic("a")
	for _, m := range all {
		r, err := h.TryPublish("a", m)
		if after, _ := h.Topic("a"); err != nil || !r.Duplicate || r.Position != m.Position || after != before {
			t.Errorf("%s again at %d: %+v, %v; the topic was %+v, is %+v", m.Key, m.Position.Offset, r, err, before, after)
		}
	}
}

// TestExpiredDeletesAtOnePosition: where several messages have one position and the
// log has lost one of them, nobody can resume from it.
func TestExpiredDeletesAtOnePosition(t *testing.T) {
	h := broadcast.NewHub(broadcast.Config{Patience: -1, Encoders: both, LogLimit: 4 << 10, Settings: func(string) broadcast.Settings {
		return broadcast.Settings{Retain: true, RetainFor: time.Nanosecond}
	}})
	var last broadcast.Position
	for o := uint64(1); o <= 20; o++ {
		last = broadcast.Position{Epoch: "given", Offset: o}
		if _, err := h.TryPublish("a", broadcast.Message{Key: fmt.Sprint(o), Position: last}); err != nil {
			t.Fatal(err)
		}
	}
	time.Sleep(time.Microsecond)
	h.Expire()
	h.Shrink("a", 1<<62) // all of it: the deletes too
	s := newShard(t, h, 1)
	if r := s.subscribe(0, "a", 1, &last); r.Recovered {
		t.Errorf("%+v: 20 deletes came after the message at %v", r, last)
	}
}

// TestGapOfTombstones: who was away for so long that deletes were forgotten is told
// so, and is sent the values that are older than these all the same.
func TestGapOfTombstones(t *testing.T) {
	h := newHub(broadcast.Settings{Slow: broadcast.Conflate, Retain: true})
	s := newShard(t, h, 1)
	s.subscribe(0, "a", 1, nil)
	s.work(future)
	s.sockets[0].room = 0
	put(t, h, "a", "old", "1")
	put(t, h, "a", "gone", "1")
	remove(t, h, "a", "gone")
	put(t, h, "a", "new", "1")
	s.work(future)
	h.DropTombstones("a")
	s.sockets[0].out = nil
	s.unblock(0, 1<<20)
	s.work(future)
	got := s.sockets[0].values(t)
	if !slices.Contains(got, "old=1") || !slices.Contains(got, "new=1") {
		t.Errorf("was sent %q, not all that the topic retains; told %q", got, s.sockets[0].notices)
	}
	gaps := 0
	for _, n := range s.sockets[0].notices {
		if n == "a gap" {
			gaps++
		}
	}
	if gaps != 1 {
		t.Errorf("was told %q, want one gap", s.sockets[0].notices)
	}
}

// TestDeletedBeforeConflation: a delete from before the topic conflated is not
// known by its key; who has not had it cannot resume.
func TestDeletedBeforeConflation(t *testing.T) {
	h := newHub(broadcast.Settings{Retain: true})
	had := put(t, h, "a", "k", "1")
	remove(t, h, "a", "k")
	h.Configure(func(string) broadcast.Settings { return broadcast.Settings{Slow: broadcast.Conflate, Retain: true} })
	s := newShard(t, h, 1)
	r := s.subscribe(0, "a", 1, &had)
	s.work(future)
	if got := s.sockets[0].values(t); r.Recovered && !slices.Contains(got, "k-") {
		t.Errorf("recovered, and was sent %q: it still has k", got)
	}
}

// TestPreviousWhileSomebodyConflates: who may be sent less is not told of a message
// before that it must have seen, whatever the topic has become.
func TestPreviousWhileSomebodyConflates(t *testing.T) {
	h := newHub(broadcast.Settings{Slow: broadcast.Conflate})
	s := newShard(t, h, 1)
	s.subscribe(0, "a", 1, nil)
	h.Configure(func(string) broadcast.Settings { return broadcast.Settings{} })
	for range 3 {
		put(t, h, "a", "k", "1")
	}
	s.work(future)
	frames, err := parseAll(s.sockets[0].out)
	if err != nil || len(frames) != 3 {
		t.Fatalf("%d frames, %v", len(frames), err)
	}
	for _, m := range frames {
		if m.Previous.Offset != 0 {
			t.Errorf("%d came with previous %d", m.Position.Offset, m.Previous.Offset)
		}
	}
}

// TestDeleteHasNoPayload: what a publisher puts there is ignored.
func TestDeleteHasNoPayload(t *testing.T) {
	h := newHub(broadcast.Settings{Retain: true})
	put(t, h, "a", "k", "1")
	if _, err := h.TryPublish("a", broadcast.Message{Kind: broadcast.Delete, Key: "k", Payload: make([]byte, 100)}); err != nil {
		t.Fatal(err)
	}
	if err := h.Messages("a", nil, 10, func(m broadcast.Message) bool {
		if m.Kind == broadcast.Delete && len(m.Payload) > 0 {
			t.Errorf("%d bytes with a delete", len(m.Payload))
		}
		return true
	}); err != nil {
		t.Error(err)
	}
}

// TestTombstonesGoDuringRound: what is changed behind the place that a round has
// come to is sent in the next, also where deletes are forgotten meanwhile.
func TestTombstonesGoDuringRound(t *testing.T) {
	h := newHub(broadcast.Settings{Slow: broadcast.Conflate, Retain: true})
	s := newShard(t, h, 1)
	s.subscribe(0, "a", 1, nil)
	s.work(future)
	s.sockets[0].room = 0
	for i := range 100 {
		put(t, h, "a", fmt.Sprint(i), string(make([]byte, 1<<10)))
	}
	s.work(future)
	s.unblock(0, 8<<10) // some keys of the round
	s.work(future)
	put(t, h, "a", "0", "final")
	remove(t, h, "a", "99")
	s.work(future)
	h.DropTombstones("a")
	s.unblock(0, 1<<20)
	s.work(future)
	got := s.sockets[0].values(t)
	if !slices.Contains(got, "0=final") {
		t.Errorf("the final value of a key is not among the %d that were sent", len(got))
	}
	if n := s.Stats().Gaps.Load(); n != 1 {
		t.Errorf("was told %q, want one gap", s.sockets[0].notices)
	}
	if n := s.Stats().Lagging.Load(); n != 0 {
		t.Errorf("%d lag when all has been sent", n)
	}
}

// TestForgottenErasCannotBeResumed: the place before the oldest era that is known
// also stands for messages of those before it, so it says too little.
func TestForgottenErasCannotBeResumed(t *testing.T) {
	h := newHub(broadcast.Settings{})
	for era := range 9 { // of which eight are kept
		for offset := range uint64(2) {
			p := broadcast.Position{Epoch: fmt.Sprintf("epoch%03d", era), Offset: 1 + offset}
			if _, err := h.TryPublish("a", broadcast.Message{Position: p}); err != nil {
				t.Fatal(err)
			}
		}
	}
	var all []broadcast.Position
	if err := h.Messages("a", nil, 100, func(m broadcast.Message) bool { all = append(all, m.Position); return true }); err != nil {
		t.Fatal(err)
	}
	s := newShard(t, h, len(all))
	for i, p := range all {
		r := s.subscribe(uint32(i), "a", 1, &p)
		s.work(future)
		if got, want := len(s.sockets[i].values(t)), len(all)-i-1; r.Recovered && got != want {
			t.Errorf("from message %d, of position %v, %d were sent, want %d", i+1, p, got, want)
		} else if !r.Recovered && i > 1 {
			t.Errorf("from message %d, of position %v: %+v", i+1, p, r)
		}
	}
}

// TestExpireManyKeys: they go in turns, and all of them.
func TestExpireManyKeys(t *testing.T) {
	h := newHub(broadcast.Settings{Retain: true, RetainFor: time.Nanosecond})
	s := newShard(t, h, 1)
	for i := range 3000 {
		put(t, h, "a", fmt.Sprint(i), "1")
	}
	s.subscribe(0, "a", 1, nil)
	s.work(future)
	h.Expire()
	s.work(future)
	if got := s.sockets[0].values(t); len(got) != 6000 || got[5999] != "2999-" {
		t.Errorf("%d messages, want 3000 values and as many deletes", len(got))
	}
	if info, _ := h.Topic("a"); info.Keys != 0 {
		t.Errorf("%d keys are left", info.Keys)
	}
}
