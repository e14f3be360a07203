package broadcast_test

import (
	"fmt"
	"runtime"
	"testing"

	"github.com/pushd/pushd/broadcast"
)

// heap returns the bytes of live objects.
func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// BenchmarkMemory reports what subscriptions cost: to topics that many share,
// and to a topic of one's own, as users have.
func BenchmarkMemory(b *testing.B) {
	const conns, topics = 10_000, 64
	for _, bench := range []struct {
		label string
		topic func(conn, i int) string
		n     int
		unit  string
	}{
		{"shared", func(_, i int) string { return fmt.Sprint("topic.", i) }, topics, "B/subscription"},
		{"own", func(c, _ int) string { return fmt.Sprint(broadcast.UserPrefix, "u", 100_000+c) }, 1, "B/user"},
	} {
		b.Run(bench.label, func(b *testing.B) {
			for b.Loop() {
				h := broadcast.NewHub(broadcast.Config{Patience: -1, Encoders: both})
				s := h.NewShard(new(counter), func() {})
				lists := make([]broadcast.List, conns)
				before := heap()
				for c := range lists {
					for i := range bench.n {
						if _, err := s.Subscribe(uint32(c), &lists[c], bench.topic(c, i), 1, broadcast.Options{}); err != nil {
							b.Fatal(err)
						}
					}
				}
				b.ReportMetric(float64(heap()-before)/float64(conns*bench.n), bench.unit)
				runtime.KeepAlive(h)
				runtime.KeepAlive(s)
			}
		})
	}
}
