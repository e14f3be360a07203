package conn_test

import (
	"fmt"
	"reflect"
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
func feed(tb testing.TB, in, pieces []byte) said {
	var h heard
	buffers := pool.NewBuffers(pool.BuffersConfig{})
	x := conn.NewStream(conn.Config{Handler: &h, Buffers: buffers, MaxMessage: 1000})
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

// FuzzFrames cuts any bytes at any places: what the handler is told, and how the connection ends, must not depend on it.
func FuzzFrames(f *testing.F) {
	for _, stream := range streams {
		f.Add([]byte(stream.in), []byte{3, 0, 17})
	}
	f.Add([]byte(text("end")+text("x")+bye), []byte{0})
	f.Add([]byte(text("out")+text("ask")+fragment(ws.OpText, false, "a")+ping("p")+fragment(ws.OpContinuation, true, "b")+text("x")), []byte{5})
	f.Fuzz(func(t *testing.T, in, pieces []byte) {
		want := feed(t, in, nil)
		if got := feed(t, in, pieces); !reflect.DeepEqual(got, want) {
			t.Fatalf("in pieces:\n%+v, whole:\n%+v", got, want)
		}
		if got := feed(t, in, []byte{0}); !reflect.DeepEqual(got, want) {
			t.Fatalf("byte by byte:\n%+v, whole:\n%+v", got, want)
		}
	})
}
