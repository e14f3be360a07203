package conn_test

import (
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/stretchr/testify/require"

	"github.com/pushd/pushd/conn"
	"github.com/pushd/pushd/netpoll"
)

// narrow is how a socket soon blocks: the smallest send buffer.
var narrow = netpoll.ListenConfig{SendBuffer: 2048}

// never is a close timeout that no test waits for.
const never = time.Hour

// TestOutputOrder writes numbered frames as a pass does, and now and then something of the connection's own, to a peer
// that reads slowly: thousands of times the socket is full, one lost wake-up would be the end of it.
func TestOutputOrder(t *testing.T) {
	const cycles = 2000
	var (
		next, blocks, sends int
		slot                uint32
		blocked, ended      bool
		faults              atomic.Int64 // Writable came when nothing was blocked, or too early
	)
	padding := []byte(strings.Repeat("p", 200))
	push := func(s *conn.Shard) {
		for blocks < cycles && !blocked {
			frame := serverFrame(ws.OpText, fmt.Sprintf("%06d%s", next, padding))
			half := len(frame) / 3
			n, outcome := s.Write(slot, frame[:half], frame[half:])
			switch {
			case outcome == conn.Ended:
				faults.Add(1)
				return
			case outcome == conn.Sent:
				next++
				continue
			case n > 0:
				s.Keep(slot, frame[n:])
				next++
			}
			blocked = true
			blocks++
			if next%3 == 0 { // own output, behind what was begun
				s.Send(s.At(slot), serverFrame(ws.OpPong, fmt.Sprintf("%06d", next)))
				sends++
			}
		}
		if !blocked && !ended {
			ended = true
			s.Send(s.At(slot), serverFrame(ws.OpText, "end"))
		}
	}
	s := serve(t, conn.Config{Shards: 1}, hooks{
		listen: narrow,
		writable: func(s *conn.Shard, c *conn.Conn) {
			s.Each(c.Slot(), 1, func(_ *conn.Conn, i conn.Info) {
				if !blocked && !ended || i.Queued > 0 {
					faults.Add(1)
				}
			})
			blocked = false
			push(s)
		},
	})
	c := s.dialSmall(t).upgrade()
	shard := s.Shards()[0]
	shard.Do(func() {
		shard.Each(0, 1, func(c *conn.Conn, _ conn.Info) { slot = c.Slot() })
		push(shard)
	})
	want, pongs := 0, 0
	for {
		kind, rest, _ := strings.Cut(c.next(), " ")
		if rest == "end" {
			break
		}
		if kind == "pong" {
			require.Equal(t, fmt.Sprintf("%06d", want), rest)
			pongs++
			continue
		}
		require.Equal(t, fmt.Sprintf("%06d%s", want, padding), rest)
		want++
	}
	c.leave()
	on(shard, func() {
		require.Equal(t, next, want)
		require.Equal(t, sends, pongs)
	})
	require.Zero(t, faults.Load())
}

// stuffed is a connection whose own output is above the limit, so that it is not read. The client has sent total bytes.
func stuffed(t *testing.T, s *server) (c *client, wrote chan int) {
	t.Helper()
	c = s.dialSmall(t).upgrade()
	wrote = make(chan int, 1)
	go func() {
		message, n := text(strings.Repeat("m", 1000)), 0
		for range 4000 {
			m, err := io.WriteString(c.TCPConn, message)
			if n += m; err != nil {
				break
			}
		}
		wrote <- n
	}()
	await(t, "the pause", func() bool { return conn.Paused(s.Engine) })
	for before := uint64(0); before != s.read(); time.Sleep(20 * time.Millisecond) { // it is not read any more
		before = s.read()
	}
	return c, wrote
}

func TestPaused(t *testing.T) {
	s := serve(t, conn.Config{Shards: 1, CloseTimeout: never, MaxMessageRate: -1}, hooks{listen: narrow})
	t.Run("is read again later", func(t *testing.T) {
		c, wrote := stuffed(t, s)
		require.Less(t, s.queued(), int64(32<<10), "what is queued is bounded")
		require.Less(t, s.read(), uint64(1000*1000), "and the rest is left with the peer")
		for range 4000 {
			require.Equal(t, "text "+strings.Repeat("m", 1000), c.next())
		}
		require.Positive(t, <-wrote)
		c.leave()
	})
	t.Run("and reset", func(t *testing.T) {
		c, wrote := stuffed(t, s)
		c.reset()
		<-wrote
		s.awaitLive(t, 0)
	})
	t.Run("and half closed", func(t *testing.T) {
		c, wrote := stuffed(t, s)
		require.NoError(t, c.CloseWrite())
		require.Positive(t, <-wrote)
		_, _ = io.Copy(io.Discard, c.r) // until the end, whichever it is
		s.awaitLive(t, 0)
	})
	t.Run("and ended, then reset", func(t *testing.T) {
		c, wrote := stuffed(t, s)
		shard := s.Shards()[0]
		on(shard, func() { shard.Each(0, 10, func(c *conn.Conn, _ conn.Info) { shard.End(c, 1000, "") }) })
		require.Equal(t, 1, s.Live())
		c.reset()
		<-wrote
		s.awaitLive(t, 0)
	})
}

