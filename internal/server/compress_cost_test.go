package server_test

import (
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/gobwas/ws"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/pushd/pushd/internal/server"
)

// TestCompressedCostsNoMore: a connection that has negotiated compression, was sent a compressed message and is idle takes
// no memory that another does not. A compressor of its own would be some hundred KiB, a window 32.
func TestCompressedCostsNoMore(t *testing.T) {
	d := open(t, server.Config{Listen: "127.0.0.1:0", Admin: "127.0.0.1:0", Dev: true, Shards: 1, MaxHandshakes: 1e6, Compress: true})
	_, plain := d.ask("GET /ws?topic=room", upgrade)
	_, compressed := d.ask("GET /ws?topic=room", upgrade+offerDeflate)
	stay := []*peer{plain, compressed} // so that the tapes stay
	w := newWave(d)
	heap := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.GC() // pools have two generations
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	cost := map[string]int64{"": 1 << 40, offerDeflate: 1 << 40}
	for range 4 {
		for offer := range cost {
			before := heap()
			w.connect(len(stay))
			w.upgrade([]byte("GET /ws?topic=room HTTP/1.1\r\nHost: a\r\n" + upgrade + offer + "\r\n"))
			d.listed("topic=room&limit=1000", len(stay)+len(w.fds))
			d.publish("room", strings.Repeat("a", 300))
			for _, fd := range w.fds {
				n, err := unix.Read(fd, w.answer[:])
				w.must(err)
				require.Equal(t, offer != "", n < 300, "compressed")
			}
			for _, p := range stay {
				p.message()
			}
			d.http.CloseIdleConnections()
			cost[offer] = min(cost[offer], int64(heap())-int64(before))
			w.leave(len(stay))
		}
	}
	t.Logf("%d connections take %d bytes of heap, compressed ones %d", len(w.fds), cost[""], cost[offerDeflate])
	require.Less(t, cost[offerDeflate]-cost[""], int64(100*len(w.fds)))
}

// BenchmarkPublish publishes a message of 1 KiB to a thousand subscribers, and has them read it.
func BenchmarkPublish(b *testing.B) {
	const subscribers = 1000
	body, rng := `{"symbol":"AMZN","trades":[`, rand.New(rand.NewPCG(1, 2))
	for len(body) < 1000 {
		body += fmt.Sprintf(`{"price":%.2f,"size":%d,"at":%d},`, 181+rng.Float64(), rng.IntN(500), 1763788779123+rng.IntN(100_000))
	}
	body += "{}]}"
	for _, c := range []struct{ label, offer string }{{"plain", ""}, {"compressed", offerDeflate}} {
		b.Run(c.label, func(b *testing.B) {
			d := open(b, server.Config{Listen: "127.0.0.1:0", Admin: "127.0.0.1:0", Dev: true, Compress: true, MaxHandshakes: 1e6})
			var peers []*peer
			for range subscribers {
				_, p := d.ask("GET /ws?topic=a", upgrade+c.offer)
				peers = append(peers, p)
			}
			d.listed("topic=a&limit=1000", subscribers)
			buf := make([]byte, 4<<10)
			var before, after syscall.Rusage
			sent := d.scrape(d.base + "/metrics")["pushd_sent_bytes_total"]
			require.NoError(b, syscall.Getrusage(syscall.RUSAGE_SELF, &before))
			for b.Loop() {
				d.publish("a", body)
				for _, p := range peers {
					h, err := ws.ReadHeader(p.r)
					require.NoError(b, err)
					_, err = io.ReadFull(p.r, buf[:h.Length])
					require.NoError(b, err)
				}
			}
			require.NoError(b, syscall.Getrusage(syscall.RUSAGE_SELF, &after))
			cpu := after.Utime.Nano() + after.Stime.Nano() - before.Utime.Nano() - before.Stime.Nano()
			b.ReportMetric(float64(cpu)/float64(b.N*subscribers), "cpu-ns/delivery")
			b.ReportMetric((d.scrape(d.base + "/metrics")["pushd_sent_bytes_total"]-sent)/float64(b.N*subscribers), "B/delivery")
		})
	}
}
