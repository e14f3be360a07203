package broadcast_test

import (
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/pushd/pushd/broadcast"
)

func settings(set broadcast.Settings) broadcast.Config {
	return broadcast.Config{Patience: -1, Encoders: both, Settings: func(string) broadcast.Settings { return set }}
}

// value publishes a value of a key and returns its offset.
func value(t testing.TB, h *broadcast.Hub, key string, size int) uint64 {
	t.Helper()
	r, err := h.TryPublish("a", broadcast.Message{Key: key, Payload: payload(1, size)})
	if err != nil {
		t.Fatal(err)
	}
	return r.Position.Offset
}

// keys returns the keys of what the peer has received, in dialect 1.
func (s *socket) keys(t testing.TB) (all []string) {
	t.Helper()
	for at := 0; at < len(s.out); {
		m, n := parse(s.out[at:])
		if n == 0 {
			break
		}
		all = append(all, m.Key)
		at += n
	}
	return all
}

// TestBusyKey: neither is a key that never stands still kept from somebody slow, nor
// are the others.
func TestBusyKey(t *testing.T) {
	h := broadcast.NewHub(settings(broadcast.Settings{Slow: broadcast.Conflate}))
	s := newShard(t, h, 101)
	for slot := range uint32(101) { // so many that a pass is always under way
		s.subscribe(slot, "a", 1, nil)
	}
	s.sockets[0].room = 0
	const cold = 20
	for i := range cold {
		value(t, h, fmt.Sprint("cold", i), 10)
	}
	for i := range 400 {
		value(t, h, fmt.Sprint("cold", i%cold), 10)
		value(t, h, "hot", 10)
		s.unblock(0, 40)
		s.Work(past)
	}
	got := s.sockets[0].keys(t)
	hot, first := 0, slices.Index(got, fmt.Sprint("cold", cold-1))
	for _, k := range got {
		if k == "hot" {
			hot++
		}
	}
	if first < 0 || hot < 5 {
		t.Errorf("of %d messages %d are of the busy key, and the last of the others is at %d", len(got), hot, first)
	}
}

// TestRejoinBusy: whoever takes what it is sent rejoins, however busy the topic is.
func TestRejoinBusy(t *testing.T) {
	h := broadcast.NewHub(settings(broadcast.Settings{Slow: broadcast.Conflate}))
	s := newShard(t, h, 101)
	for slot := range uint32(101) {
		s.subscribe(slot, "a", 1, nil)
	}
	s.sockets[0].room = 0
	for i := range 400 {
		value(t, h, fmt.Sprint(i%3), 10)
		if i == 100 {
			if s.Stats().Lagging.Load() != 1 {
				t.Fatal("it does not lag")
			}
			s.unblock(0, math.MaxInt)
		}
		if s.Work(past); i > 100 && s.Stats().Lagging.Load() == 0 {
			return
		}
	}
	t.Error("it lags for ever")
}

// TestRetained: whoever subscribes is sent the newest value of each key, and then what follows, each key in order,
// under every policy; and so is whoever asks for a position that is gone.
func TestRetained(t *testing.T) {
	for _, policy := range []broadcast.Policy{broadcast.Disconnect, broadcast.Drop, broadcast.Conflate} {
		t.Run(policy.String(), func(t *testing.T) {
			h := broadcast.NewHub(settings(broadcast.Settings{Slow: policy, Retain: true}))
			s := newShard(t, h, 2)
			s.subscribe(0, "a", 1, nil)
			for i := range 100 {
				value(t, h, fmt.Sprint(i%50), 1000)
			}
			if _, err := h.TryPublish("a", broadcast.Message{Kind: broadcast.Delete, Key: "7"}); err != nil {
				t.Fatal(err)
			}
			s.work(future)
			r, err := s.Subscribe(1, &s.sockets[1].list, "a", 1, broadcast.Options{Since: &broadcast.Position{Epoch: "never"}})
			if err != nil || r.Recovered || !r.Retain || r.Policy != policy {
				t.Fatalf("%+v, %v", r, err)
			}
			s.Work(past) // a turn of the values has gone out, the rest has not
			for i := range 100 {
				value(t, h, fmt.Sprint(i%50), 500-490*(i/50))
			}
			s.work(past)
			frames, err := parseAll(s.sockets[1].out)
			if err != nil {
				t.Fatal(err)
			}
			newest, kept := map[string]int{}, 0
			for _, m := range frames {
				if len(m.Payload) > newest[m.Key] && newest[m.Key] > 0 {
					t.Errorf("key %s went back", m.Key)
				}
				newest[m.Key] = len(m.Payload)
				if m.Retained {
					kept++
				}
			}
			if kept < 16 || kept > 49 || len(newest) != 50 {
				t.Errorf("%d of %d messages were retained, of %d keys", kept, len(frames), len(newest))
			}
			for key, size := range newest {
				if size != 10 {
					t.Errorf("key %s is not at its newest", key)
				}
			}
			if got := s.sockets[1].notices; !slices.Equal(got, []string{"a live"}) {
				t.Errorf("told %v", got)
			}
		})
	}
}

