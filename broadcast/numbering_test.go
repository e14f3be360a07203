package broadcast_test

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/pushd/pushd/broadcast"
)

// at returns a position whose epoch has 8 characters, as the tests' dialect has it.
func at(epoch string, offset uint64) broadcast.Position {
	return broadcast.Position{Epoch: fmt.Sprintf("%-8s", epoch), Offset: offset}
}

// TestPublishersPositions: what a publisher numbers stands where it says, once.
func TestPublishersPositions(t *testing.T) {
	type step struct {
		give, want broadcast.Position
		duplicate  bool
		err        error
	}
	none := broadcast.Position{}
	for label, steps := range map[string][]step{
		"strictly increasing, with holes": {{at("e", 5), at("e", 5), false, nil}, {at("e", 6), at("e", 6), false, nil}, {at("e", 90), at("e", 90), false, nil}},
		"equal or lower":                  {{at("e", 5), at("e", 5), false, nil}, {at("e", 5), at("e", 5), true, nil}, {at("e", 1), at("e", 1), true, nil}, {at("e", 6), at("e", 6), false, nil}},
		"another epoch":                   {{at("e", 5), at("e", 5), false, nil}, {at("f", 1), at("f", 1), false, nil}, {at("f", 2), at("f", 2), false, nil}},
		"late for an ended epoch":         {{at("e", 5), at("e", 5), false, nil}, {at("f", 1), at("f", 1), false, nil}, {at("e", 4), at("e", 4), true, nil}, {at("e", 6), none, false, broadcast.ErrPositionConflict}},
		"then without":                    {{at("e", 5), at("e", 5), false, nil}, {none, none, false, broadcast.ErrPositionConflict}, {at("e", 6), at("e", 6), false, nil}},
	} {
		t.Run(label, func(t *testing.T) {
			h := broadcast.NewHub(broadcast.Config{Patience: -1, Encoders: both})
			held := 0
			for i, s := range steps {
				r, err := h.TryPublish("a", broadcast.Message{Position: s.give, Payload: []byte("x")})
				if err != s.err || err == nil && (r.Position != s.want || r.Duplicate != s.duplicate) {
					t.Fatalf("step %d: %+v, %v", i, r, err)
				}
				if err == nil && !s.duplicate {
					held++
				}
			}
			var last broadcast.Position
			n := 0
			h.Messages("a", nil, 100, func(m broadcast.Message) bool {
				if n++; n > 1 && m.Previous != last {
					t.Errorf("%v follows %v, the one before was %v", m.Position, m.Previous, last)
				}
				last = m.Position
				return true
			})
			if n != held {
				t.Errorf("%d messages, want %d", n, held)
			}
		})
	}
	h := broadcast.NewHub(broadcast.Config{Patience: -1, Encoders: both})
	publish(t, h, "a", 1, 10)
	if _, err := h.TryPublish("a", broadcast.Message{Position: at("e", 5)}); err != broadcast.ErrPositionConflict {
		t.Errorf("a topic that numbers by itself: %v", err)
	}
}

