package server

import (
	"github.com/gobwas/ws"

	"github.com/pushd/pushd/conn"
	"github.com/pushd/pushd/internal/dialect"
)

// kindEcho is the Kind of a connection to /echo, which speaks no dialect: every
// message comes back as it went. It is for conformance suites.
const kindEcho = 0xff

const echoPath = "/echo"

// kindName is what the admin door calls a Kind.
func kindName(kind uint8) string {
	if kind == kindEcho {
		return "echo"
	}
	return dialect.ID(kind).Name()
}

// echo lets a connection in that is to be sent back what it sends. It offers no
// subprotocol, so it accepts none.
func (h handler) echo(c *conn.Conn, r *conn.Request, p *conn.Post) {
	refusal := r.CheckUpgrade(r.Bytes)
	if refusal == nil {
		refusal = h.origins.check(r)
	}
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
	p.Out = conn.AppendSwitching(p.Out, r.Key(r.Bytes), nil, r.Deflate())
	p.Accept()
	if r.Deflate() != "" {
		p.Deflate()
	}
	h.counts.upgrades.add("ok")
}

// appendEcho appends the message that answers one.
func appendEcho(dst []byte, op ws.OpCode, payload []byte) []byte {
	return append(dialect.AppendHeader(dst, op, len(payload)), payload...)
}