// TestRate: everybody at a rate is sent each key's newest value once a period, in
// however many turns, whoever comes and goes meanwhile.
func TestRate(t *testing.T) {
	h := broadcast.NewHub(settings(broadcast.Settings{Slow: broadcast.Conflate, MaxRate: 60}))
	s := newShard(t, h, 100)
	for slot := range uint32(90) {
		if r, err := s.Subscribe(slot, &s.sockets[slot].list, "a", 1, broadcast.Options{MaxRate: 0.7}); err != nil || r.MaxRate != 0.5 {
			t.Fatalf("%+v, %v", r, err)
		}
	}
	const keys, rounds = 60, 3
	began := time.Now()
	for range rounds {
		for range 10 {
			for i := range keys {
				value(t, h, fmt.Sprint(i), 1000)
			}
			h.Advance(200 * time.Millisecond)
			for range 40 {
				s.Work(past)
			}
			s.Leave(&s.sockets[80].list) // in the middle of a pass, perhaps
			s.subscribe(95, "a", 1, nil)
			s.Leave(&s.sockets[95].list)
		}
	}
	for range 10 {
		h.Advance(200 * time.Millisecond)
		s.work(past)
	}
	for slot := range uint32(80) {
		counts := map[string]int{}
		for _, k := range s.sockets[slot].keys(t) {
			counts[k]++
		}
		for key, n := range counts {
			if n < rounds || n > rounds+1+int((time.Since(began)+2*time.Second-1)/(2*time.Second)) { // the hub's clock is the real one, set forward
				t.Fatalf("slot %d was sent key %s %d times in %d periods", slot, key, n, rounds)
			}
		}
		if len(counts) != keys {
			t.Fatalf("slot %d was sent %d keys", slot, len(counts))
		}
	}
}

// TestDrop: whoever falls out of the log is told of the gap, and goes on; whoever
// never reads again is left alone.
func TestDrop(t *testing.T) {
	h := broadcast.NewHub(settings(broadcast.Settings{Slow: broadcast.Drop, LogLimit: 8 << 10}))
	s := newShard(t, h, 3)
	var gap broadcast.Notice
	s.onTell = func(slot uint32, _ string, n broadcast.Notice) { gap = n }
	for slot := range uint32(3) {
		s.subscribe(slot, "a", 1, nil)
	}
	s.sockets[0].room, s.sockets[1].room = 300, 0
	for range 100 {
		value(t, h, "", 100)
		s.work(past)
	}
	s.unblock(0, math.MaxInt)
	s.work(past)
	frames, err := parseAll(s.sockets[0].out)
	if err != nil {
		t.Fatal(err)
	}
	missing := 0
	for i, m := range frames[1:] {
		if was := frames[i]; m.Position.Offset != was.Position.Offset+1 {
			missing++
			if gap.Kind != broadcast.Gap || gap.From != was.Position || gap.To != m.Previous {
				t.Errorf("told %+v of the gap between %v and %v", gap, was.Position, m.Position)
			}
		}
	}
	if missing != 1 || frames[len(frames)-1].Position.Offset != 100 {
		t.Errorf("%d gaps, the last message is %v", missing, frames[len(frames)-1].Position)
	}
	if got := s.sockets[1]; len(got.notices) != 0 || len(got.out) != 0 {
		t.Errorf("whoever does not read was told %v and sent %d bytes", got.notices, len(got.out))
	}
	if got := len(s.sockets[2].offsets(t)); got != 100 {
		t.Errorf("whoever reads has %d messages", got)
	}
	if st := s.Stats(); st.Gaps.Load() != 1 || st.Lost.Load() != 0 || st.Dropped.Load() != uint64(100-len(frames)) {
		t.Errorf("%d gaps, %d lost, %d dropped of %d", st.Gaps.Load(), st.Lost.Load(), st.Dropped.Load(), 100-len(frames))
	}
}

// TestLiveAtRate: who comes between two ticks is told that it is live when it has
// been sent what there was when it came.
func TestLiveAtRate(t *testing.T) {
	for _, retain := range []bool{false, true} {
		h := broadcast.NewHub(settings(broadcast.Settings{Slow: broadcast.Conflate, MaxRate: 1, Retain: retain}))
		s := newShard(t, h, 10)
		for slot := range uint32(8) { // one for each phase
			s.subscribe(slot, "a", 1, nil)
		}
		value(t, h, "k", 10)
		for range 9 {
			h.Advance(200 * time.Millisecond)
			s.work(past)
		}
		value(t, h, "k", 20)
		info, _ := h.Topic("a")
		since := broadcast.Position{Epoch: info.Position.Epoch, Offset: 1}
		if retain {
			since.Epoch = "never"
		}
		if r := s.subscribe(8, "a", 1, &since); r.Position != info.Position || r.Retain != retain {
			t.Errorf("%+v", r)
		}
		for range 15 {
			s.work(past)
			frames, _ := parseAll(s.sockets[8].out)
			seen := len(frames) > 0 && len(frames[len(frames)-1].Payload) == 20
			if live := len(s.sockets[8].notices) > 0; live && !seen {
				t.Errorf("retain %t: live before the newest value", retain)
			}
			h.Advance(200 * time.Millisecond)
		}
		if got := s.sockets[8].notices; !slices.Equal(got, []string{"a live"}) {
			t.Errorf("retain %t: told %v", retain, got)
		}
		if n := s.Stats().Lagging.Load(); n != 0 {
			t.Errorf("%d lag", n)
		}
	}
}
