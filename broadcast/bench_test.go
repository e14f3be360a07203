package broadcast_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/pushd/pushd/broadcast"
)

// counter is a Writer that only counts.
type counter struct{ writes, bytes int }

func (w *counter) Write(_ uint32, a, b []byte) (int, broadcast.Outcome) {
	w.writes++
	w.bytes += len(a) + len(b)
	return len(a) + len(b), broadcast.Sent
}

func (w *counter) Keep(uint32, []byte)                   {}
func (w *counter) Tell(uint32, string, broadcast.Notice) {}

// crowd returns a hub, and a shard with members of topic "a" that has sent some
// messages already.
func crowd(tb testing.TB, members int) (*broadcast.Hub, *broadcast.Shard, *counter) {
	tb.Helper()
	h := broadcast.NewHub(broadcast.Config{Patience: -1, Encoders: []broadcast.Encoder{plain{}}})
	w := &counter{}
	s := h.NewShard(w, func() {})
	for slot := range uint32(members) {
		var list broadcast.List
		if _, err := s.Subscribe(slot, &list, "a", 0, broadcast.Options{}); err != nil {
			tb.Fatal(err)
		}
	}
	for range 100 {
		publish(tb, h, "a", 1, 100)
		s.Work(future)
	}
	return h, s, w
}

// BenchmarkDrain is one message to 10,000 subscribers: what a pass costs beside
// the system calls.
func BenchmarkDrain(b *testing.B) {
	const members = 10_000
	h, s, w := crowd(b, members)
	m := message("a", make([]byte, 100))
	w.writes = 0
	b.ReportAllocs()
	for b.Loop() {
		if _, err := h.TryPublish("a", m); err != nil {
			b.Fatal(err)
		}
		s.Work(future)
	}
	if w.writes != b.N*members {
		b.Fatalf("%d writes for %d passes", w.writes, b.N)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(w.writes), "ns/subscriber")
}

// BenchmarkDrainMany is a message to each of 50 topics that 1,000 connections
// have all subscribed to.
func BenchmarkDrainMany(b *testing.B) {
	const conns, topics = 1000, 50
	h := broadcast.NewHub(broadcast.Config{Patience: -1, Encoders: both})
	w := &counter{}
	s := h.NewShard(w, func() {})
	names := make([]string, topics)
	for i := range names {
		names[i] = fmt.Sprint("t", i)
	}
	for c := range uint32(conns) {
		var list broadcast.List
		for _, name := range names {
			if _, err := s.Subscribe(c, &list, name, 0, broadcast.Options{}); err != nil {
				b.Fatal(err)
			}
		}
	}
	payload := make([]byte, 100)
	round := func() {
		for _, name := range names {
			if _, err := h.TryPublish(name, message(name, payload)); err != nil {
				b.Fatal(err)
			}
		}
		s.Work(future)
	}
	round()
	w.writes = 0
	b.ReportAllocs()
	for b.Loop() {
		round()
	}
	if w.writes != b.N*conns {
		b.Fatalf("%d writes for %d rounds to %d connections", w.writes, b.N, conns)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*conns*topics), "ns/delivery")
}

// BenchmarkEnqueue is a publish.
func BenchmarkEnqueue(b *testing.B) {
	h, s, _ := crowd(b, 1)
	m := message("a", make([]byte, 100))
	b.SetBytes(100)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if _, err := h.TryPublish("a", m); err != nil {
			b.Fatal(err)
		}
		if i%64 == 63 {
			s.Work(future)
		}
	}
}

// BenchmarkEnqueueBatch is a publish of many.
func BenchmarkEnqueueBatch(b *testing.B) {
	h, s, _ := crowd(b, 1)
	m := message("a", make([]byte, 100))
	batch := h.Batch()
	b.SetBytes(100)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if _, err := batch.Publish(context.Background(), "a", m); err != nil {
			b.Fatal(err)
		}
		if i%64 == 63 {
			batch.Flush()
			s.Work(future)
		}
	}
}

