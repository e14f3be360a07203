package conn

import (
	"github.com/gobwas/ws"
)

// Post is what a worker leaves for the shard's goroutine: bytes to write, and
// what to do then. A connection has one at a time and is not read while it is
// pending.
type Post struct {
	// Out is to be written. Append to it; it is the post's own.
	Out []byte
	// Ask, if not nil, is for Owner.Ask. Parsing stops behind it.
	Ask any

	open     bool   // the handshake is done
	deflate  bool   // and messages may be compressed
	answered bool   // Out ends the connection: it is an HTTP response
	handOff  []byte // the bytes read so far, for net/http
	end      ws.StatusCode
	reason   string
	peer     bool // the peer's close frame has come
	failed   bool // nothing more can be understood
	gone     bool // end of stream, or an errno

}

// Accept says that the connection is a WebSocket from here on. Out is to hold
// the response.
func (p *Post) Accept() { p.open = true }

// Deflate says, after Accept, that messages may be compressed from here on (RFC
// 7692), in either direction without context takeover.
func (p *Post) Deflate() { p.deflate = true }

// Refuse answers an HTTP request, or what should have been one, and ends the
// connection.
func (p *Post) Refuse(r *Refusal) {
	p.Out = r.Append(p.Out[:0])
	p.answered = true
}

// End closes the WebSocket with a code and a reason, of which at most 123
// bytes are sent.
func (p *Post) End(code ws.StatusCode, reason string) {
	if p.end == 0 {
		p.end, p.reason = code, reason
	}
}

// full reports whether parsing has to stop until the shard has seen the post.
func (p *Post) full() bool {
	return p.Ask != nil || p.open || p.answered || p.handOff != nil || p.end != 0 || p.peer || p.gone || len(p.Out) >= postSize
}

func (p *Post) empty() bool { return !p.full() && len(p.Out) == 0 }

// postSize bounds the answers that wait for the shard: what floods us with pings
// or commands is read no faster than it is answered.
const postSize = 4 << 10

func (p *Post) reset() {
	out := p.Out[:0]
	if cap(out) > 4*postSize {
		out = nil
	}
	*p = Post{Out: out}
}
