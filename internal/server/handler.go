package server

import (
	"net/http"
	"sync"
	"time"

	"github.com/gobwas/ws"

	"github.com/pushd/pushd/conn"
	"github.com/pushd/pushd/internal/auth"
	"github.com/pushd/pushd/internal/dialect"
)

// handler decides, on workers, what the public door's requests and messages
// mean. What needs the shard it leaves in the post.
type handler struct{ *Server }

var _ conn.Handler = handler{}

var openings = sync.Pool{New: func() any { return new(opening) }}

// Request implements conn.Handler.
func (h handler) Request(c *conn.Conn, r *conn.Request, p *conn.Post) {
	h.countClient(c, r)
	switch path := r.Path(r.Bytes); {
	case string(path) == "/ws":
	case h.cfg.Echo && string(path) == echoPath:
		h.echo(c, r, p)
		return
	case r.Upgrade():
		h.refuse(&conn.Refusal{Status: http.StatusNotFound, Code: dialect.CodeNotFound, Message: "nothing is at " + string(path) + "; WebSockets are at /ws"}, p)
		return
	default:
		h.page(c, r, p)
		return
	}
	refusal := h.checkHandshake(r)
	if refusal != nil {
		h.refuse(refusal, p)
		return
	}
	var choice dialect.Choice
	var bearer []byte
	for token, at := r.NextProtocol(r.Bytes, 0); token != nil; token, at = r.NextProtocol(r.Bytes, at) {
		if credential, ok := choice.Offer(token); ok {
			bearer = credential
		}
	}
	id, echo, err := choice.Result()
	if err != nil {
		h.refuse(refusalOf(err), p)
		return
	}
	o := openings.Get().(*opening)
	if refusal = h.noPlace(c); refusal == nil {
		if err := h.read(o, c, r, bearer, id); err != nil {
			refusal = refusalOf(err)
		} else {
			refusal = h.rush()
		}
	}
	if refusal != nil {
		openings.Put(o)
	}
	browser := len(r.Origin(r.Bytes)) > 0
	if refusal != nil && !(browser && mustBeTold(refusal)) {
		h.refuse(refusal, p)
		return
	}
	protocol := ""
	if echo {
		protocol = id.Name()
	}
	extensions := ""
	if h.cfg.Compress {
		extensions = r.Deflate()
	}
	p.Out = conn.AppendSwitching(p.Out, r.Key(r.Bytes), []byte(protocol), extensions)
	p.Accept()
	if extensions != "" {
		id = id.Deflate()
		p.Deflate()
	}
	c.Kind = uint8(id)
	if refusal != nil { // a browser cannot see an HTTP status: it is let in, told, and closed
		h.counts.upgrades.add(refusal.Code)
		switch refusal.Status {
		case http.StatusUnauthorized, http.StatusForbidden:
			p.End(closeOfRefusal(refusal.Code), refusal.Message)
		case http.StatusConflict:
			p.End(dialect.ClosePolicyViolation, refusal.Message)
		default:
			p.End(closeOfLater(refusal))
		}
		return
	}
	h.counts.upgrades.add("ok")
	if id.IsJSON() {
		p.Out = dialect.AppendWelcome(p.Out, dialect.Welcome{Connection: r.Handle.String(), Ping: h.cfg.PingInterval, MaxMessage: h.cfg.MaxMessage})
	}
	p.Ask = o
}

// checkHandshake returns the refusal of what is no handshake, or comes from a page
// that may not connect, or nil.
func (h handler) checkHandshake(r *conn.Request) *conn.Refusal {
	if refusal := r.CheckUpgrade(r.Bytes); refusal != nil {
		return refusal
	}
	return h.origins.check(r)
}

// mustBeTold reports whether a refusal is not the fault of the request as such:
// its sender would come back with the same.
func mustBeTold(r *conn.Refusal) bool {
	switch r.Status {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusConflict, http.StatusTooManyRequests, http.StatusServiceUnavailable:
		return true
	}
	return false
}

// page hands the request to net/http.
func (h handler) page(c *conn.Conn, r *conn.Request, p *conn.Post) {
	refusal := tooManyFromThere(c)
	if x, banned := h.banned(c, nil); banned {
		refusal = refusalOf(x.refusal())
	}
	if refusal != nil {
		h.refuse(refusal, p)
		return
	}
	if h.pages.full() {
		h.refuse(refusePage, p)
		return
	}
	p.HandOff(r)
}

func (h handler) refuse(r *conn.Refusal, p *conn.Post) {
	h.Refused(r)
	p.Refuse(r)
}

// Refused implements conn.Handler.
func (h handler) Refused(r *conn.Refusal) { h.counts.upgrades.add(r.Code) }

func refusalOf(err error) *conn.Refusal {
	e := err.(*dialect.Error)
	return &conn.Refusal{Status: dialect.HTTPStatus(e.Code), Code: e.Code, Message: e.Message}
}

func tooMany(limit int) *dialect.Error {
	return &dialect.Error{Code: dialect.CodeBadRequest, Message: "more than " + itoa(limit) + " subscriptions on one connection"}
}

// Refuses implements conn.Handler.
func (h handler) Refuses(c *conn.Conn, op ws.OpCode) (reason string) {
	switch {
	case isEcho(c.Kind):
	case dialect.ID(c.Kind).IsRaw():
		return "pushd.raw.v1 takes no messages"
	case op != ws.OpText:
		return "pushd.v1 takes text only"
	}
	return ""
}

// Message implements conn.Handler.
func (h handler) Message(c *conn.Conn, op ws.OpCode, payload []byte, p *conn.Post) {
	if isEcho(c.Kind) {
		p.Out = appendEcho(p.Out, c.Kind, op, payload)
		return
	}
	cmd, err := dialect.Parse(payload, dialect.Limits{})
	if err != nil {
		p.Out = dialect.AppendError(p.Out, err.(*dialect.Error))
		return
	}
	switch cmd.Op {
	case dialect.OpPing:
		p.Out = dialect.AppendPongOp(p.Out)
	case dialect.OpPong:
	case dialect.OpAuth:
		g, err := h.verify(cmd.Token)
		if err != nil {
			p.Out = dialect.AppendError(p.Out, &dialect.Error{Code: dialect.CodeUnauthorized, ID: cmd.ID, Message: err.(*dialect.Error).Message})
			return
		}
		cmd.Token = nil
		p.Ask = &command{Command: cmd.Clone(), grant: g}
	default:
		p.Ask = &command{Command: cmd.Clone()}
	}
}

// command is a client's command on its way to the shard.
type command struct {
	dialect.Command
	grant    *auth.Grant // of an auth
	deadline time.Time   // of a publish that waits for room; zero: it has not begun to
}
