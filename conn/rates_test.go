package conn_test

import (
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/stretchr/testify/require"

	"github.com/pushd/pushd/conn"
)

// early waits for the first tenths of a second of the shard's clock, so that what follows falls into one.
func early(t *testing.T, s *conn.Shard) {
	t.Helper()
	now := s.Second()
	await(t, "the next second", func() bool { return s.Second() != now })
}

func TestRates(t *testing.T) {
	const none = -1
	long := text(strings.Repeat("x", 3000))
	tooFast := func() (ws.StatusCode, string) { return 4429, "retry_ms=1" }
	for _, test := range []struct {
		label           string
		messages, bytes int
		parts           []string // each is read by itself
		end             string   // "": none
		tooMany         string
	}{
		{"as many messages as may be", 100, none, []string{strings.Repeat(ping(""), 60), strings.Repeat(ping(""), 40)}, "", ""},
		{"one more at once", 100, none, []string{strings.Repeat(ping(""), 101)}, "close 4429", "messages"},
		{"one more in another read", 100, none, []string{strings.Repeat(ping(""), 60), strings.Repeat(ping(""), 41)}, "close 4429", "messages"},
		{"one more, and each is answered before the next is read", 10, none, []string{strings.Repeat(text("ask"), 11)}, "close 4429", "messages"},
		{"fragments", 100, none, []string{fragment(ws.OpText, false, ""), strings.Repeat(fragment(ws.OpContinuation, false, ""), 100)}, "close 4429", "messages"},
		{"pongs are not counted", 100, none, []string{strings.Repeat(pong(""), 1000), strings.Repeat(pong(""), 1000)}, "", ""},
		{"but as bytes", 100, 1000, []string{strings.Repeat(pong(""), 100), strings.Repeat(pong(""), 100)}, "close 4429", "bytes"},
		{"as many bytes as may be", none, 1000, []string{text(strings.Repeat("x", 492)), text(strings.Repeat("x", 492))}, "", ""},
		{"one more byte", none, 1000, []string{text(strings.Repeat("x", 492)), text(strings.Repeat("x", 493))}, "close 4429", "bytes"},
		{"before a message is whole", none, 1000, []string{long[:1100]}, "close 4429", "bytes"},
		{"any number", none, none, []string{strings.Repeat(text("x"), 3000)}, "", ""},
		{"the default", 0, 0, []string{strings.Repeat(ping(""), 1000)}, "", ""},
		{"more than the default", 0, 0, []string{strings.Repeat(ping(""), 1001)}, "close 4429", "messages"},
	} {
		t.Run(test.label, func(t *testing.T) {
			t.Parallel()
			s := serve(t, conn.Config{Shards: 1, MaxMessageRate: test.messages, MaxByteRate: test.bytes, TooFast: tooFast}, hooks{
				message: func(_ *conn.Conn, _ ws.OpCode, payload []byte, p *conn.Post) {
					if string(payload) == "ask" {
						p.Ask = true
					}
				},
				ask: func(*conn.Shard, *conn.Conn, *conn.Post) bool { return true },
			})
			c := s.open(t)
			early(t, s.Shards()[0])
			for _, part := range test.parts {
				before := s.read()
				c.write(part)
				await(t, "all to be read", func() bool { return s.read() == before+uint64(len(part)) || s.lastCodeOr0() != 0 })
			}
			if test.end == "" {
				c.write(closing(1000, ""))
				test.end = "close 1000"
			} else {
				if test.parts[0] == long[:1100] { // what it says after that is discarded
					c.write(long[1100:])
				}
				c.write(closing(4429, ""))
			}
			var last string
			for _, f := range c.rest() {
				if !strings.HasPrefix(f, "pong") {
					last += f + "\n"
				}
			}
			require.Equal(t, test.end+"\nEOF\n", last)
			count := map[string]uint64{"messages": s.Stats().TooManyMessages.Load(), "bytes": s.Stats().TooManyBytes.Load()}
			for what, n := range count {
				require.Equal(t, what == test.tooMany, n == 1, "%s: %d", what, n)
			}
		})
	}
}

// TestRatesForget: a second is judged for itself, and who speaks seldom is not counted at all.
func TestRatesForget(t *testing.T) {
	s := serve(t, conn.Config{Shards: 1, MaxMessageRate: 10}, hooks{})
	shard := s.Shards()[0]
	c := s.open(t)
	for range 2 {
		early(t, shard)
		for range 5 { // ten in all
			c.write(ping("a"))
			c.expect("pong a")
			c.write(ping("b"))
			c.expect("pong b")
		}
		require.Equal(t, 1, shard.Metered())
	}
	time.Sleep(time.Second + 200*time.Millisecond) // of silence
	other := s.open(t)
	early(t, shard)
	other.write(ping("x")) // within a second of its handshake: it has emptied the map, and stands in it
	other.expect("pong x")
	c.write(ping("x"))
	c.expect("pong x")
	require.Equal(t, 1, shard.Metered())
	c.leave()
	other.leave()
}
