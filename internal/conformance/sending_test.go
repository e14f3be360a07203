package conformance_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// published are the sizes of what the server sends of its own accord: about all
// edges of a length, up to the largest payload that may be published.
var published = []int{0, 1, 124, 125, 126, 127, 65_534, 65_535, 65_536, most}

// sendings are the cases of RFC 6455 6.1 and of what 5.1 and 5.2 demand of the
// server's own frames. That none is masked, has a bit that was not negotiated or a
// length in more bytes than it takes, peer.next sees to, in every case of all.
var sendings = []story{
	{"6455 6.1", "what is published as text is one text frame", func(t *testing.T, h *host) {
		p := h.subscriber(t, "b1")
		for _, n := range published {
			payload := strings.Repeat("€.µ", n/6+1)[:n-n%6]
			h.admin(t, "POST", "/v1/topics/b1/messages", "text/plain; charset=utf-8", payload)
			p.gets(frame{fin | text, payload})
		}
		p.lives()
	}},
	{"6455 6.1", "what is published as bytes is one binary frame", func(t *testing.T, h *host) {
		p := h.subscriber(t, "b2")
		for _, n := range published {
			payload := strings.Repeat(everyByte(), n/256+1)[:n]
			h.admin(t, "POST", "/v1/topics/b2/messages", "application/octet-stream", payload)
			p.gets(frame{fin | binaryData, payload})
		}
		p.lives()
	}},
	{"6455 5.1 server", "frames of JSON, around each size of a length", func(t *testing.T, h *host) {
		p := h.dial(t)
		p.send([]byte(request("/ws?topic=b3", "Sec-WebSocket-Protocol: pushd.v1\r\n")))
		require.Equal(t, 101, p.head().code(t))
		require.Contains(t, p.next().payload, `"welcome"`)
		require.Contains(t, p.next().payload, `"subscribed"`)
		for _, around := range []int{126, 65_536} {
			for n := max(0, around-130); n < around+5; n += 5 {
				h.admin(t, "POST", "/v1/topics/b3/messages", "text/plain", strings.Repeat("x", n))
				f := p.next()
				require.Equal(t, byte(fin|text), f.first)
				require.Contains(t, f.payload, `"`+strings.Repeat("x", n)+`"`)
			}
		}
		p.lives()
	}},
	{"6455 6.1 open", "a frame of another topic's is not cut by an answer", func(t *testing.T, h *host) {
		p := h.subscriber(t, "b4")
		for i := range 50 {
			h.admin(t, "POST", "/v1/topics/b4/messages", "text/plain", fmt.Sprintf("%d %s", i, strings.Repeat("x", 10_000)))
			p.send(masked(fin|ping, fmt.Sprint(i)))
		}
		messages, answered := 0, ""
		for messages < 50 || answered != "49" { // a pong may stand for those before it, 5.5.3
			switch f := p.next(); f.first {
			case fin | text:
				require.True(t, strings.HasPrefix(f.payload, fmt.Sprintf("%d xx", messages)), "%v", f)
				messages++
			case fin | pong:
				answered = f.payload
			default:
				require.Fail(t, "neither a message nor a pong", "%v", f)
			}
		}
	}},
	{"6455 5.5.3 newest", "many pings at once: the last is answered, and no pong comes that nobody asked for", func(t *testing.T, h *host) {
		p := h.echo(t)
		sent := []byte{}
		for i := range 100 {
			sent = append(sent, masked(fin|ping, fmt.Sprintf("%02d", i))...)
		}
		p.send(sent)
		for last := ""; last != "99"; {
			f := p.next()
			require.Equal(t, byte(fin|pong), f.first)
			require.Greater(t, f.payload, last, "in the order of the pings")
			last = f.payload
		}
		p.lives()
	}},
}

func TestSending(t *testing.T) { runStories(t, sendings) }
