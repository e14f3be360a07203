package broadcast_test

import (
	"bytes"
	"errors"
	"reflect"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pushd/pushd/broadcast"
)

func TestTopicsAndMessages(t *testing.T) {
	h := broadcast.NewHub(broadcast.Config{Patience: -1, Encoders: both, LogLimit: 64 << 10})
	s := newShard(t, h, 1)
	if _, ok := h.Topic("a"); ok || h.Messages("a", nil, 1, nil) != broadcast.ErrNoTopic || len(h.Topics("", 10)) != 0 {
		t.Error("there is a topic that nobody has used")
	}
	s.subscribe(0, "c", 0, nil)
	publish(t, h, "b", 2, 10)
	publish(t, h, "a", 20, quarter) // chunks end at 4, 12, 20
	h.Shrink("a", 12)

	names := func(infos []broadcast.TopicInfo) (all []string) {
		for _, info := range infos {
			all = append(all, info.Name)
		}
		return all
	}
	for _, test := range []struct {
		after string
		limit int
		want  []string
	}{{"", 10, []string{"a", "b", "c"}}, {"", 2, []string{"a", "b"}}, {"a", 10, []string{"b", "c"}}, {"aa", 1, []string{"b"}}, {"c", 1, nil}, {"", 0, nil}} {
		if got := names(h.Topics(test.after, test.limit)); !slices.Equal(got, test.want) {
			t.Errorf("up to %d after %q: %v, want %v", test.limit, test.after, got, test.want)
		}
	}
	info, _ := h.Topic("a")
	epoch := info.Position.Epoch
	want := broadcast.TopicInfo{Name: "a", Position: broadcast.Position{Epoch: epoch, Offset: 20},
		Oldest: broadcast.Position{Epoch: epoch, Offset: 12}, Bytes: 8 * (1024 + 64), Settings: info.Settings}
	if info != want || len(epoch) != 8 {
		t.Errorf("%+v, want %+v", info, want)
	}
	if info, _ := h.Topic("c"); info.Subscribers != 1 || info.Position.Offset != 0 {
		t.Errorf("%+v", info)
	}

	for _, test := range []struct {
		after uint64
		limit int
		want  []uint64
		err   error
	}{{0, 3, span(13, 15), nil}, {12, 100, span(13, 20), nil}, {18, 100, span(19, 20), nil}, {20, 100, nil, nil},
		{99, 100, nil, broadcast.ErrNoPosition}, {0, 0, nil, nil}} {
		var got []uint64
		if h.Messages("a", &broadcast.Position{Epoch: epoch, Offset: test.after}, test.limit, func(m broadcast.Message) bool {
			got = append(got, m.Position.Offset)
			if m.Topic != "a" || m.Position.Epoch != epoch || m.Previous.Offset != m.Position.Offset-1 || len(m.Payload) != quarter {
				t.Errorf("%+v", m)
			}
			clear(m.Payload) // ours to keep
			return true
		}) != test.err || !slices.Equal(got, test.want) {
			t.Errorf("up to %d after %d: %v, want %v", test.limit, test.after, got, test.want)
		}
	}
	told := 0
	h.Messages("a", &broadcast.Position{Epoch: epoch, Offset: 18}, 2, func(m broadcast.Message) bool {
		told++
		if !bytes.Equal(m.Payload, bytes.Repeat([]byte("x"), quarter)) {
			t.Error("a reader has changed the log")
		}
		return false
	})
	if told != 1 {
		t.Errorf("told %d times after false", told)
	}
	if s := h.Stats(); s.Topics != 3 || s.Published != 22 || s.LogBytes == 0 {
		t.Errorf("%+v", s)
	}
	for _, name := range []string{"a", "nobody's"} {
		if got := h.Name([]byte(name)); got != name {
			t.Errorf("the name %q is %q", name, got)
		}
	}
}

