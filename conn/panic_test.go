package conn_test

import (
	"testing"

	"github.com/gobwas/ws"
	"github.com/stretchr/testify/require"

	"github.com/pushd/pushd/conn"
)

func TestPanic(t *testing.T) {
	s := serve(t, conn.Config{Shards: 1}, hooks{
		request: func(_ *conn.Conn, r *conn.Request, p *conn.Post) {
			accept(r, p)
			if string(r.Path(r.Bytes)) == "/panic" {
				panic("as asked")
			}
		},
		message: func(_ *conn.Conn, op ws.OpCode, payload []byte, p *conn.Post) {
			p.Out = append(p.Out, serverFrame(op, string(payload))...)
			if string(payload) == "panic" {
				panic("as asked")
			}
		},
	})
	other := s.open(t)
	panics := 0
	for _, test := range []struct{ label, in string }{
		{"alone", text("panic")},
		{"with a frame begun behind it", text("panic") + text("more")[:4]},
		{"with much behind it", text("panic") + binaryMessage(string(make([]byte, 50_000))) + bye},
		{"in fragments", fragment(ws.OpText, false, "pan") + fragment(ws.OpContinuation, true, "ic")},
	} {
		t.Run(test.label, func(t *testing.T) {
			for _, cut := range []int{0, 1, 8} {
				c := s.open(t)
				c.writeCut(s, test.in, cut)
				c.expect("close 1011", "EOF")
				panics++
				require.EqualValues(t, panics, s.Stats().Panics.Load())
				c.write(closing(1011, ""))
				c.Close()
				s.awaitLive(t, 1)
				require.Zero(t, s.Buffers().Stats().InUse)
			}
		})
	}
	t.Run("in Request", func(t *testing.T) {
		c := s.dial(t)
		c.write("GET /panic" + shortHead[len("GET /"):])
		status, body := c.response()
		require.Equal(t, 500, status, body)
		c.expect("EOF")
		c.Close()
		s.awaitLive(t, 1)
	})
	other.write(text("still here"))
	other.expect("text still here")
	other.leave()
}
