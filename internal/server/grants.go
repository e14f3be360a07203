package server

import (
	"time"

	"github.com/pushd/pushd/conn"
	"github.com/pushd/pushd/internal/auth"
	"github.com/pushd/pushd/internal/dialect"
)

// grants is what the tokens of a shard's connections allow, by slot. A server to
// which nobody brings a token has none; else each slot costs 12 bytes and each
// token what [auth.Grant] does. It belongs to the shard's goroutine.
type grants struct {
	held   []*auth.Grant
	due    []uint32 // Unix time, in seconds, at which the connection is looked at; 0: never
	walked time.Time
}

func (g *grants) of(slot uint32) *auth.Grant {
	if int(slot) < len(g.held) {
		return g.held[slot]
	}
	return nil
}

// set notes a connection's grant, or nil, and when to look at it.
func (g *grants) set(slot uint32, grant *auth.Grant, due uint32) {
	if n := int(slot) + 1; n > len(g.held) {
		if grant == nil && due == 0 {
			return
		}
		g.held = append(g.held, make([]*auth.Grant, n-len(g.held))...)
		g.due = append(g.due, make([]uint32, n-len(g.due))...)
	}
	g.held[slot], g.due[slot] = grant, due
}

// dueAt is a time as due has it: not before it.
func dueAt(t time.Time) uint32 {
	seconds := t.Unix()
	if t.Nanosecond() > 0 {
		seconds++
	}
	return uint32(min(max(seconds, 1), 1<<32-1))
}

// grant lets c do what g says from now on.
func (o *owner) grant(c *conn.Conn, g *auth.Grant) {
	o.grants.set(c.Slot(), g, dueAt(g.Expires))
}

// expectToken closes c when it has brought no token in time and is subscribed to
// nothing.
func (o *owner) expectToken(c *conn.Conn) {
	o.grants.set(c.Slot(), nil, dueAt(time.Now().Add(o.cfg.AuthTimeout)))
}

// expire closes the connections whose token has expired or has not come. It looks
// once a second. Tokens expire by the wall clock, which they were written by. All
// may at once: the shard closes as many in a turn as it has time for.
func (o *owner) expire(now time.Time) {
	if now.Sub(o.grants.walked) < time.Second {
		return
	}
	o.grants.walked = now
	second := uint32(now.Unix())
	for slot, due := range o.grants.due {
		if due == 0 || due > second {
			continue
		}
		o.grants.due[slot] = 0
		switch {
		case o.grants.held[slot] != nil:
			o.shard.EndSoon(uint32(slot), dialect.CloseUnauthorized, "the token has expired")
		case o.audience.Count(*list(o.shard.At(uint32(slot)))) == 0:
			o.shard.EndSoon(uint32(slot), dialect.CloseUnauthorized, "no token came within "+o.cfg.AuthTimeout.String()+", and nothing was subscribed to")
		}
	}
}

// mayHear says whether c may subscribe to a topic, which is nobody's own.
func (o *owner) mayHear(c *conn.Conn, topic string) error {
	return o.checkTopic(topic, o.grants.of(c.Slot()))
}

// mayPublish says whether c may publish to a topic.
func (o *owner) mayPublish(c *conn.Conn, topic string) error {
	g := o.grants.of(c.Slot())
	switch {
	case o.cfg.Dev, g != nil && g.MayPublish(topic):
		return nil
	case g == nil:
		return &dialect.Error{Code: o.wantToken(), Message: "publishing from the public door needs a token"}
	}
	return &dialect.Error{Code: dialect.CodeForbidden, Message: "topic " + quote(topic) + " is outside this token's publish patterns"}
}

// checkTopic says whether somebody may subscribe to a topic of that name; g is what
// their token allows, or nil.
func (s *Server) checkTopic(name string, g *auth.Grant) error {
	if err := dialect.CheckTopic(name); err != nil {
		return err
	}
	switch {
	case s.cfg.Dev, s.cfg.Anonymous.Match(name) >= 0, g != nil && g.MaySubscribe(name):
		return nil
	case g == nil:
		return &dialect.Error{Code: s.wantToken(), Message: "topic " + quote(name) + " is not open to subscribers without a token", Topic: name}
	}
	return &dialect.Error{Code: dialect.CodeForbidden, Message: "topic " + quote(name) + " is outside this token's subscribe patterns", Topic: name}
}

// wantToken is the code for who has no token: one may help, if there is a key to
// check it by.
func (s *Server) wantToken() string {
	if s.cfg.Auth != nil {
		return dialect.CodeUnauthorized
	}
	return dialect.CodeForbidden
}

// auth carries out a client's auth: what it may do is what its new token says,
// and what it may not hear any more it is unsubscribed from.
func (o *owner) auth(c *conn.Conn, cmd *command) {
	before, now := o.grants.of(c.Slot()), cmd.grant
	refuse := func(e *dialect.Error) {
		e.ID = cmd.ID
		o.answers = dialect.AppendError(o.answers, e)
	}
	if before != nil && before.Subject != now.Subject {
		refuse(&dialect.Error{Code: dialect.CodeForbidden, Message: "the user of a connection does not change: expected a token with the same sub, or another connection"})
		return
	}
	if x, banned := o.banned(c, now); banned {
		e := x.refusal()
		o.shard.EndSoon(c.Slot(), closeOfRefusal(e.Code), e.Message)
		return
	}
	o.grant(c, now)
	var lost []string
	o.audience.Topics(*list(c), func(topic string, _ uint64) bool {
		if _, ofUser := userOf(topic); !ofUser && o.checkTopic(topic, now) != nil {
			lost = append(lost, topic)
		}
		return true
	})
	for _, topic := range lost {
		o.audience.Unsubscribe(list(c), topic)
		o.answers = dialect.AppendUnsubscribed(o.answers, nil, topic)
		refuse(o.checkTopic(topic, now).(*dialect.Error))
	}
	o.answers = dialect.AppendAuthenticated(o.answers, cmd.ID, max(time.Until(now.Expires), time.Millisecond))
	if before == nil && now.Subject != "" {
		o.subscribeUser(c, cmd.ID, now.Subject)
	}
}