func TestPeerVanishes(t *testing.T) {
	s := serve(t, conn.Config{Shards: 1, CloseTimeout: never}, hooks{
		listen: narrow,
		message: func(_ *conn.Conn, _ ws.OpCode, payload []byte, p *conn.Post) {
			if string(payload) == "much" {
				payload = make([]byte, 1<<20)
			}
			if string(payload) == "end" {
				p.End(1000, "")
			}
			p.Out = append(p.Out, serverFrame(ws.OpBinary, string(payload))...)
		},
	})
	for _, test := range []struct {
		label, in, out string
		leave          func(c *client)
		code           ws.StatusCode
	}{
		{"FIN behind data", text("x"), "binary x", func(c *client) { require.NoError(t, c.CloseWrite()) }, 1006},
		{"FIN alone", "", "", func(c *client) { require.NoError(t, c.CloseWrite()) }, 1006},
		{"FIN within a frame", text("x")[:3], "", func(c *client) { require.NoError(t, c.CloseWrite()) }, 1006},
		{"FIN in both directions", text("x"), "", func(c *client) { c.Close() }, 1006},
		{"RST", "", "", (*client).reset, 1006},
		{"RST behind data", text("x"), "", (*client).reset, 1006},
		{"RST within a frame", text("x")[:3], "", (*client).reset, 1006},
		{"RST during a blocked write", text("much"), "", (*client).reset, 1006},
		{"close during a blocked write", text("much"), "", func(c *client) { c.Close() }, 1006},
		{"RST after End", text("end"), "binary end, close 1000", (*client).reset, 1000},
		{"close after End", text("end"), "binary end, close 1000", func(c *client) { c.Close() }, 1000},
		{"FIN after End", text("end"), "binary end, close 1000", func(c *client) { require.NoError(t, c.CloseWrite()) }, 1000},
	} {
		t.Run(test.label, func(t *testing.T) {
			c := s.dialSmall(t).upgrade()
			c.write(test.in)
			if test.in == text("much") {
				await(t, "the block", func() bool { return s.queued() > 0 })
			}
			if test.out != "" && test.label != "FIN behind data" {
				c.expect(strings.Split(test.out, ", ")...)
			}
			test.leave(c)
			if test.label == "FIN behind data" {
				c.expect("binary x", "EOF")
			}
			s.awaitLive(t, 0)
			require.Equal(t, test.code, s.lastCode())
			c.Close()
		})
	}
}

