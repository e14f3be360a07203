package conn_test

import (
	"bytes"
	"compress/flate"
	"io"
	"strings"
	"testing"

	"github.com/gobwas/ws"
	"github.com/stretchr/testify/require"

	"github.com/pushd/pushd/conn"
	"github.com/pushd/pushd/pool"
)

// deflate is what a peer makes of a message (RFC 7692 section 7.2.1).
func deflate(tb testing.TB, level int, pieces ...string) string {
	tb.Helper()
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, level)
	require.NoError(tb, err)
	for _, piece := range pieces { // each flush ends a block
		_, err = io.WriteString(w, piece)
		require.NoError(tb, err)
		require.NoError(tb, w.Flush())
	}
	return strings.TrimSuffix(b.String(), "\x00\x00\xff\xff")
}

// squeezed returns a client's frame with RSV1 set.
func squeezed(op ws.OpCode, fin bool, payload string) string {
	f := ws.MaskFrameWith(ws.NewFrame(op, fin, []byte(payload)), mask)
	f.Header.Rsv = ws.Rsv(true, false, false)
	return string(ws.MustCompileFrame(f))
}

func squeezedText(payload string) string { return squeezed(ws.OpText, true, payload) }

// hello is Hello as RFC 7692 section 7.2.3.1 has it.
const hello = "\xf2\x48\xcd\xc9\xc9\x07\x00"

// deflatedStreams are what a client may send that compresses, by the clause of RFC 7692 that says what follows from it.
func deflatedStreams(tb testing.TB) []struct{ clause, label, in, want string } {
	return []struct{ clause, label, in, want string }{
		{"7.2.3.1", "one block", squeezedText(hello) + bye, "text Hello, close 1000, EOF"},
		{"7.2.3.1", "one block in two frames", squeezed(ws.OpText, false, hello[:3]) + fragment(ws.OpContinuation, true, hello[3:]) + bye,
			"text Hello, close 1000, EOF"},
		{"7.2.3.3", "a block without compression", squeezedText("\x00\x05\x00\xfa\xffHello\x00") + bye, "text Hello, close 1000, EOF"},
		{"7.2.3.4", "a block that calls itself the last", squeezedText("\xf3\x48\xcd\xc9\xc9\x07\x00\x00") + bye, "text Hello, close 1000, EOF"},
		{"7.2.3.4", "blocks behind one that calls itself the last", squeezedText("\xf3\x48\xcd\xc9\xc9\x07\x00\x03\x00"+hello) + bye, "text HelloHello, close 1000, EOF"},
		{"7.2.3.5", "two blocks", squeezedText("\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00") + bye, "text Hello, close 1000, EOF"},
		{"7.2.3.6", "an empty message", squeezedText("\x00") + bye, "text , close 1000, EOF"},
		{"7.2.3.6", "an empty message of no bytes", squeezedText("") + bye, "text , close 1000, EOF"},
		{"7.2.1", "binary", squeezed(ws.OpBinary, true, deflate(tb, 9, "\x00\xff\x00\xff\x00\xff")) + bye, "binary \x00\xff\x00\xff\x00\xff, close 1000, EOF"},
		{"6.1", "fragments, some of them empty",
			squeezed(ws.OpText, false, "") + fragment(ws.OpContinuation, false, hello[:5]) + fragment(ws.OpContinuation, false, "") + fragment(ws.OpContinuation, false, hello[5:]) + fragment(ws.OpContinuation, true, "") + bye,
			"text Hello, close 1000, EOF"},
		{"6.1", "a ping between fragments", squeezed(ws.OpText, false, hello[:3]) + ping("x") + fragment(ws.OpContinuation, true, hello[3:]) + bye,
			"pong x, text Hello, close 1000, EOF"},
		{"6", "a message that is not compressed", text("plain") + squeezedText(hello) + text("plain") + bye, "text plain, text Hello, text plain, close 1000, EOF"},
		{"6", "fragments that are not compressed", fragment(ws.OpText, false, "pla") + fragment(ws.OpContinuation, true, "in") + bye, "text plain, close 1000, EOF"},
		{"7.2.2", "as long as allowed", squeezedText(deflate(tb, 9, as(maxMessage))) + bye, "text " + as(maxMessage) + ", close 1000, EOF"},
		{"7.2.2", "a character cut by a block", squeezedText(deflate(tb, 9, "\xe2", "\x82\xac")) + bye, "text €, close 1000, EOF"},

		{"6.1", "RSV1 of a continuation", squeezed(ws.OpText, false, hello[:3]) + "\xc0", "close 1002, EOF"},
		{"6.1", "RSV1 of a continuation alone", fragment(ws.OpText, false, "a") + "\xc0", "close 1002, EOF"},
		{"6", "RSV1 of a ping", "\xc9", "close 1002, EOF"},
		{"6", "RSV1 of a close", "\xc8", "close 1002, EOF"},
		{"6", "RSV1 and RSV2", "\xe1", "close 1002, EOF"},
		{"6", "RSV3", "\x91", "close 1002, EOF"},
		{"7.1.1", "a reference to the message before", squeezedText(hello) + squeezedText("\xf2\x00\x11\x00\x00"), "text Hello, close 1007, EOF"},
		{"7.2.2", "a block of no type", squeezedText("\x07"), "close 1007, EOF"},
		{"7.2.2", "a length that is not its complement's", squeezedText("\x00\x05\x00\xfa\xfeHello\x00"), "close 1007, EOF"},
		{"7.2.2", "a block that does not end", squeezedText(hello[:4]), "close 1007, EOF"},
		{"7.2.2", "a block longer than the message", squeezedText("\x00\x64\x00\x9b\xffHello"), "close 1007, EOF"},
		{"7.2.2", "text that is no UTF-8", squeezedText(deflate(tb, 9, "a\xffb")), "close 1007, EOF"},
		{"7.2.2", "text that ends within a character", squeezedText(deflate(tb, 9, "\xe2\x82")), "close 1007, EOF"},
		{"7.2.2", "longer than allowed, inflated", squeezedText(deflate(tb, 9, as(maxMessage+1))), "close 1009, EOF"},
		{"7.2.2", "longer than allowed, deflated", "\xc1\xfe\x01\x2d", "close 1009, EOF"},
	}
}

