package server

import (
	"net/http"
	"sync"
	"time"

	"github.com/gobwas/ws"

	"github.com/pushd/pushd/conn"
	"github.com/pushd/pushd/internal/dialect"
)

// handler decides, on workers, what the public door's requests and messages
// mean. What needs the shard it leaves in the post.
type handler struct{ *Server }

var _ conn.Handler = handler{}

// opening asks for the subscriptions that a request's query named.
type opening struct {
	topics []string
	query  [1 << 10]byte // scratch for percent-decoding; longer queries allocate
}

var openings = sync.Pool{New: func() any { return new(opening) }}

// Request implements conn.Handler.
func (h handler) Request(c *conn.Conn, r *conn.Request, p *conn.Post) {
	switch path := r.Path(r.Bytes); {
	case string(path) == "/ws":
	case string(path) == "/echo":
		h.refuse(&conn.Refusal{Status: http.StatusBadRequest, Code: dialect.CodeBadRequest, Message: "echo is not supported yet"}, p)
		return
	case r.Upgrade():
		h.refuse(&conn.Refusal{Status: http.StatusNotFound, Code: dialect.CodeNotFound, Message: "nothing is at " + string(path) + "; WebSockets are at /ws"}, p)
		return
	default:
		h.page(r, p)
		return
	}
	refusal := r.CheckUpgrade(r.Bytes)
	if refusal != nil {
		h.refuse(refusal, p)
		return
	}
	var choice dialect.Choice
	for token, at := r.NextProtocol(r.Bytes, 0); token != nil; token, at = r.NextProtocol(r.Bytes, at) {
		choice.Offer(token)
	}
	id, echo, err := choice.Result()
	if err != nil {
		h.refuse(refusalOf(err), p)
		return
	}
	o := openings.Get().(*opening)
	if err := h.readQuery(o, r.Query(r.Bytes), id); err != nil {
		refusal = refusalOf(err)
	}
	if away := h.turnAway(c, refusal == nil); away != nil {
		refusal = away
	}
	if refusal != nil {
		openings.Put(o)
	}
	browser := len(r.Origin(r.Bytes)) > 0
	if refusal != nil && !(browser && (refusal.Status == http.StatusForbidden || refusal.Status == http.StatusServiceUnavailable)) {
		h.refuse(refusal, p)
		return
	}
	protocol := ""
	if echo {
		protocol = id.Name()
	}
	c.Kind = uint8(id)
	p.Out = conn.AppendSwitching(p.Out, r.Key(r.Bytes), []byte(protocol))
	p.Accept()
	if refusal != nil { // a browser cannot see an HTTP status: it is let in, told, and closed
		h.counts.upgrades.add(refusal.Code)
		if refusal.Status == http.StatusForbidden {
			p.End(dialect.CloseForbidden, refusal.Message)
		} else {
			p.End(closeOfLater(refusal))
		}
		return
	}
	h.counts.upgrades.add("ok")
	if id == dialect.JSON {
		p.Out = dialect.AppendWelcome(p.Out, dialect.Welcome{Connection: r.Handle.String(), Ping: h.cfg.PingInterval, MaxMessage: h.cfg.MaxMessage})
	}
	p.Ask = o
}

// page hands the request to net/http.
func (h handler) page(r *conn.Request, p *conn.Post) {
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

// readQuery reads the topics of a query into o. The error is a *dialect.Error.
func (h handler) readQuery(o *opening, query []byte, id dialect.ID) error {
	o.topics = o.topics[:0]
	scratch := o.query[:]
	if len(query) > len(scratch) {
		scratch = make([]byte, len(query))
	}
	for {
		key, value, rest, ok, err := conn.NextQuery(query, scratch)
		if err != nil {
			return &dialect.Error{Code: dialect.CodeBadRequest, Message: err.Error()}
		}
		if !ok {
			break
		}
		query = rest
		switch string(key) {
		case "topic":
			name := h.hub.Name(value)
			if err := h.checkTopic(name); err != nil {
				return err
			}
			if len(o.topics) == h.cfg.MaxSubscriptions {
				return tooMany(h.cfg.MaxSubscriptions)
			}
			o.topics = append(o.topics, name)
		case "since", "skip", "user", "token", "max_rate":
			return &dialect.Error{Code: dialect.CodeBadRequest, Message: string(key) + " in the URL is not supported yet"}
		}
	}
	if id == dialect.Raw && len(o.topics) == 0 {
		return &dialect.Error{Code: dialect.CodeBadRequest, Message: "no topic: expected ?topic=NAME, at least once; pushd.v1 can also subscribe later"}
	}
	return nil
}

// checkTopic says whether anybody may subscribe to a topic of that name.
func (s *Server) checkTopic(name string) error {
	if err := dialect.CheckTopic(name); err != nil {
		return err
	}
	if s.cfg.Dev || s.cfg.Anonymous.Match(name) >= 0 {
		return nil
	}
	return &dialect.Error{Code: dialect.CodeForbidden, Message: "topic " + quote(name) + " is not open to subscribers without a token", Topic: name}
}

func tooMany(limit int) *dialect.Error {
	return &dialect.Error{Code: dialect.CodeBadRequest, Message: "more than " + itoa(limit) + " subscriptions on one connection"}
}

// Refuses implements conn.Handler.
func (h handler) Refuses(c *conn.Conn, op ws.OpCode) (reason string) {
	switch {
	case dialect.ID(c.Kind) == dialect.Raw:
		return "pushd.raw.v1 takes no messages"
	case op != ws.OpText:
		return "pushd.v1 takes text only"
	}
	return ""
}

// Message implements conn.Handler.
func (h handler) Message(c *conn.Conn, op ws.OpCode, payload []byte, p *conn.Post) {
	cmd, err := dialect.Parse(payload, dialect.Limits{})
	if err != nil {
		p.Out = dialect.AppendError(p.Out, err.(*dialect.Error))
		return
	}
	switch cmd.Op {
	case dialect.OpPing:
		p.Out = dialect.AppendPongOp(p.Out)
	case dialect.OpPong:
	case dialect.OpPublish:
		if !h.cfg.Dev {
			p.Out = dialect.AppendError(p.Out, &dialect.Error{Code: dialect.CodeForbidden, ID: cmd.ID, Topic: cmd.Topic, Message: "publishing from the public door needs a token"})
			return
		}
		p.Ask = &command{Command: cmd.Clone()}
	default:
		p.Ask = &command{Command: cmd.Clone()}
	}
}

// command is a client's command on its way to the shard.
type command struct {
	dialect.Command
	deadline time.Time // of a publish that waits for room; zero: it has not begun to
}
