package conformance_test

import (
	"encoding/json"
	"io"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// drained reads the body of a refusal, which has to be all that comes before the
// server's FIN.
func (p *peer) drained(a answer, headless bool) {
	p.t.Helper()
	p.SetReadDeadline(time.Now().Add(patience))
	body, err := io.ReadAll(p.r)
	require.NoError(p.t, err, "the server was to end the TCP connection, in order")
	require.Equal(p.t, []string{strconv.Itoa(len(body))}, a.all("Content-Length"))
	var said struct{ Code, Message string }
	require.NoError(p.t, json.Unmarshal(body, &said), "%q", body)
	require.NotEmpty(p.t, said.Code)
	require.NotEmpty(p.t, said.Message)
}

// What comes around the handshake.
var around = []story{
	{"6455 4.2.2 (5)", "frames right behind the request are answered", func(t *testing.T, h *host) {
		sent := joined([]byte(request("/echo")), masked(fin|text, "one"), masked(fin|binaryData, "two"), masked(fin|ping, "three"))
		for _, cut := range []int{len(sent), len(request("/echo")), len(request("/echo")) + 1, len(sent) - 1} {
			p := h.dial(t)
			p.pieces(sent, cut)
			require.Equal(t, 101, p.head().code(t))
			p.gets(frame{fin | text, "one"}, frame{fin | binaryData, "two"}, frame{fin | pong, "three"})
			p.lives()
		}
	}},
	{"6455 4.2.2 (5)", "a close frame right behind the request is answered", func(t *testing.T, h *host) {
		p := h.dial(t)
		p.send(joined([]byte(request("/echo")), masked(fin|closing, closeBody(1000, ""))))
		require.Equal(t, 101, p.head().code(t))
		p.closed(1000)
	}},
	{"6455 4.2.2 (5)", "a fault right behind the request is found", func(t *testing.T, h *host) {
		p := h.dial(t)
		p.send(joined([]byte(request("/echo")), []byte{fin | 3}))
		require.Equal(t, 101, p.head().code(t))
		p.closed(1002)
	}},
	{"6455 7.2.2", "frames behind a refused request are not answered", func(t *testing.T, h *host) {
		p := h.dial(t)
		p.send(joined([]byte(but("example.com", "")), masked(fin|ping, "still?")))
		a := p.head()
		require.Equal(t, 400, a.code(t))
		p.drained(a, false)
	}},
	{"6455 7.2.2", "another request behind a refused one is not answered", func(t *testing.T, h *host) {
		p := h.dial(t)
		p.send([]byte(but(": 13", ": 8") + request("/echo")))
		a := p.head()
		require.Equal(t, 426, a.code(t))
		p.drained(a, false)
	}},
	{"6455 4.2.1", "the first impossible byte of a request is enough", func(t *testing.T, h *host) {
		for _, begun := range []string{"\x16\x03\x01", "GET /echo HTTP/2", "GET /echo HTTP/1.1\r\nHost : ", "GET /echo HTTP/1.1\r\nHost: a\x00", "GET /echo HTTP/1.1\r\n fold"} {
			p := h.dial(t)
			p.send([]byte(begun))
			a := p.head()
			require.GreaterOrEqual(t, a.code(t), 400, "%q", begun)
			p.drained(a, false)
		}
	}},
}

func TestAroundHandshake(t *testing.T) { runStories(t, around) }
