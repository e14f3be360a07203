package conn_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/stretchr/testify/require"

	"github.com/pushd/pushd/conn"
)

// header returns a frame header byte by byte, masked with zeros, for what no library would write.
func header(bytes ...byte) string { return string(append(bytes, 0, 0, 0, 0)) }

// bye ends a stream that the server has no reason to end.
var bye = closing(ws.StatusNormalClosure, "")

const maxMessage = 300

var streams = []struct {
	label, in string
	want      string // the frames that come back, and how the stream ends
}{
	{"text", text("hello") + bye, "text hello, close 1000, EOF"},
	{"an empty text", text("") + bye, "text , close 1000, EOF"},
	{"binary", binaryMessage("\x00\xff\xfe") + bye, "binary \x00\xff\xfe, close 1000, EOF"},
	{"two messages", text("one") + binaryMessage("two") + bye, "text one, binary two, close 1000, EOF"},
	{"text of 125 bytes", text(strings.Repeat("a", 125)) + bye, "text " + strings.Repeat("a", 125) + ", close 1000, EOF"},
	{"text of 126 bytes", text(strings.Repeat("a", 126)) + bye, "text " + strings.Repeat("a", 126) + ", close 1000, EOF"},
	{"as long as allowed", text(strings.Repeat("a", maxMessage)) + bye, "text " + strings.Repeat("a", maxMessage) + ", close 1000, EOF"},
	{"fragments", fragment(ws.OpText, false, "a") + fragment(ws.OpContinuation, false, "b") + fragment(ws.OpContinuation, true, "c") + bye,
		"text abc, close 1000, EOF"},
	{"fragments of nothing", fragment(ws.OpBinary, false, "") + fragment(ws.OpContinuation, true, "") + bye, "binary , close 1000, EOF"},
	{"control frames between fragments", // RFC 6455 5.4
		fragment(ws.OpText, false, "a") + ping("x") + fragment(ws.OpContinuation, false, "b") + pong("y") + fragment(ws.OpContinuation, true, "c") + bye,
		"text abc, pong x, close 1000, EOF"},
	{"a close between fragments", fragment(ws.OpText, false, "a") + bye, "close 1000, EOF"},
	{"a character cut by a fragment", fragment(ws.OpText, false, "\xe2\x82") + fragment(ws.OpContinuation, true, "\xac") + bye, "text €, close 1000, EOF"},
	{"a ping", ping("are you there?") + bye, "pong are you there?, close 1000, EOF"},
	{"an empty ping", ping("") + bye, "pong , close 1000, EOF"},
	{"a ping of 125 bytes", ping(strings.Repeat("p", 125)) + bye, "pong " + strings.Repeat("p", 125) + ", close 1000, EOF"},
	{"a pong that nobody asked for", pong("x") + bye, "close 1000, EOF"}, // 5.5.3

	{"close 1000", closing(1000, "done"), "close 1000, EOF"},
	{"close 1001", closing(1001, ""), "close 1001, EOF"},
	{"close 3000", closing(3000, ""), "close 3000, EOF"},
	{"close 4000", closing(4000, ""), "close 4000, EOF"},
	{"close 4999", closing(4999, ""), "close 4999, EOF"},
	{"close without a code", fragment(ws.OpClose, true, ""), "close, EOF"}, // 7.1.5
	{"close of one byte", fragment(ws.OpClose, true, "x"), "close 1002, EOF"},
	{"close 0", closing(0, ""), "close 1002, EOF"},
	{"close 999", closing(999, ""), "close 1002, EOF"},
	{"close 1004", closing(1004, ""), "close 1002, EOF"},
	{"close 1005", closing(1005, ""), "close 1002, EOF"},
	{"close 1006", closing(1006, ""), "close 1002, EOF"},
	{"close 1015", closing(1015, ""), "close 1002, EOF"},
	{"close 2999", closing(2999, ""), "close 1002, EOF"},
	{"close 5000", closing(5000, ""), "close 1002, EOF"},
	{"close 65535", closing(65535, ""), "close 1002, EOF"},
	{"close with a reason that is no UTF-8", closing(1000, "\xff"), "close 1007, EOF"},

	{"no mask", string(serverFrame(ws.OpText, "hi")), "close 1002, EOF"}, // 5.1
	{"RSV1", header(0xc1, 0x80), "close 1002, EOF"},
	{"RSV2", header(0xa1, 0x80), "close 1002, EOF"},
	{"RSV3", header(0x91, 0x80), "close 1002, EOF"},
	{"opcode 3", header(0x83, 0x80), "close 1002, EOF"},
	{"opcode 7", header(0x87, 0x80), "close 1002, EOF"},
	{"opcode 11", header(0x8b, 0x80), "close 1002, EOF"},
	{"opcode 15", header(0x8f, 0x80), "close 1002, EOF"},
	{"a ping of 126 bytes", header(0x89, 0xfe, 0, 126), "close 1002, EOF"}, // 5.5
	{"a close of 126 bytes", header(0x88, 0xfe, 0, 126), "close 1002, EOF"},
	{"a fragmented ping", header(0x09, 0x80), "close 1002, EOF"},
	{"a length with its top bit set", header(0x82, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 1), "close 1002, EOF"}, // 5.2
	{"a continuation of nothing", fragment(ws.OpContinuation, true, "x"), "close 1002, EOF"},
	{"a message inside a message", fragment(ws.OpText, false, "a") + text("b"), "close 1002, EOF"},
	{"a message, then a fault", text("a") + header(0xc1, 0x80), "text a, close 1002, EOF"},
	{"a fault, then messages", header(0xc1, 0x80) + text("a") + text("b"), "close 1002, EOF"},

	{"longer than allowed, by its header", header(0x82, 0xfe, maxMessage>>8, maxMessage&0xff+1), "close 1009, EOF"},
	{"much longer, by its header", header(0x81, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff), "close 1009, EOF"},
	{"fragments longer than allowed together", fragment(ws.OpBinary, false, strings.Repeat("a", maxMessage)) + header(0x00, 0x81), "close 1009, EOF"},
	{"a last fragment beyond all numbers", fragment(ws.OpBinary, false, "a") + header(0x80, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff), "close 1009, EOF"},

	{"text that is no UTF-8", text("a\xffb"), "close 1007, EOF"}, // 8.1
	{"text that ends within a character", text("\xe2\x82"), "close 1007, EOF"},
	{"a surrogate", text("\xed\xa0\x80"), "close 1007, EOF"},
	{"fragments that are no UTF-8", fragment(ws.OpText, false, "\xe2") + fragment(ws.OpContinuation, true, "a"), "close 1007, EOF"},
	{"binary that is no UTF-8", binaryMessage("\xff") + bye, "binary \xff, close 1000, EOF"},
}