// TestTwoServers: two hubs that are fed alike, one of them late and with less of a
// log, resume each other's subscribers.
func TestTwoServers(t *testing.T) {
	for _, policy := range []broadcast.Policy{broadcast.Disconnect, broadcast.Drop} {
		one := broadcast.NewHub(settings(broadcast.Settings{Slow: policy}))
		two := broadcast.NewHub(settings(broadcast.Settings{Slow: policy, LogLimit: 16 << 10}))
		a, b := newShard(t, one, 1), newShard(t, two, 300)
		b.subscribe(299, "a", 1, nil)
		feed := func(h *broadcast.Hub, n int) {
			epoch := "first"
			if n > 150 {
				epoch = "then"
			}
			if _, err := h.TryPublish("a", broadcast.Message{Position: at(epoch, uint64(n*3)), Payload: payload(uint32(n), 60)}); err != nil {
				t.Fatal(err)
			}
		}
		a.subscribe(0, "a", 1, nil)
		const n = 200
		for i := 1; i <= n; i++ {
			feed(one, i)
			a.work(past)
		}
		all, err := parseAll(a.sockets[0].out)
		if err != nil || len(all) != n {
			t.Fatalf("%d messages, %v", len(all), err)
		}
		// The second is fed a part, then somebody comes from each position of the first, then it is fed the rest.
		const part = 120
		for i := 20; i <= part; i++ {
			feed(two, i)
		}
		b.work(past)
		recovered := map[int]bool{}
		for i := range n {
			r := b.subscribe(uint32(i), "a", 1, &all[i].Position)
			recovered[i] = r.Recovered
			if r.Recovered && r.Position != all[max(i, part-1)].Position {
				t.Errorf("from %v it is to be sent what comes after %v", all[i].Position, r.Position)
			}
		}
		for i := part + 1; i <= n; i++ {
			feed(two, i)
			b.work(past)
		}
		b.work(past)
		for i := range n {
			got, err := parseAll(b.sockets[i].out)
			if err != nil {
				t.Fatal(err)
			}
			from := i + 1
			if !recovered[i] {
				from = part
				if i >= 60 && i < 150 { // those of an epoch that the second has not heard of are not
					t.Errorf("who has seen up to %v is not resumed", all[i].Position)
				}
			}
			if len(got) != n-from {
				t.Fatalf("who has seen up to %v was sent %d messages, %d were missing; recovered: %t", all[i].Position, len(got), n-from, recovered[i])
			}
			for k, m := range got {
				if m.Position != all[from+k].Position {
					t.Fatalf("who has seen up to %v was sent %v as the one number %d", all[i].Position, m.Position, k)
				}
			}
			if live := slices.Contains(b.sockets[i].notices, "a live"); live != recovered[i] {
				t.Errorf("from %v: live %t, recovered %t", all[i].Position, live, recovered[i])
			}
		}
		if n := b.Stats().Lagging.Load(); n != 0 {
			t.Errorf("%d lag", n)
		}
	}
}