// TestMessageRoundTrip: a message is read, and encoded for a dialect that comes
// into use later, as it was published.
func TestMessageRoundTrip(t *testing.T) {
	h := broadcast.NewHub(broadcast.Config{Patience: -1, Encoders: both})
	s := newShard(t, h, 1)
	var want []broadcast.Message
	for i, m := range []broadcast.Message{
		{Kind: broadcast.Text, Payload: []byte("text")},
		{Kind: broadcast.JSON, Key: "key", Payload: []byte(`{"a":1}`)},
		{Kind: broadcast.Binary, Event: "event", Payload: []byte{0, 255}},
		{Kind: broadcast.Binary, Key: "k", Event: "e", Payload: []byte{}},
	} {
		m.Topic, m.Previous = "forged", broadcast.Position{Epoch: "forged", Offset: 78}
		r, err := h.TryPublish("a", m)
		if err != nil {
			t.Fatal(err)
		}
		m.Topic, m.Position, m.Previous = "a", broadcast.Position{Epoch: r.Position.Epoch, Offset: uint64(i + 1)}, broadcast.Position{Epoch: r.Position.Epoch, Offset: uint64(i)}
		want = append(want, m)
	}
	var read []broadcast.Message
	h.Messages("a", nil, 10, func(m broadcast.Message) bool {
		m.Payload = append([]byte{}, m.Payload...)
		read = append(read, m)
		return true
	})
	if !reflect.DeepEqual(read, want) {
		t.Errorf("read %+v, want %+v", read, want)
	}
	s.subscribe(0, "a", 1, &broadcast.Position{Epoch: want[0].Position.Epoch})
	s.work(past)
	if sent, err := parseAll(s.sockets[0].out); err != nil || !reflect.DeepEqual(sent, want) {
		t.Errorf("sent %+v, %v", sent, err)
	}
}

func TestTooManyTopics(t *testing.T) {
	h := broadcast.NewHub(broadcast.Config{Patience: -1, Encoders: both, MaxTopics: 2})
	s := newShard(t, h, 1)
	publish(t, h, "a", 1, 10)
	s.subscribe(0, "b", 0, nil)
	if _, err := h.TryPublish("c", message("c", nil)); !errors.Is(err, broadcast.ErrTooManyTopics) {
		t.Errorf("publish: %v", err)
	}
	if _, err := s.Subscribe(0, &s.sockets[0].list, "c", 0, broadcast.Options{}); !errors.Is(err, broadcast.ErrTooManyTopics) {
		t.Errorf("subscribe: %v", err)
	}
	if n := s.Count(s.sockets[0].list); n != 1 {
		t.Errorf("%d subscriptions after a refusal", n)
	}
	publish(t, h, "b", 1, 10)
	s.work(past)
	s.expect(0, 1, 1)
}

// TestSweep: a topic outlives its last message and its last subscriber by the
// resume window; when it begins again it is another one.
func TestSweep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := broadcast.NewHub(broadcast.Config{Patience: -1, Encoders: both, ResumeWindow: time.Minute})
		s := newShard(t, h, 1)
		exists := func(want bool) {
			t.Helper()
			h.Sweep()
			if _, ok := h.Topic("a"); ok != want {
				t.Fatalf("exists: %t", ok)
			}
		}
		first := publish(t, h, "a", 1, 10)
		time.Sleep(time.Minute)
		exists(true)
		publish(t, h, "a", 1, 10)
		time.Sleep(time.Minute)
		exists(true)
		s.subscribe(0, "a", 1, nil)
		time.Sleep(2 * time.Minute)
		exists(true)
		s.Leave(&s.sockets[0].list)
		time.Sleep(time.Minute)
		exists(true)
		time.Sleep(time.Nanosecond)
		exists(false)
		if s := h.Stats(); s.LogBytes != 0 || s.Topics != 0 {
			t.Errorf("%+v", s)
		}
		r := s.subscribe(0, "a", 0, &first.Position)
		if r.Recovered || r.Position.Epoch == first.Position.Epoch || r.Position.Offset != 0 || r.History != r.Position {
			t.Errorf("in its second life: %+v after %+v", r, first)
		}
	})
}

// TestSweepRaces: nobody is made a subscriber of a topic that is being
// forgotten, where no news would come, and of two sweeps that find a topic idle
// the second does not forget the one that has its name by then.
func TestSweepRaces(t *testing.T) {
	h := broadcast.NewHub(broadcast.Config{Patience: -1, Encoders: both, ResumeWindow: 1})
	s := newShard(t, h, 1)
	var sweepers sync.WaitGroup
	var over atomic.Bool
	for range 2 {
		sweepers.Go(func() {
			for !over.Load() {
				h.Sweep()
			}
		})
	}
	for n := 0; n < 10_000 && !t.Failed(); n++ {
		publish(t, h, "a", 1, 0)
		s.subscribe(0, "a", 0, nil)
		publish(t, h, "a", 1, 0)
		if s.Work(future); s.sockets[0].writes != n+1 {
			t.Errorf("%d writes after %d messages to a subscriber", s.sockets[0].writes, n+1)
		}
		s.Leave(&s.sockets[0].list)
	}
	over.Store(true)
	sweepers.Wait()
	if err := h.Check(); err != nil {
		t.Error(err)
	}
}