// TestDeflated sends each stream whole, and cut in two at every byte.
func TestDeflated(t *testing.T) {
	s := serve(t, conn.Config{Shards: 1, MaxMessage: maxMessage}, hooks{request: deflates})
	for _, test := range deflatedStreams(t) {
		t.Run(test.clause+" "+test.label, func(t *testing.T) {
			for cut := range len(test.in) {
				c := s.open(t)
				c.writeCut(s, test.in, cut)
				require.Equal(t, strings.Split(test.want, ", "), c.rest(), "cut at %d", cut)
				c.Close()
			}
			s.awaitLive(t, 0)
		})
	}
}

// inflating is a stream that takes what was compressed.
func inflating(limit int) (*conn.Stream, *pool.Buffers) {
	buffers := pool.NewBuffers(pool.BuffersConfig{})
	return conn.NewStream(conn.Config{Handler: new(mute), Buffers: buffers, MaxMessage: limit}), buffers
}

// TestInflation is about what a message may become.
func TestInflation(t *testing.T) {
	const free, ratio = 64 << 10, 100
	for _, test := range []struct {
		label  string
		limit  int
		in     string
		want   int // bytes
		reason string
	}{
		{"up to 64 KiB whatever the ratio", 1 << 20, deflate(t, 9, as(free)), free, ""},
		{"more than 64 KiB", 1 << 20, deflate(t, 9, as(free+1)), 0, "message inflates to more than 100 times its size"},
		{"a bomb", 16 << 20, deflate(t, 9, as(32<<20)), 0, "message inflates to more than 100 times its size"},
		{"a bomb under a small limit", 1000, deflate(t, 9, as(32<<20)), 0, "message larger than the limit"},
		{"without compression, to the limit", 1 << 20, deflate(t, 0, as(1<<20)), 1 << 20, ""},
		{"without compression, beyond it", 1 << 20, deflate(t, 0, as(1<<20)+"a"), 0, "message larger than the limit"},
		{"to the ratio", 1 << 20, padded(t, 1000, ratio*1000), ratio * 1000, ""},
		{"beyond the ratio", 1 << 20, padded(t, 1000, ratio*1000+1), 0, "message inflates to more than 100 times its size"},
		{"many blocks that call themselves the last", 1 << 20, strings.Repeat("\x03\x00", 30_000) + hello, 5, ""},
	} {
		t.Run(test.label, func(t *testing.T) {
			x, buffers := inflating(test.limit)
			out, code, reason := x.Inflate([]byte(test.in))
			require.Equal(t, test.reason, reason)
			require.Len(t, out, test.want)
			if reason != "" {
				require.Equal(t, ws.StatusMessageTooBig, code)
			}
			require.Zero(t, buffers.Stats().InUse)
		})
	}
}