// TestIDs: a message with an id that is remembered is published once in each topic.
func TestIDs(t *testing.T) {
	h := broadcast.NewHub(broadcast.Config{Patience: -1, Encoders: both, MaxIDs: 10, RememberIDs: time.Minute})
	give := func(topic, id string) broadcast.Receipt {
		r, err := h.TryPublish(topic, broadcast.Message{ID: id, Payload: []byte("x")})
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	first := give("a", "one")
	if again := give("a", "one"); !again.Duplicate || again.Position != first.Position {
		t.Errorf("%+v after %+v", again, first)
	}
	if other := give("b", "one"); other.Duplicate {
		t.Error("an id of another topic")
	}
	for i := range 9 { // ten are remembered, the oldest go first
		give("a", fmt.Sprint(i))
	}
	if give("a", "one").Duplicate || !give("a", "8").Duplicate {
		t.Error("not the oldest was forgotten")
	}
	if n := h.Stats().IDs; n != 10 {
		t.Errorf("%d ids", n)
	}
	h.Advance(2 * time.Minute)
	if give("a", "8").Duplicate {
		t.Error("it is remembered for ever")
	}
	if n := h.Stats().IDs; n != 1 {
		t.Errorf("%d ids after a while", n)
	}
}

// TestHistory: each of its bounds narrows what can be resumed from, and nothing else.
func TestHistory(t *testing.T) {
	for _, test := range []struct {
		label string
		broadcast.History
		oldest uint64
	}{
		{"none", broadcast.History{}, 0},
		{"count", broadcast.History{Count: 30}, 70},
		{"more than there are", broadcast.History{Count: 1000, Bytes: 1 << 20, Age: time.Hour}, 0},
		{"bytes", broadcast.History{Bytes: 1050}, 90},
		{"age", broadcast.History{Age: 90 * time.Second}, 60},
		{"the narrowest", broadcast.History{Count: 30, Bytes: 2050, Age: 90 * time.Second}, 80},
	} {
		t.Run(test.label, func(t *testing.T) {
			h := broadcast.NewHub(settings(broadcast.Settings{History: test.History}))
			for i := range 100 {
				if i == 60 {
					h.Advance(2 * time.Minute)
				}
				value(t, h, "", 100)
			}
			s := newShard(t, h, 101)
			info, _ := h.Topic("a")
			for o := range uint64(101) {
				p := at(info.Position.Epoch, o)
				r := s.subscribe(uint32(o), "a", 1, &p)
				if r.Recovered != (o >= test.oldest) || !r.Recovered && r.History.Offset != test.oldest {
					t.Errorf("from %d: %+v", o, r)
				}
				if history, ok := h.Resumable("a", p, 0); ok != r.Recovered || !ok && history != r.History {
					t.Errorf("from %d: resumable: %t, %v", o, ok, history)
				}
			}
			n := 0
			h.Messages("a", nil, math.MaxInt, func(broadcast.Message) bool { n++; return true })
			if n != 100 {
				t.Errorf("the log holds %d messages", n)
			}
		})
	}
}

// TestSkip: raw, which sees no positions, counts.
func TestSkip(t *testing.T) {
	h := broadcast.NewHub(settings(broadcast.Settings{Retain: true}))
	first := broadcast.Position{}
	for i := range 10 {
		r, err := h.TryPublish("a", broadcast.Message{Key: "k", Payload: payload(uint32(i), 10)})
		if err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			first = at(r.Position.Epoch, 0)
		}
		if i == 4 {
			if _, err := h.TryPublish("a", broadcast.Message{Kind: broadcast.Delete, Key: "k"}); err != nil {
				t.Fatal(err)
			}
		}
	}
	s := newShard(t, h, 12)
	for skip := range uint64(12) {
		r, err := s.Subscribe(uint32(skip), &s.sockets[skip].list, "a", 0, broadcast.Options{Since: &first, Skip: skip})
		if err != nil || r.Recovered != (skip <= 10) {
			t.Fatalf("skip %d: %+v, %v", skip, r, err)
		}
		if _, ok := h.Resumable("a", first, skip); ok != r.Recovered {
			t.Errorf("skip %d: resumable %t", skip, ok)
		}
	}
	s.work(past)
	for skip := range 11 {
		frames, err := parseAll(s.sockets[skip].out)
		if err != nil || len(frames) != 10-skip {
			t.Errorf("skip %d: %d messages, %v", skip, len(frames), err)
		}
	}
}

// TestKeyLimits: where values are retained what has no place is refused; where not,
// the least recent goes.
func TestKeyLimits(t *testing.T) {
	for _, set := range []broadcast.Settings{
		{Retain: true, MaxKeys: 10}, {Retain: true, MaxKeyBytes: 10 * (160 + 1 + 100)},
		{Slow: broadcast.Conflate, MaxKeys: 10}, {Slow: broadcast.Conflate, MaxKeyBytes: 10 * (160 + 1 + 100)},
	} {
		h := broadcast.NewHub(settings(set))
		for i := range 20 {
			_, err := h.TryPublish("a", broadcast.Message{Key: string(rune('a' + i)), Payload: make([]byte, 90)})
			if refused := errors.Is(err, broadcast.ErrTooManyKeys); refused != (set.Retain && i >= 10) || err != nil && !refused {
				t.Errorf("%+v: key %d: %v", set, i, err)
			}
		}
		if info, _ := h.Topic("a"); info.Keys != 10 || info.KeyBytes > 10*(160+1+100) {
			t.Errorf("%+v: %d keys, %d bytes", set, info.Keys, info.KeyBytes)
		}
		if err := h.Check(); err != nil {
			t.Error(err)
		}
	}
}

