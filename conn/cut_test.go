package conn_test

import (
	"io"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/stretchr/testify/require"

	"github.com/pushd/pushd/conn"
)

// big is a frame that no small socket takes at once.
var big = serverFrame(ws.OpText, strings.Repeat("x", 200<<10))

// all calls f on the shard's goroutine for each open connection.
func all(s *conn.Shard, f func(c *conn.Conn)) {
	on(s, func() { s.Each(0, 1000, func(c *conn.Conn, _ conn.Info) { f(c) }) })
}

// Who needs more room than all connections together may have is cut off; who has it gets all.
func TestCut(t *testing.T) {
	s := serve(t, conn.Config{Shards: 1, MaxQueued: 300 << 10, CloseTimeout: never}, hooks{listen: narrow})
	first, second := s.dialSmall(t).upgrade(), s.dialSmall(t).upgrade()
	all(s.Shards()[0], func(c *conn.Conn) { s.Shards()[0].Send(c, big) })
	s.awaitLive(t, 1)
	require.EqualValues(t, 1, s.Stats().Cut.Load())
	require.Equal(t, ws.StatusAbnormalClosure, s.lastCode())
	got, err := io.ReadAll(second.r)
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(string(big), string(got)))
	require.Less(t, len(got), len(big))
	second.Close()

	whole := make([]byte, len(big))
	_, err = io.ReadFull(first.r, whole)
	require.NoError(t, err)
	require.Equal(t, string(big), string(whole))
	await(t, "an empty queue", func() bool { return s.queued() == 0 })
	third := s.dialSmall(t).upgrade()
	all(s.Shards()[0], func(c *conn.Conn) { s.Shards()[0].Send(c, serverFrame(ws.OpText, "room again")) })
	first.expect("text room again")
	third.expect("text room again")
	first.leave()
	third.leave()
}

// Nothing follows where a frame broke off: neither what is sent in the same turn, nor what Writable would bring, if the
// socket takes more before the end has come.
func TestCutIsTheLast(t *testing.T) {
	var writable atomic.Int64
	s := serve(t, conn.Config{Shards: 1, MaxQueued: 1 << 10, CloseTimeout: never}, hooks{
		listen: narrow,
		writable: func(s *conn.Shard, c *conn.Conn) {
			writable.Add(1)
			s.Send(c, []byte("more"))
		},
	})
	for _, also := range []string{"nothing else", "a close"} {
		t.Run(also, func(t *testing.T) {
			shard, c := s.Shards()[0], s.dialSmall(t).upgrade()
			read := make(chan int)
			go func() {
				n, _ := io.Copy(io.Discard, c.r)
				read <- int(n)
			}()
			sent, linked := 0, false
			all(shard, func(c *conn.Conn) {
				before := shard.Stats().BytesWritten.Load()
				shard.Send(c, big)
				if also == "a close" { // which finds no room either
					shard.End(c, ws.StatusGoingAway, "")
				}
				shard.Send(c, []byte("more"))
				for deadline := time.Now().Add(patience); !linked && time.Now().Before(deadline); { // until the socket has room
					linked = conn.Linked(s.Engine)
				}
				sent = int(shard.Stats().BytesWritten.Load() - before)
			})
			require.True(t, linked)
			require.Equal(t, sent, <-read)
			c.Close()
			s.awaitLive(t, 0)
		})
	}
	require.Zero(t, writable.Load())
	require.EqualValues(t, 2, s.Stats().Cut.Load())
}