// TestSweepAndReclaim: what a sweep has given back is not given back again by a
// publisher that makes room at the same time.
func TestSweepAndReclaim(t *testing.T) {
	h := broadcast.NewHub(broadcast.Config{Patience: -1, Encoders: both, ResumeWindow: 1, MemoryLimit: broadcast.MaxChunk + 8<<10})
	var publishers, sweeper sync.WaitGroup
	var over atomic.Bool
	sweeper.Go(func() {
		for !over.Load() {
			h.Sweep()
		}
	})
	for range 2 {
		publishers.Go(func() {
			for n := range 10_000 {
				topic := string(rune('a' + n%16))
				if _, err := h.TryPublish(topic, message(topic, nil)); err != nil && !errors.Is(err, broadcast.ErrNoRoom) {
					t.Error(err)
				}
			}
		})
	}
	publishers.Wait()
	over.Store(true)
	sweeper.Wait()
	if err := h.Check(); err != nil {
		t.Error(err)
	}
}

// TestDialectOutOfUse: a tape goes with its last reader on any shard.
func TestDialectOutOfUse(t *testing.T) {
	h := broadcast.NewHub(broadcast.Config{Patience: -1, Encoders: both})
	one, two := newShard(t, h, 1), newShard(t, h, 1)
	one.subscribe(0, "a", 1, nil)
	two.subscribe(0, "a", 1, nil)
	publish(t, h, "a", 1, 10)
	for i, step := range []func(){
		func() {},
		func() { one.work(past); one.Leave(&one.sockets[0].list) },
		func() { two.work(past); two.Leave(&two.sockets[0].list) },
	} {
		step()
		if got, want := h.Stats().LogBytes, []int64{8 << 10, 8 << 10, 4 << 10}[i]+broadcast.RecordCost; got != want {
			t.Errorf("step %d: %d bytes, want %d", i, got, want)
		}
	}
	two.expect(0, 1, 1)
}

// TestList takes subscriptions off a connection's list from its ends and its
// middle.
func TestList(t *testing.T) {
	for _, gone := range []string{"a", "b", "c"} {
		t.Run(gone, func(t *testing.T) {
			h := broadcast.NewHub(broadcast.Config{Patience: -1, Encoders: both})
			s := newShard(t, h, 2)
			list := &s.sockets[0].list
			for _, topic := range []string{"a", "b", "c"} {
				s.subscribe(0, topic, 0, nil)
				s.subscribe(1, topic, 0, nil)
				if _, err := s.Subscribe(0, list, topic, 1, broadcast.Options{}); !errors.Is(err, broadcast.ErrAlready) {
					t.Errorf("a second subscription to %s: %v", topic, err)
				}
			}
			if !s.Unsubscribe(list, gone) || s.Unsubscribe(list, gone) || s.Unsubscribe(list, "nobody's") {
				t.Error("unsubscribed from what it was not subscribed to, or not from what it was")
			}
			var left []string
			s.Topics(*list, func(topic string, _ uint64) bool { left = append(left, topic); return true })
			want := slices.DeleteFunc([]string{"c", "b", "a"}, func(topic string) bool { return topic == gone })
			if !slices.Equal(left, want) || s.Count(*list) != 2 || s.Count(s.sockets[1].list) != 3 {
				t.Errorf("left are %v, want %v; the other has %d", left, want, s.Count(s.sockets[1].list))
			}
			n := 0
			s.Topics(*list, func(string, uint64) bool { n++; return false })
			if n != 1 {
				t.Errorf("called %d times after it returned false", n)
			}
			for _, topic := range []string{"a", "b", "c"} {
				publish(t, h, topic, 1, 10)
			}
			s.work(past)
			if frames, err := parseAll(s.sockets[0].out); err != nil || len(frames) != 2 {
				t.Errorf("received %v, %v", frames, err)
			}
			s.Leave(list)
			if *list != 0 || s.Stats().Subscriptions.Load() != 3 {
				t.Errorf("list %d, %d subscriptions", *list, s.Stats().Subscriptions.Load())
			}
		})
	}
}

// TestTopicsThatSubscribersMakeUp go with them, unless something was published.
func TestTopicsThatSubscribersMakeUp(t *testing.T) {
	h := broadcast.NewHub(broadcast.Config{Patience: -1, Encoders: both})
	s := newShard(t, h, 1)
	s.subscribe(0, "silent", 0, nil)
	s.subscribe(0, "spoken", 0, nil)
	publish(t, h, "spoken", 1, 10)
	s.work(past)
	s.Leave(&s.sockets[0].list)
	if _, ok := h.Topic("silent"); ok {
		t.Error("a topic is left that nothing was published to")
	}
	if _, ok := h.Topic("spoken"); !ok {
		t.Error("a topic is gone that could be resumed")
	}
}
