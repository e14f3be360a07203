package broadcast_test

import (
	"context"
	"testing"

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
	h := broadcast.NewHub(broadcast.Config{Encoders: []broadcast.Encoder{plain{}}})
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

// BenchmarkPass10k is one message to 10,000 members: what the pass costs beside
// the system calls.
func BenchmarkPass10k(b *testing.B) {
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
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(w.writes), "ns/member")
}

func BenchmarkPublish(b *testing.B) {
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

func BenchmarkBatch(b *testing.B) {
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

func BenchmarkSubscribeLeave(b *testing.B) {
	_, s, _ := crowd(b, 10_000)
	b.ReportAllocs()
	for b.Loop() {
		var list broadcast.List
		if _, err := s.Subscribe(0, &list, "a", 0, broadcast.Options{}); err != nil {
			b.Fatal(err)
		}
		s.Leave(&list)
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
