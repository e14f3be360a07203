package server

import (
	"github.com/gobwas/ws"

	"github.com/pushd/pushd/conn"
	"github.com/pushd/pushd/internal/dialect"
)

// The Kinds of connections to /echo, which speak no dialect: every message comes
// back as it went. It is for conformance suites. Like raw they have no words of
// their own.
const (
	kindEcho        = uint8(0xfc + dialect.Raw)
	kindEchoDeflate = uint8(0xfc + dialect.RawDeflate)
)

const echoPath = "/echo"

func isEcho(kind uint8) bool { return kind >= kindEcho }

// kindName is what the admin door calls a Kind.
func kindName(kind uint8) string {
	if isEcho(kind) {
		return "echo"
	}
	return dialect.ID(kind).Name()
}

// echo lets a connection in that is to be sent back what it sends. It offers no
// subprotocol, so it accepts none.
func (h handler) echo(c *conn.Conn, r *conn.Request, p *conn.Post) {
	refusal := h.checkHandshake(r)
	if refusal == nil {
		refusal = h.noPlace(c)
	}
	if refusal == nil {
		refusal = h.rush()
	}
	if refusal != nil {
		h.refuse(refusal, p)
		return
	}
	c.Kind = kindEcho
	extensions := r.Deflate()
	p.Out = conn.AppendSwitching(p.Out, r.Key(r.Bytes), nil, extensions)
	p.Accept()
	if extensions != "" {
		c.Kind = kindEchoDeflate
		p.Deflate()
	}
	h.counts.upgrades.add("ok")
}

// appendEcho appends the message that answers one.
func appendEcho(dst []byte, kind uint8, op ws.OpCode, payload []byte) []byte {
	if kind == kindEchoDeflate {
		return dialect.AppendDeflated(dst, op, dialect.Deflate(nil, payload))
	}
	return append(dialect.AppendHeader(dst, op, len(payload)), payload...)
}