// TestPending: while the owner has not answered, the connection is not read; whatever happens then, the slot is freed.
func TestPending(t *testing.T) {
	asked := make(chan conn.Handle, 1)
	var answer func(s *conn.Shard, c *conn.Conn, p *conn.Post) bool
	var writable func(s *conn.Shard, c *conn.Conn)
	s := serve(t, conn.Config{Shards: 1, CloseTimeout: never}, hooks{
		listen: narrow,
		message: func(_ *conn.Conn, op ws.OpCode, payload []byte, p *conn.Post) {
			switch string(payload) {
			case "ask and end":
				p.End(4000, "")
				fallthrough
			case "ask":
				p.Ask = "something"
			default:
				p.Out = append(p.Out, serverFrame(op, string(payload))...)
			}
		},
		ask: func(s *conn.Shard, c *conn.Conn, p *conn.Post) bool {
			done := answer(s, c, p)
			asked <- s.Handle(c)
			return done
		},
		writable: func(s *conn.Shard, c *conn.Conn) { writable(s, c) },
	})
	shard := s.Shards()[0]
	later := func(*conn.Shard, *conn.Conn, *conn.Post) bool { return false }
	much := func(s *conn.Shard, c *conn.Conn, _ *conn.Post) bool {
		s.Send(c, serverFrame(ws.OpBinary, strings.Repeat("b", 1<<20)))
		return false
	}
	nothing := func(*conn.Shard, *conn.Conn) {}
	for _, test := range []struct {
		label, in string
		ask       func(s *conn.Shard, c *conn.Conn, p *conn.Post) bool
		writable  func(s *conn.Shard, c *conn.Conn)
		then      func(t *testing.T, c *client, h conn.Handle)
	}{
		{"answered at once", text("ask") + text("next"), func(_ *conn.Shard, _ *conn.Conn, p *conn.Post) bool {
			p.Out = append(p.Out, serverFrame(ws.OpText, "answer")...)
			return true
		}, nothing, func(_ *testing.T, c *client, _ conn.Handle) {
			c.expect("text answer", "text next")
			c.leave()
		}},
		{"answered later", text("ask") + text("next"), later, nothing, func(t *testing.T, c *client, h conn.Handle) {
			before := s.read()
			c.write(text("more"))
			for range 20 {
				on(shard, func() {})
			}
			require.Equal(t, before, s.read())
			on(shard, func() {
				shard.Send(shard.Conn(h), serverFrame(ws.OpText, "answer"))
				shard.Answered(shard.Conn(h))
				shard.Answered(shard.Conn(h)) // which is once too often, and does nothing
			})
			c.expect("text answer", "text next", "text more")
			c.leave()
		}},
		{"reset, then answered", text("ask"), later, nothing, func(t *testing.T, c *client, h conn.Handle) {
			c.reset()
			on(shard, func() {
				shard.Send(shard.Conn(h), serverFrame(ws.OpText, "answer"))
				shard.Answered(shard.Conn(h))
			})
		}},
		{"ended by the owner", text("ask"), later, nothing, func(t *testing.T, c *client, h conn.Handle) {
			on(shard, func() { shard.End(shard.Conn(h), 4001, "") })
			c.expect("close 4001")
			c.write(closing(4001, ""))
			c.expect("EOF")
			on(shard, func() { require.Nil(t, shard.Conn(h)) })
		}},
		{"ended by the owner without a word", text("ask"), later, nothing, func(t *testing.T, c *client, h conn.Handle) {
			on(shard, func() { shard.End(shard.Conn(h), ws.StatusAbnormalClosure, "") })
			c.expect("EOF")
		}},
		{"ended within Ask", text("ask"), func(s *conn.Shard, c *conn.Conn, _ *conn.Post) bool { s.End(c, 4002, ""); return false }, nothing,
			func(t *testing.T, c *client, h conn.Handle) {
				c.expect("close 4002")
				c.write(closing(4002, ""))
				c.expect("EOF")
			}},
		{"asked and ended by the worker", text("ask and end"), later, nothing, func(t *testing.T, c *client, h conn.Handle) {
			c.expect("close 4000")
			c.write(closing(4000, ""))
			c.expect("EOF")
		}},
		{"asked and ended by the worker, the peer gone", text("ask and end"), later, nothing, func(t *testing.T, c *client, h conn.Handle) {
			c.reset()
		}},
		{"answered within Writable", text("ask") + text("next"), much, (*conn.Shard).Answered, func(t *testing.T, c *client, h conn.Handle) {
			c.expect("binary "+strings.Repeat("b", 1<<20), "text next")
			c.leave()
		}},
		{"ended within Writable", text("ask"), much, func(s *conn.Shard, c *conn.Conn) { s.End(c, ws.StatusAbnormalClosure, "") },
			func(t *testing.T, c *client, h conn.Handle) {
				c.expect("binary "+strings.Repeat("b", 1<<20), "EOF")
			}},
		{"reset while blocked", text("ask"), much, nothing, func(t *testing.T, c *client, h conn.Handle) { c.reset() }},
	} {
		t.Run(test.label, func(t *testing.T) {
			on(shard, func() { answer, writable = test.ask, test.writable })
			c := s.dialSmall(t).upgrade()
			c.write(test.in)
			test.then(t, c, <-asked)
			c.Close()
			s.awaitLive(t, 0)
		})
	}
}

// TestPausedWhileScheduled: the pause may come when a connection is on the ready list already; what is then read counts.
func TestPausedWhileScheduled(t *testing.T) {
	busy, release := make(chan struct{}), make(chan struct{})
	s := serve(t, conn.Config{Shards: 1}, hooks{
		listen: narrow,
		message: func(_ *conn.Conn, op ws.OpCode, payload []byte, p *conn.Post) {
			if string(payload) == "wait" {
				close(busy)
				<-release
			}
			p.Out = append(p.Out, serverFrame(op, string(payload))...)
		},
	})
	shard := s.Shards()[0]
	c := s.open(t)
	var h conn.Handle
	on(shard, func() { shard.Each(0, 1, func(_ *conn.Conn, i conn.Info) { h = i.Handle }) })
	other := s.open(t)
	other.write(text("wait")) // it has the shard's only worker
	<-busy
	c.write(text("heard?"))
	await(t, "the connection to be on the ready list", func() bool { return shard.Waiting() == 1 })
	much := strings.Repeat("b", 1<<20)
	on(shard, func() { shard.Send(shard.Conn(h), serverFrame(ws.OpBinary, much)) })
	close(release)
	c.expect("binary "+much, "text heard?")
	c.leave()
	other.expect("text wait")
	other.leave()
}

// TestWriteAfterEndSoon: what comes after a decision to end is not sent, though the end itself waits.
func TestWriteAfterEndSoon(t *testing.T) {
	s := serve(t, conn.Config{Shards: 1}, hooks{})
	c := s.open(t)
	shard := s.Shards()[0]
	on(shard, func() {
		shard.Each(0, 1, func(x *conn.Conn, _ conn.Info) {
			shard.EndSoon(x.Slot(), 1013, "too slow")
			n, o := shard.Write(x.Slot(), serverFrame(ws.OpText, "more"), nil)
			require.Equal(t, conn.Ended, o)
			require.Zero(t, n)
		})
	})
	heard := strings.Join(c.rest(), ", ")
	require.Contains(t, heard, "close 1013")
	require.NotContains(t, heard, "more")
}
