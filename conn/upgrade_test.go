package conn_test

import (
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/pushd/pushd/conn"
)

// TestUpgrade cuts the request, with frames right behind it, in two at every byte.
func TestUpgrade(t *testing.T) {
	s := serve(t, conn.Config{Shards: 1}, hooks{})
	in := shortHead + text("early") + bye
	for cut := range len(in) {
		c := s.dial(t)
		c.writeCut(s, in, cut)
		c.upgraded()
		c.expect("text early", "close 1000", "EOF")
		c.Close()
	}
	t.Run("byte by byte", func(t *testing.T) {
		s.awaitLive(t, 0)
		c, before := s.dial(t), s.read()
		for i := range len(in) {
			c.write(in[i : i+1])
			await(t, "a byte", func() bool { return s.read() > before+uint64(i) })
		}
		c.upgraded()
		c.expect("text early", "close 1000", "EOF")
	})
}

func TestRefused(t *testing.T) {
	var refused atomic.Int64
	s := serve(t, conn.Config{Shards: 1}, hooks{refused: func(*conn.Refusal) { refused.Add(1) }})
	for _, test := range []struct {
		label, in string
		status    int
		says      string
		malformed bool // so that Request is not asked
	}{
		{"a bare LF", "GET / HTTP/1.1\nHost: h\n\n", 400, "expected it to end there in CR LF", true},
		{"TLS", "\x16\x03\x01\x02\x00", 400, "plain HTTP", true},
		{"a folded header", "GET / HTTP/1.1\r\nHost: h\r\n x\r\n\r\n", 400, "each header on one line", true},
		{"HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, "HTTP/1.1", true},
		{"a long target", "GET /" + strings.Repeat("a", conn.MaxTarget) + " HTTP/1.1\r\n\r\n", 414, "8 KiB", true},
		{"a long head", "GET / HTTP/1.1\r\nCookie: " + strings.Repeat("a", conn.MaxHead) + "\r\n\r\n", 431, "16 KiB", true},
		{"many headers", "GET / HTTP/1.1\r\n" + strings.Repeat("A: b\r\n", conn.MaxHeaders+1) + "\r\n", 431, "100 headers", true},
		{"a page's request", "GET / HTTP/1.1\r\nHost: h\r\n\r\n", 426, "Upgrade: websocket", false},
		{"no GET", strings.Replace(shortHead, "GET", "PUT", 1), 405, "expected that method", false},
		// What is read together with the end of the head is not read: a close would reset.
		{"100 KB that nobody asked for", "GET / HTTP/1.1\nHost: h\r\n" + strings.Repeat("Cookie: abcdefgh\r\n", 6000), 400, "HTTP/1.1", true},
	} {
		t.Run(test.label, func(t *testing.T) {
			for _, cut := range []int{0, 1, len(test.in) / 2, len(test.in) - 1} {
				if len(test.in) > 2*conn.MaxHead && cut > 1 {
					continue
				}
				before := refused.Load()
				c := s.dial(t)
				c.writeCut(s, test.in, cut)
				status, body := c.response()
				require.Equal(t, test.status, status)
				require.Contains(t, body, test.says)
				require.Equal(t, test.malformed, refused.Load() == before+1)
				c.expect("EOF") // our side is shut at once; theirs they may take their time with
				c.Close()
				s.awaitLive(t, 0)
			}
		})
	}
}

// TestRefusedWhileSending: the answer is to arrive although the client goes on sending, behind it too.
func TestRefusedWhileSending(t *testing.T) {
	s := serve(t, conn.Config{Shards: 1}, hooks{})
	c := s.dial(t)
	c.write("GET / HTTP/1.1\r\nHost : h\r\n")
	await(t, "the first line", func() bool { return s.read() > 0 })
	for range 100 {
		c.write(strings.Repeat("Cookie: abcdefgh\r\n", 57))
	}
	status, _ := c.response()
	require.Equal(t, 400, status)
	c.expect("EOF")
	c.write("and on")
	require.Equal(t, 1, s.Live())
	c.Close()
	s.awaitLive(t, 0)
	require.Greater(t, s.read(), uint64(100_000), "what came was read")
}

// TestHandshakeTimeout: a head has a time to be complete, which no byte prolongs; who then does not go is thrown out.
func TestHandshakeTimeout(t *testing.T) {
	const limit = 300 * time.Millisecond
	s := serve(t, conn.Config{Shards: 1, HandshakeTimeout: limit, CloseTimeout: limit}, hooks{})
	for _, test := range []struct {
		label string
		write func(c *client)
	}{
		{"silence", func(*client) {}},
		{"a part", func(c *client) { c.write(shortHead[:20]) }},
		{"drops", func(c *client) {
			for i := 0; i < len(shortHead)-1 && s.lives(t, c); i++ {
				c.write(shortHead[i : i+1])
			}
		}},
	} {
		t.Run(test.label, func(t *testing.T) {
			began := time.Now()
			c := s.dial(t)
			test.write(c)
			status, body := c.response()
			took := time.Since(began)
			require.Equal(t, 408, status)
			require.Contains(t, body, limit.String())
			require.Greater(t, took, limit/2)
			require.Less(t, took, limit+patience/2)
			c.expect("EOF")
			s.awaitLive(t, 0) // though the client has not closed
		})
	}
}

// lives waits a little for c to be answered and reports whether it has not been.
func (s *server) lives(tb testing.TB, c *client) bool {
	tb.Helper()
	require.NoError(tb, c.SetReadDeadline(time.Now().Add(20*time.Millisecond)))
	_, err := c.r.Peek(1)
	require.NoError(tb, c.SetReadDeadline(time.Now().Add(patience)))
	return err != nil
}

func TestOverLimit(t *testing.T) {
	const limit, headroom = 3, 2
	s := serve(t, conn.Config{Shards: 2, MaxConns: limit, Headroom: headroom}, hooks{
		request: func(c *conn.Conn, r *conn.Request, p *conn.Post) {
			if c.OverLimit() {
				p.Refuse(&conn.Refusal{Status: 503, Code: "overloaded", Message: "full", RetryAfter: 1})
				return
			}
			accept(r, p)
		},
	})
	var open []*client
	for range limit {
		open = append(open, s.open(t))
	}
	var over []*client
	for i := range headroom {
		over = append(over, s.dial(t))
		s.awaitLive(t, limit+i+1)
	}
	for range 3 {
		s.dial(t).expect("EOF") // at once and without a word
	}
	require.EqualValues(t, 3, s.Stats().Turned.Load())
	for _, c := range over {
		c.write(shortHead)
		status, _ := c.response()
		require.Equal(t, 503, status)
		c.Close()
	}
	s.awaitLive(t, limit)
	open[0].leave()
	s.awaitLive(t, limit-1)
	s.open(t).leave() // there is room again
}

// TestOverLimitIsRead by a worker while the shard's goroutine ends the connection for being slow: -race must not mind.
func TestOverLimitIsRead(t *testing.T) {
	late := make(chan struct{})
	s := serve(t, conn.Config{Shards: 1, HandshakeTimeout: 100 * time.Millisecond}, hooks{
		request: func(c *conn.Conn, r *conn.Request, p *conn.Post) {
			<-late
			for range 100_000 {
				if c.OverLimit() {
					panic("it is not")
				}
			}
			accept(r, p)
		},
		refused: func(*conn.Refusal) { close(late) },
	})
	c := s.dial(t)
	c.write(shortHead)
	status, _ := c.response()
	require.Equal(t, 408, status)
	c.expect("EOF") // and no 101 behind it
}

func TestHandOff(t *testing.T) {
	type handed struct {
		fd   int
		read string
	}
	got := make(chan handed, 1)
	s := serve(t, conn.Config{Shards: 1}, hooks{
		request: func(_ *conn.Conn, r *conn.Request, p *conn.Post) { p.HandOff(r) },
		handOff: func(fd int, read []byte) { got <- handed{fd, string(read)} },
	})
	in := "POST /page HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nbody"
	head := len(in) - len("body")
	for cut := range len(in) {
		c := s.dial(t)
		c.writeCut(s, in[:max(cut, head)], min(cut, head-1))
		h := <-got
		s.awaitLive(t, 0)
		require.Equal(t, in[:max(cut, head)], h.read)
		c.write("more")
		file := make([]byte, 10)
		var n int
		await(t, "the rest, for the new owner", func() bool {
			var err error
			n, err = unix.Read(h.fd, file)
			return err == nil
		})
		require.Equal(t, "more", string(file[:n]))
		_, err := unix.Write(h.fd, []byte("HTTP/1.1 204 No Content\r\n\r\n"))
		require.NoError(t, err)
		require.NoError(t, unix.Close(h.fd))
		status, _ := c.response()
		require.Equal(t, 204, status)
		c.Close()
	}
	require.Equal(t, ws.StatusAbnormalClosure, s.lastCode())
}

// TestGoneDuringHandshake: the peer does not wait for the answer, or for the end of its own request.
func TestGoneDuringHandshake(t *testing.T) {
	s := serve(t, conn.Config{Shards: 1}, hooks{})
	for _, sent := range []string{"", shortHead[:30], shortHead, shortHead + text("x")[:3]} {
		for label, leave := range map[string]func(c *client){
			"close":      func(c *client) { c.Close() },
			"reset":      (*client).reset,
			"half close": func(c *client) { require.NoError(t, c.CloseWrite()) },
		} {
			t.Run(label, func(t *testing.T) {
				before := s.Stats().Accepted.Load()
				c := s.dial(t)
				c.write(sent)
				leave(c)
				await(t, "it to be accepted", func() bool { return s.Stats().Accepted.Load() > before })
				s.awaitLive(t, 0)
			})
		}
	}
}
