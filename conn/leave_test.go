package conn_test

import (
	"io"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/stretchr/testify/require"

	"github.com/pushd/pushd/conn"
)

func restart() (ws.StatusCode, string) { return 1012, "retry_ms=7" }

// The closes of a second are as many as those of any other, also where the first third of the slots is empty.
func TestLeaveEvenly(t *testing.T) {
	const all, before, over, parts = 600, 200, 1600 * time.Millisecond, 8
	var mu sync.Mutex
	var times []time.Time
	s := serve(t, conn.Config{Shards: 2, LeaveOver: over, Farewell: restart}, hooks{
		gone: func(_ *conn.Shard, _ *conn.Conn, _ bool, code ws.StatusCode) {
			mu.Lock()
			defer mu.Unlock()
			if code == 1012 {
				times = append(times, time.Now())
			}
		},
	})
	clients := make([]*client, all)
	for i := range clients {
		clients[i] = s.open(t)
	}
	for _, c := range clients[:before] {
		c.leave()
	}
	s.awaitLive(t, all-before)
	var told sync.WaitGroup
	for _, c := range clients[before:] {
		told.Go(func() {
			io.CopyN(io.Discard, c.r, int64(len("\x88\x0c\x03\xf4retry_ms=7"))) // the close frame
			c.TCPConn.Write([]byte(closing(1012, "")))
			io.Copy(io.Discard, c.r)
			c.Close()
		})
	}
	began := time.Now()
	s.stop()
	told.Wait()
	require.Len(t, times, all-before)
	counts := make([]int, parts+1)
	for _, at := range times {
		counts[min(parts, at.Sub(began)*parts/over)]++
	}
	const mean = (all - before) / parts
	t.Log(counts)
	require.LessOrEqual(t, slices.Max(counts), 2*mean)
	require.Greater(t, slices.Min(counts[:parts]), mean/4)
}

// In a hurry nobody is waited for, but everybody is told: also where the leaving had only begun.
func TestHurry(t *testing.T) {
	for _, c := range []struct {
		label string
		over  time.Duration
		early bool // else when the first has gone
	}{
		{"before", time.Hour, true}, {"while it leaves", time.Minute, false}, {"when all are told", 0, false},
	} {
		t.Run(c.label, func(t *testing.T) {
			var s *server
			s = serve(t, conn.Config{LeaveOver: c.over, CloseTimeout: time.Hour, Farewell: restart}, hooks{
				gone: func(*conn.Shard, *conn.Conn, bool, ws.StatusCode) { s.Hurry() },
			})
			var clients []*client
			for range 300 {
				clients = append(clients, s.open(t))
			}
			if c.early {
				s.Hurry()
			}
			s.stop()
			for _, c := range clients {
				c.expect("close 1012", "EOF")
			}
		})
	}
}