// padded deflates n bytes to so many, by blocks that hold nothing.
func padded(tb testing.TB, compressed, n int) string {
	in := deflate(tb, 9, as(n))
	if (compressed-len(in))%2 == 1 {
		in = "\x00\x00\x00\xff\xff" + in
	}
	return strings.Repeat("\x03\x00", (compressed-len(in))/2) + in
}

// TestInflatingAllocatesNothing, nor does it keep anything.
func TestInflatingAllocatesNothing(t *testing.T) {
	h := new(mute)
	buffers := pool.NewBuffers(pool.BuffersConfig{})
	x := conn.NewStream(conn.Config{Handler: h, Buffers: buffers})
	x.Deflate()
	in := []byte(squeezedText(deflate(t, 6, strings.Repeat("what is said again and again, ", 100))))
	require.Zero(t, testing.AllocsPerRun(100, func() { x.Feed(in) }))
	require.Equal(t, 101, h.messages)
	require.Zero(t, buffers.Stats().InUse)
}

// inflated is what the standard library makes of a payload; ok is unset where it makes nothing of it.
func inflated(payload []byte, limit int) (out []byte, ok bool) {
	if len(payload) == 0 {
		return nil, true
	}
	in := bytes.NewReader(append(bytes.Clone(payload), "\x00\x00\xff\xff\x01\x00\x00\xff\xff"...))
	for in.Len() > 0 && len(out) <= limit {
		more, err := io.ReadAll(io.LimitReader(flate.NewReader(in), int64(limit+1-len(out))))
		if out = append(out, more...); err != nil {
			return nil, false
		}
	}
	return out, true
}

// FuzzInflate compares with the standard library, for any bytes, and for what it has compressed, at any cut.
func FuzzInflate(f *testing.F) {
	for _, in := range []string{"", "\x00", hello, "\xf3\x48\xcd\xc9\xc9\x07\x00\x00", "\x00\x05\x00\xfa\xffHello\x00", "\x07", deflate(f, 9, as(70_000))} {
		f.Add([]byte(in), 6)
	}
	const limit = 100 << 10
	f.Fuzz(func(t *testing.T, in []byte, level int) {
		x, buffers := inflating(limit)
		got, code, _ := x.Inflate(in)
		want, ok := inflated(in, limit)
		most := min(limit, max(64<<10, 100*len(in)))
		switch {
		case len(want) > most: // however it goes on
			if code == 0 {
				t.Fatalf("%x: %d bytes, of which %d are allowed", in, len(got), most)
			}
		case !ok:
			if code == 0 {
				t.Fatalf("%x: %q, and the standard library makes nothing of it", in, got)
			}
		case code != 0 || got != string(want):
			t.Fatalf("%x: %d %q, want %q", in, code, got, want)
		}
		if len(in) <= 64<<10 {
			cut := min(len(in), max(0, level%(len(in)+1)))
			back, code, reason := x.Inflate([]byte(deflate(t, max(level%12, 0)-2, string(in[:cut]), string(in[cut:]))))
			if code != 0 || back != string(in) {
				t.Fatalf("%q came back as %q: %d %s", in, back, code, reason)
			}
		}
		if n := buffers.Stats().InUse; n != 0 {
			t.Fatalf("%d bytes of buffers are in use", n)
		}
	})
}