// TestKeyTotal: the tables of all topics together have a limit, and a key that is
// gone keeps no other from its place.
func TestKeyTotal(t *testing.T) {
	const value = 160 + 1 + 100
	retain := true
	h := broadcast.NewHub(broadcast.Config{Patience: -1, Encoders: both, KeyLimit: 20 * value, Settings: func(topic string) broadcast.Settings {
		if topic == "c" {
			return broadcast.Settings{Slow: broadcast.Conflate}
		}
		return broadcast.Settings{Retain: retain, MaxKeys: 15}
	}})
	give := func(topic, key string, kind broadcast.Kind) error {
		_, err := h.TryPublish(topic, broadcast.Message{Kind: kind, Key: key, Payload: make([]byte, 90)})
		return err
	}
	refused := 0
	for i := range 30 {
		for _, topic := range []string{"a", "b", "c"} {
			if err := give(topic, string(rune('A'+i)), broadcast.Text); err == broadcast.ErrTooManyKeys {
				refused++
			} else if err != nil {
				t.Fatal(err)
			}
		}
	}
	if st := h.Stats(); refused == 0 || st.KeyBytes > 20*value+value || st.Keys < 18 || st.Keys > 21 {
		t.Errorf("%d refused, %+v", refused, st)
	}
	if err := give("a", "A", broadcast.Delete); err != nil {
		t.Error(err)
	}
	if err := give("a", "new", broadcast.Text); err != nil {
		t.Errorf("in place of what was deleted: %v", err)
	}
	retain = false
	h.Configure(func(string) broadcast.Settings { return broadcast.Settings{} })
	if st := h.Stats(); st.Keys != 0 || st.KeyBytes != 0 {
		t.Errorf("%+v", st)
	}
}

// TestTinyFrames: what eviction drops at once counts by its records too.
func TestTinyFrames(t *testing.T) {
	h := broadcast.NewHub(broadcast.Config{Patience: -1, Encoders: both, LogLimit: 64 << 10})
	least := uint64(1 << 10)
	for i := range 5000 {
		publish(t, h, "a", 1, 2)
		if info, _ := h.Topic("a"); i > 2000 {
			least = min(least, info.Position.Offset-info.Oldest.Offset)
		}
	}
	if least < 700 {
		t.Errorf("at one time the log held %d messages, and has room for %d", least, 64<<10/(64+10))
	}
}

// TestExpire: a retained value that is not renewed goes, subscribers are told, and
// so it is where the publisher numbers.
func TestExpire(t *testing.T) {
	for _, own := range []bool{false, true} {
		h := broadcast.NewHub(settings(broadcast.Settings{Retain: true, RetainFor: time.Minute}))
		s := newShard(t, h, 2)
		s.subscribe(0, "a", 1, nil)
		for i := range 10 {
			m := broadcast.Message{Key: fmt.Sprint(i), Payload: payload(1, 10)}
			if own {
				m.Position = at("e", uint64(10*i+10))
			}
			if i == 5 {
				h.Advance(40 * time.Second)
			}
			if _, err := h.TryPublish("a", m); err != nil {
				t.Fatal(err)
			}
		}
		h.Expire()
		if info, _ := h.Topic("a"); info.Keys != 10 {
			t.Errorf("%d keys before their time", info.Keys)
		}
		h.Advance(40 * time.Second)
		h.Expire()
		s.work(past)
		frames, err := parseAll(s.sockets[0].out)
		if err != nil || len(frames) != 15 {
			t.Fatalf("%d messages, %v", len(frames), err)
		}
		for i, m := range frames[10:] {
			if m.Kind != broadcast.Delete || m.Key != fmt.Sprint(i) || own && m.Position != at("e", 100) {
				t.Errorf("%+v", m)
			}
		}
		if info, _ := h.Topic("a"); info.Keys != 5 {
			t.Errorf("%d keys are left", info.Keys)
		}
		// Who has seen the last message, but not what expired, is told again.
		last := frames[9].Position
		if r := s.subscribe(1, "a", 1, &last); !r.Recovered {
			t.Errorf("%+v", r)
		}
		if own {
			if _, err := h.TryPublish("a", broadcast.Message{Key: "new", Position: at("e", 101), Payload: payload(1, 10)}); err != nil {
				t.Error(err)
			}
		}
		s.work(past)
		if frames, _ := parseAll(s.sockets[1].out); len(frames) < 5 || frames[0].Key != "0" {
			t.Errorf("who resumes was sent %d messages", len(frames))
		}
		if _, err := h.TryPublish("a", broadcast.Message{Kind: broadcast.Delete, Key: "0"}); err != broadcast.ErrNoKey {
			t.Errorf("deleting what is gone: %v", err)
		}
	}
}

