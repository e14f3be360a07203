package conn_test

import (
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/stretchr/testify/require"

	"github.com/pushd/pushd/conn"
)

// end is rest, where a reset that what was not read any more has caused is an end like any other.
func (c *client) end() []string {
	got := c.rest()
	if got[len(got)-1] == "RST" {
		got[len(got)-1] = "EOF"
	}
	return got
}

// TestFrames sends each stream whole, and cut in two at every byte.
func TestFrames(t *testing.T) {
	s := serve(t, conn.Config{Shards: 1, MaxMessage: maxMessage}, hooks{})
	for _, test := range streams {
		t.Run(test.clause+" "+test.label, func(t *testing.T) {
			for cut := range len(test.in) {
				c := s.open(t)
				c.writeCut(s, test.in, cut)
				require.Equal(t, strings.Split(test.want, ", "), c.end(), "cut at %d", cut)
				c.Close()
			}
			s.awaitLive(t, 0)
		})
	}
}

// TestFramesByteByByte sends each stream in the smallest of pieces.
func TestFramesByteByByte(t *testing.T) {
	s := serve(t, conn.Config{Shards: 1, MaxMessage: maxMessage}, hooks{})
	for _, test := range streams {
		if len(test.in) > 64 {
			continue
		}
		t.Run(test.clause+" "+test.label, func(t *testing.T) {
			c, before := s.open(t), s.read()
			for i := range len(test.in) {
				if _, err := c.Write([]byte{test.in[i]}); err != nil {
					break // it was closed before the last of them
				}
				await(t, "a byte", func() bool { return s.read() > before+uint64(i) || s.Live() == 0 })
			}
			require.Equal(t, strings.Split(test.want, ", "), c.end())
			c.Close()
			s.awaitLive(t, 0)
		})
	}
}

// TestPongs: each ping is answered, in turn with the answers to what came before and after it. RFC 6455 5.5.3 would let us
// answer only the newest, but some expect them all.
func TestPongs(t *testing.T) {
	s := serve(t, conn.Config{Shards: 1}, hooks{})
	c := s.open(t)
	c.write(ping("1") + ping("22") + ping("3") + text("after"))
	c.expect("pong 1", "pong 22", "pong 3", "text after")
	c.leave()
}

// TestAnnouncedLength: what a peer announces costs nothing before it comes.
func TestAnnouncedLength(t *testing.T) {
	s := serve(t, conn.Config{Shards: 1}, hooks{})
	big := binaryMessage(strings.Repeat("b", 64<<10))
	c, before := s.open(t), s.read()
	for _, step := range []struct{ sent, most int }{{1, 256}, {15, 256}, {3000, 8 << 10}, {len(big) - 1, 128 << 10}} {
		c.write(big[s.read()-before : step.sent])
		await(t, "what was sent", func() bool { return s.read() == before+uint64(step.sent) && !conn.Reading(s.Engine) })
		require.Positive(t, s.Buffers().Stats().InUse)
		require.LessOrEqual(t, s.Buffers().Stats().InUse, step.most, "%d bytes sent", step.sent)
	}
	c.write(big[len(big)-1:])
	c.expect("binary " + strings.Repeat("b", 64<<10))
	await(t, "the buffer to come back", func() bool { return s.Buffers().Stats().InUse == 0 })
	c.leave()
}

// TestDataBehindClose: RFC 6455 5.5.1 allows none, and we take none.
func TestDataBehindClose(t *testing.T) {
	s := serve(t, conn.Config{Shards: 1}, hooks{})
	c := s.open(t)
	c.write(bye + text("and another thing") + ping("!"))
	c.expect("close 1000", "EOF")
}

func TestServerCloses(t *testing.T) {
	const limit = 300 * time.Millisecond
	s := serve(t, conn.Config{Shards: 1, CloseTimeout: limit}, hooks{
		message: func(_ *conn.Conn, _ ws.OpCode, payload []byte, p *conn.Post) {
			p.Out = append(p.Out, serverFrame(ws.OpText, "last words")...)
			p.End(4000, string(payload))
		},
	})
	t.Run("and waits for the peer's close frame", func(t *testing.T) {
		c := s.open(t)
		c.write(text("why"))
		c.expect("text last words", "close 4000")
		require.Equal(t, ws.StatusCode(4000), s.lastCode())
		require.Equal(t, 1, s.Live())
		before := s.read()
		c.write(text("what?") + fragment(ws.OpText, false, "but I"))
		await(t, "what came behind the close frame", func() bool { return s.read() > before })
		on(s.Shards()[0], func() {})
		require.Equal(t, 1, s.Live())
		c.write(closing(4000, ""))
		c.expect("EOF") // before the client has closed: the server is to be first, RFC 6455 7.1.1
		s.awaitLive(t, 0)
	})
	t.Run("and resets where it waits in vain", func(t *testing.T) {
		c := s.open(t)
		c.write(text("why"))
		c.expect("text last words", "close 4000")
		began := time.Now()
		c.expect("RST")
		require.Greater(t, time.Since(began), limit/2)
		s.awaitLive(t, 0)
	})
	t.Run("and takes a FIN for an answer", func(t *testing.T) {
		c := s.open(t)
		c.write(text("why"))
		c.expect("text last words", "close 4000")
		require.NoError(t, c.CloseWrite())
		c.expect("EOF")
		s.awaitLive(t, 0)
	})
	t.Run("with a reason that is cut to what a frame holds", func(t *testing.T) {
		c := s.open(t)
		c.write(text(strings.Repeat("r", 200)))
		c.expect("text last words")
		f, err := readFrame(c.r)
		require.NoError(t, err)
		require.Equal(t, strings.Repeat("r", 123), string(f.Payload[2:]))
		c.write(closing(4000, ""))
		c.expect("EOF")
		s.awaitLive(t, 0)
	})
	t.Run("everything when it ends", func(t *testing.T) {
		stopped := serve(t, conn.Config{Shards: 2, CloseTimeout: 2 * time.Second}, hooks{})
		var clients []*client
		for range 600 { // more than endAll does at a time
			clients = append(clients, stopped.open(t))
		}
		ended := make(chan struct{})
		go func() { stopped.stop(); close(ended) }()
		for i, c := range clients {
			c.expect("close 1001")
			switch i % 3 {
			case 0:
				c.write(closing(1001, ""))
				c.expect("EOF")
			case 1:
				c.Close()
			}
		}
		for i := 2; i < len(clients); i += 3 { // who says nothing
			clients[i].expect("RST")
		}
		<-ended
	})
}