// BenchmarkConflate is one of 1,000 keys, published to a topic that conflates, and
// encoded for whoever is behind.
func BenchmarkConflate(b *testing.B) {
	h := broadcast.NewHub(settings(broadcast.Settings{Slow: broadcast.Conflate, MaxRate: 50}))
	w := &counter{}
	s := h.NewShard(w, func() {})
	var list broadcast.List
	if _, err := s.Subscribe(0, &list, "a", 0, broadcast.Options{}); err != nil {
		b.Fatal(err)
	}
	keys := make([]string, 1000)
	for i := range keys {
		keys[i] = fmt.Sprint("key", i)
	}
	m := message("a", make([]byte, 100))
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		m.Key = keys[i%len(keys)]
		if _, err := h.TryPublish("a", m); err != nil {
			b.Fatal(err)
		}
		if i%len(keys) == len(keys)-1 {
			h.Advance(time.Second)
			s.Work(future)
		}
	}
}

// BenchmarkSubscribe is a subscription to a topic that has subscribers, and
// BenchmarkLeave the end of one; BenchmarkJoin is a subscription that resumes 10
// messages and has caught up.
func BenchmarkSubscribe(b *testing.B) {
	benchmarkComing(b, broadcast.Options{}, func(s *broadcast.Shard, lists []broadcast.List) {
		b.StopTimer()
		leaveAll(s, lists)
		b.StartTimer()
	})
}

func BenchmarkLeave(b *testing.B) {
	_, s, _ := crowd(b, 1)
	lists := make([]broadcast.List, 10_000)
	subscribe := func() {
		for i := range lists {
			if _, err := s.Subscribe(uint32(i), &lists[i], "a", 0, broadcast.Options{}); err != nil {
				b.Fatal(err)
			}
		}
	}
	subscribe()
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if i > 0 && i%len(lists) == 0 {
			b.StopTimer()
			subscribe()
			b.StartTimer()
		}
		s.Leave(&lists[i%len(lists)])
	}
}

func BenchmarkJoin(b *testing.B) {
	benchmarkComing(b, broadcast.Options{Since: &broadcast.Position{}}, func(s *broadcast.Shard, lists []broadcast.List) {
		s.Work(future)
		b.StopTimer()
		leaveAll(s, lists)
		b.StartTimer()
	})
}

func leaveAll(s *broadcast.Shard, lists []broadcast.List) {
	for i := range lists {
		s.Leave(&lists[i])
	}
}

// benchmarkComing subscribes with o, from ten messages ago where it resumes, and
// calls then whenever 10,000 have come.
func benchmarkComing(b *testing.B, o broadcast.Options, then func(*broadcast.Shard, []broadcast.List)) {
	h, s, _ := crowd(b, 1)
	if o.Since != nil {
		info, _ := h.Topic("a")
		*o.Since = broadcast.Position{Epoch: info.Position.Epoch, Offset: info.Position.Offset - 10}
	}
	lists := make([]broadcast.List, 10_000)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if _, err := s.Subscribe(uint32(i%len(lists)), &lists[i%len(lists)], "a", 0, o); err != nil {
			b.Fatal(err)
		}
		if i%len(lists) == len(lists)-1 {
			then(s, lists)
		}
	}
}

// TestAllocs: neither a pass nor a publish allocates, but for the log's chunks
// and what grows with them.
func TestAllocs(t *testing.T) {
	h, s, _ := crowd(t, 1000)
	m := message("a", make([]byte, 100))
	ctx := context.Background()
	batch := h.Batch()
	const messages = 1000 // in a run, which fill two chunks
	tests := []struct {
		name    string
		publish func() error
	}{
		{"TryPublish", func() error { _, err := h.TryPublish("a", m); return err }},
		{"Publish", func() error { _, err := h.Publish(ctx, "a", m); return err }},
		{"Batch", func() error { _, err := batch.Publish(ctx, "a", m); batch.Flush(); return err }},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			run := func() {
				for range messages {
					if err := test.publish(); err != nil {
						t.Fatal(err)
					}
					s.Work(future)
				}
			}
			if n := testing.AllocsPerRun(3, run) / messages; n >= 0.1 {
				t.Errorf("%.2f allocations for each message published and sent to 1,000", n)
			}
		})
	}
}