// pongsFirst makes streams comparable however they were cut: a pong follows the answers to what was read with its ping.
func pongsFirst(frames []string) []string {
	isPong := func(f string) int { return len(f) - len(strings.TrimPrefix(f, "pong ")) }
	slices.SortStableFunc(frames, func(a, b string) int { return isPong(b) - isPong(a) })
	return frames
}

// TestFrames sends each stream whole, and cut in two at every byte.
func TestFrames(t *testing.T) {
	s := serve(t, conn.Config{Shards: 1, MaxMessage: maxMessage}, hooks{})
	for _, test := range streams {
		t.Run(test.label, func(t *testing.T) {
			for cut := range len(test.in) {
				c := s.open(t)
				c.writeCut(s, test.in, cut)
				require.Equal(t, pongsFirst(strings.Split(test.want, ", ")), pongsFirst(c.rest()), "cut at %d", cut)
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
		t.Run(test.label, func(t *testing.T) {
			c, before := s.open(t), s.read()
			for i := range len(test.in) {
				if _, err := c.Write([]byte{test.in[i]}); err != nil {
					break // it was closed before the last of them
				}
				await(t, "a byte", func() bool { return s.read() > before+uint64(i) || s.Live() == 0 })
			}
			got, want := pongsFirst(c.rest()), pongsFirst(strings.Split(test.want, ", "))
			if got[len(got)-1] == "RST" { // what was not read any more has caused it
				got[len(got)-1] = "EOF"
			}
			require.Equal(t, want, got)
			c.Close()
			s.awaitLive(t, 0)
		})
	}
}

// TestPongs: RFC 6455 5.5.3 lets us answer only the newest of several pings.
func TestPongs(t *testing.T) {
	s := serve(t, conn.Config{Shards: 1}, hooks{})
	c := s.open(t)
	c.write(ping("1") + ping("22") + ping("3") + text("after"))
	c.expect("text after", "pong 3")
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
