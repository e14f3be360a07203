package conn_test

import (
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/stretchr/testify/require"

	"github.com/pushd/pushd/conn"
)

func deflates(_ *conn.Conn, r *conn.Request, p *conn.Post) {
	accept(r, p)
	p.Deflate()
}

// begun is what can have come of a message, or of a frame.
var begun = []struct{ label, in string }{
	{"a byte", "\x81"},
	{"a header without its mask", "\x82\xfe\x01\x00"},
	{"a header", text("hello")[:6]},
	{"all but a byte", text("hello")[:10]},
	{"a fragment", fragment(ws.OpText, false, "a")},
	{"a fragment of nothing", fragment(ws.OpBinary, false, "")},
	{"a compressed fragment", squeezed(ws.OpText, false, hello)},
	{"a ping that is not whole", ping("hello")[:8]},
	{"a message, and a byte", text("hello") + "\x82"},
}

// TestMessageTimeout: what has begun is whole in time, or is closed; pings, which write another time into the table,
// change nothing about that.
func TestMessageTimeout(t *testing.T) {
	const limit = 400 * time.Millisecond
	for _, cfg := range []struct {
		label string
		conn.Config
	}{
		{"alone", conn.Config{}},
		{"with pings", conn.Config{PingInterval: 150 * time.Millisecond, IdleTimeout: time.Minute}},
	} {
		t.Run(cfg.label, func(t *testing.T) {
			cfg.Shards, cfg.MessageTimeout = 1, limit
			s := serve(t, cfg.Config, hooks{request: deflates})
			for i, b := range begun {
				t.Run(b.label, func(t *testing.T) {
					c, began := s.open(t), time.Now()
					c.write(b.in)
					for f := ""; f != "close 1008"; {
						if f = c.next(); f != "close 1008" {
							require.Contains(t, []string{"ping ", "text hello"}, f)
						}
					}
					require.Greater(t, time.Since(began), limit-2*100*time.Millisecond)
					require.Equal(t, ws.StatusPolicyViolation, s.lastCode())
					require.EqualValues(t, i+1, s.Stats().Late.Load())
					c.expect("EOF")
					c.Close()
					s.awaitLive(t, 0)
				})
			}
		})
	}
	t.Run("says why", func(t *testing.T) {
		s := serve(t, conn.Config{Shards: 1, MessageTimeout: limit}, hooks{})
		c := s.open(t)
		c.write("\x81")
		f, err := readFrame(c.r)
		require.NoError(t, err)
		require.Equal(t, "message not complete within 400ms", string(f.Payload[2:]))
		c.Close()
	})
	t.Run("is not put off by what comes between", func(t *testing.T) {
		s := serve(t, conn.Config{Shards: 1, MessageTimeout: limit, MaxMessageRate: -1}, hooks{})
		c, began := s.open(t), time.Now()
		c.write(fragment(ws.OpText, false, "a"))
		f := ""
		for f != "close 1008" {
			require.Less(t, time.Since(began), patience)
			c.write(ping("") + fragment(ws.OpContinuation, false, ""))
			if f = c.next(); f != "close 1008" {
				require.Equal(t, "pong ", f)
			}
		}
	})
	t.Run("not of what is whole in time", func(t *testing.T) {
		s := serve(t, conn.Config{Shards: 1, MessageTimeout: limit, MaxMessageRate: -1}, hooks{})
		c := s.open(t)
		whole := text("hello")
		began := time.Now()
		c.write(whole[:3])
		for sent := began; time.Since(began) < 4*limit; { // there is never nothing that has begun
			last := sent
			sent = time.Now()
			c.write(whole[3:] + whole[:3])
			if f := c.next(); f == "close 1008" { // the machine was slow
				require.Greater(t, time.Since(last), limit/2)
				return
			} else {
				require.Equal(t, "text hello", f)
			}
		}
		require.Zero(t, s.Stats().Late.Load())
	})
	t.Run("not of silence", func(t *testing.T) {
		s := serve(t, conn.Config{Shards: 1, MessageTimeout: limit}, hooks{})
		c, slow := s.open(t), s.open(t)
		c.write(text("hello"))
		c.expect("text hello")
		for range 3 {
			slow.write("\x81")
			slow.expect("close 1008", "EOF")
			slow.Close()
			slow = s.open(t)
		}
		c.write(text("still here"))
		c.expect("text still here")
	})
	t.Run("not once the close has begun", func(t *testing.T) {
		const closing = 4 * limit
		s := serve(t, conn.Config{Shards: 1, MessageTimeout: limit, CloseTimeout: closing}, hooks{})
		c, before := s.open(t), s.read()
		c.write("\x81")
		await(t, "the byte", func() bool { return s.read() == before+1 && !conn.Reading(s.Engine) })
		all(s.Shards()[0], func(c *conn.Conn) { s.Shards()[0].End(c, 4000, "") })
		began := time.Now()
		c.expect("close 4000", "RST")
		require.Greater(t, time.Since(began), closing-limit)
		require.Zero(t, s.Stats().Late.Load())
	})
	t.Run("many at once", func(t *testing.T) {
		s := serve(t, conn.Config{Shards: 2, MessageTimeout: limit, PingInterval: 100 * time.Millisecond, Ping: func(*conn.Conn) []byte { return serverFrame(ws.OpPing, "") }}, hooks{})
		var all []*client
		for range 200 {
			c := s.open(t)
			c.write("\x81")
			all = append(all, c)
		}
		for _, c := range all {
			frames := c.rest()
			require.Equal(t, []string{"close 1008", "EOF"}, frames[len(frames)-2:])
			c.Close()
		}
		require.EqualValues(t, len(all), s.Stats().Late.Load())
	})
}

