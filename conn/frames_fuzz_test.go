package conn_test

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/gobwas/ws"

	"github.com/pushd/pushd/conn"
	"github.com/pushd/pushd/pool"
)

// heard is a handler that notes what it is told.
type heard []string

func (*heard) Request(*conn.Conn, *conn.Request, *conn.Post) { panic("the handshake is done") }
func (*heard) Refuses(*conn.Conn, ws.OpCode) string          { return "" }
func (*heard) Refused(*conn.Refusal)                         { panic("the handshake is done") }
func (h *heard) Message(_ *conn.Conn, op ws.OpCode, payload []byte, p *conn.Post) {
	*h = append(*h, fmt.Sprintf("%d %q", op, payload))
	if len(payload) > 0 {
		switch payload[0] {
		case 'e':
			p.End(4000, "")
		case 'o': // so much that parsing stops
			p.Out = append(p.Out, make([]byte, 5000)...)
		case 'a':
			p.Ask = "something"
		}
	}
}

// said is all that a stream has caused.
type said struct {
	Messages []string
	Ended    ws.StatusCode
	Failed   bool
}

// feed cuts in at each of its places that pieces, used again and again, lead to; no piece is longer than one read.
func feed(tb testing.TB, in, pieces []byte, deflates bool) said {
	var h heard
	buffers := pool.NewBuffers(pool.BuffersConfig{})
	x := conn.NewStream(conn.Config{Handler: &h, Buffers: buffers, MaxMessage: modelLimit})
	if deflates {
		x.Deflate()
	}
	for i := 0; len(in) > 0; i++ {
		n := min(len(in), 16<<10)
		if len(pieces) > 0 {
			n = min(n, int(pieces[i%len(pieces)])+1)
		}
		piece := append([]byte(nil), in[:n]...) // the parser unmasks in place
		in = in[n:]
		x.Feed(piece)
	}
	x.Release()
	if n := buffers.Stats().InUse; n != 0 {
		tb.Errorf("%d bytes of buffers are in use", n)
	}
	return said{h, x.Ended, x.Failed}
}

// addStreams seeds a fuzz target with all streams that tests have.
func addStreams(f *testing.F) {
	for _, stream := range streams {
		f.Add([]byte(stream.in), []byte{3, 0, 17}, false)
	}
	for _, stream := range deflatedStreams(f) {
		f.Add([]byte(stream.in), []byte{3, 0, 17}, true)
	}
	f.Add([]byte(text("end")+text("x")+bye), []byte{0}, false)
	f.Add([]byte(text("out")+text("ask")+fragment(ws.OpText, false, "a")+ping("p")+fragment(ws.OpContinuation, true, "b")+text("x")), []byte{5}, false)
}

// FuzzFrames cuts any bytes at any places: what the handler is told, and how the connection ends, is what the model says.
func FuzzFrames(f *testing.F) {
	addStreams(f)
	f.Fuzz(func(t *testing.T, in, pieces []byte, deflates bool) {
		want := model(in, deflates, func(payload []byte) bool { return len(payload) > 0 && payload[0] == 'e' }).said
		for _, cut := range []struct {
			label  string
			pieces []byte
		}{{"whole", nil}, {"in pieces", pieces}, {"byte by byte", []byte{0}}} {
			if got := feed(t, in, cut.pieces, deflates); !reflect.DeepEqual(got, want) {
				t.Fatalf("%s:\n%+v, want\n%+v", cut.label, got, want)
			}
		}
	})
}

// FuzzLive sends any bytes, cut anywhere, to a server, and then FIN. What comes back, until its FIN, is what the model
// says. There is never a reset.
func FuzzLive(f *testing.F) {
	addStreams(f)
	plain := serve(f, conn.Config{Shards: 1, MaxMessage: modelLimit}, hooks{quiet: true})
	deflating := serve(f, conn.Config{Shards: 1, MaxMessage: modelLimit}, hooks{quiet: true, request: deflates})
	f.Fuzz(func(t *testing.T, in, pieces []byte, deflates bool) {
		if len(in) > 16<<10 { // more would have to be read meanwhile
			return
		}
		s := plain
		if deflates {
			s = deflating
		}
		want := model(in, deflates, func([]byte) bool { return false })
		c := s.open(t)
		defer c.reset()
		for i := 0; len(in) > 0; i++ {
			n := len(in)
			if len(pieces) > 0 {
				n = min(n, int(pieces[i%len(pieces)])+1)
			}
			c.write(string(in[:n]))
			in = in[n:]
		}
		if err := c.CloseWrite(); err != nil {
			t.Fatal(err)
		}
		want.requireAnswered(t, c.rest())
	})
}

// requireAnswered checks the frames that an echoing server has sent. Of several pings it may answer the last only (RFC
// 6455 section 5.5.3).
func (h heardBy) requireAnswered(t *testing.T, frames []string) {
	t.Helper()
	var got, want []string
	pings := h.pings
	last := "none"
	for _, f := range frames {
		pong, ok := strings.CutPrefix(f, "pong ")
		if !ok {
			got = append(got, f)
			continue
		}
		i := slices.Index(pings, pong)
		if i < 0 {
			t.Fatalf("pong %q: not what was left to answer: %q", pong, pings)
		}
		pings, last = pings[i+1:], pong
	}
	if n := len(h.pings); n > 0 && last != h.pings[n-1] {
		t.Fatalf("the last ping %q has no answer", h.pings[n-1])
	}
	for _, m := range h.Messages {
		var op ws.OpCode
		var payload string
		fmt.Sscanf(m, "%d %q", &op, &payload)
		want = append(want, describeFrame(ws.NewFrame(op, true, []byte(payload))))
	}
	switch h.Ended {
	case 0:
	case ws.StatusNoStatusRcvd:
		want = append(want, "close")
	default:
		want = append(want, fmt.Sprintf("close %d", h.Ended))
	}
	if want = append(want, "EOF"); !slices.Equal(got, want) {
		t.Fatalf("%q, want %q", got, want)
	}
}