// TestRetainedStays: a topic that retains something outlives the resume window,
// without its log.
func TestRetainedStays(t *testing.T) {
	h := broadcast.NewHub(broadcast.Config{Patience: -1, Encoders: both, ResumeWindow: time.Minute, Settings: func(topic string) broadcast.Settings {
		return broadcast.Settings{Retain: topic == "a"}
	}})
	for range 100 {
		value(t, h, "k", 1000)
		publish(t, h, "b", 1, 1000)
	}
	h.Advance(2 * time.Minute)
	h.Sweep()
	info, ok := h.Topic("a")
	if _, there := h.Topic("b"); there || !ok || info.Keys != 1 || info.Bytes != 0 || h.Stats().LogBytes > 2000 {
		t.Errorf("%+v, %+v", info, h.Stats())
	}
	s := newShard(t, h, 1)
	s.subscribe(0, "a", 1, nil)
	s.work(past)
	if got := s.sockets[0].keys(t); len(got) != 1 {
		t.Errorf("received %v", got)
	}
	s.Leave(&s.sockets[0].list)
	if _, err := h.TryPublish("a", broadcast.Message{Kind: broadcast.Delete, Key: "k"}); err != nil {
		t.Fatal(err)
	}
	h.Advance(2 * time.Minute)
	h.Sweep()
	if st := h.Stats(); st.Topics != 0 || st.LogBytes != 0 {
		t.Errorf("%+v", st)
	}
}

// TestConfigure: limits and retention change at once, the policy for whoever comes
// later; nobody loses anything by it.
func TestConfigure(t *testing.T) {
	h := broadcast.NewHub(broadcast.Config{Patience: -1, Encoders: both})
	s := newShard(t, h, 4)
	s.subscribe(0, "a", 1, nil)
	s.sockets[0].room = 100
	for i := range 30 {
		value(t, h, fmt.Sprint(i%10), 100)
	}
	s.work(past)
	set := broadcast.Settings{Slow: broadcast.Conflate, Retain: true, LogLimit: 128 << 10}
	h.Configure(func(string) broadcast.Settings { return set })
	if info, _ := h.Topic("a"); info.Keys != 10 || info.Settings.LogLimit != 128<<10 {
		t.Errorf("%+v", info)
	}
	if r := s.subscribe(1, "a", 1, nil); r.Policy != broadcast.Conflate || !r.Retain {
		t.Errorf("%+v", r)
	}
	s.sockets[1].room = 100
	s.work(past)
	h.Configure(func(string) broadcast.Settings { return broadcast.Settings{} })
	for range 10 {
		value(t, h, "0", 100)
	}
	s.work(past)
	for slot := range uint32(2) {
		s.unblock(slot, math.MaxInt)
	}
	s.work(past)
	if got := s.sockets[0].offsets(t); !slices.Equal(got, span(1, 40)) {
		t.Errorf("who came before was sent %v", got)
	}
	if got := s.sockets[1].keys(t); len(got) < 10 || len(got) > 21 || got[len(got)-1] != "0" {
		t.Errorf("who came while it conflated was sent %v", got)
	}
	s.Leave(&s.sockets[1].list)
	if info, _ := h.Topic("a"); info.Keys != 0 || info.KeyBytes != 0 {
		t.Errorf("nobody needs keys: %+v", info)
	}
	if err := h.Check(); err != nil {
		t.Error(err)
	}
}