// partial is what partial input takes once the workers have looked at it.
func (s *server) partial(tb testing.TB) int {
	await(tb, "the workers", func() bool { return !conn.Reading(s.Engine) })
	return int(s.Stats().PartialBytes.Load())
}

// TestPartialBytes: what is counted is what is held, and goes again.
func TestPartialBytes(t *testing.T) {
	s := serve(t, conn.Config{Shards: 1}, hooks{request: deflates})
	for _, b := range begun {
		c, before := s.open(t), s.read()
		c.write(b.in)
		await(t, b.label, func() bool { return s.read() == before+uint64(len(b.in)) })
		held := s.partial(t)
		require.GreaterOrEqual(t, held, s.Buffers().Stats().InUse, b.label)
		require.Positive(t, held, b.label)
		require.LessOrEqual(t, held, 2*len(b.in)+1<<10, b.label) // what an attacker may cost
		c.reset()
		s.awaitLive(t, 0)
		require.Zero(t, s.Stats().PartialBytes.Load(), b.label)
	}
	c, before := s.open(t), s.read()
	message := text(strings.Repeat("a", 50_000))
	for sent := 0; sent < len(message); {
		n := min(7_000, len(message)-sent)
		c.write(message[sent : sent+n])
		sent += n
		await(t, "what was sent", func() bool { return s.read() == before+uint64(sent) })
		if sent < len(message) {
			held := s.partial(t)
			require.Greater(t, held, sent-20)
			require.LessOrEqual(t, held, 2*sent+1<<10)
		}
	}
	require.Zero(t, s.partial(t))
	c.next()
	c.leave()
}

// TestMaxPartial: who needs more than there is goes, and says why; who has it gets all.
func TestMaxPartial(t *testing.T) {
	const limit = 80 << 10
	s := serve(t, conn.Config{Shards: 1, MaxPartial: limit}, hooks{})
	send := func(c *client, in string) {
		t.Helper()
		before := s.read()
		c.write(in)
		await(t, "what was sent", func() bool { return s.read() == before+uint64(len(in)) })
		s.partial(t)
	}
	message := strings.Repeat("a", 50_000) // takes 64 KiB
	first, second, third := s.open(t), s.open(t), s.dial(t)
	send(first, text(message)[:45_000])
	send(third, shortHead[:50])
	send(second, text(message)[:100])
	require.Zero(t, s.Stats().Crowded.Load())
	second.write(text(message)[100:40_000])
	f, err := readFrame(second.r)
	require.NoError(t, err)
	require.Equal(t, "close 1013", describeFrame(f))
	require.Equal(t, "no room for partial input", string(f.Payload[2:]))
	second.expect("EOF")
	second.Close()
	s.awaitLive(t, 2)
	require.EqualValues(t, 1, s.Stats().Crowded.Load())

	fourth := s.open(t)
	send(fourth, text(message)[:8_000]) // there is room for as much
	third.write(shortHead[50:len(shortHead)-2] + "X: " + strings.Repeat("x", 12_000))
	status, body := third.response()
	require.Equal(t, 503, status)
	require.Contains(t, body, `"overloaded"`)
	require.EqualValues(t, 2, s.Stats().Crowded.Load())
	third.Close()

	first.write(text(message)[45_000:])
	first.expect("text " + message)
	fourth.write(text(message)[8_000:])
	fourth.expect("text " + message)
	first.leave()
	fourth.leave()
}
