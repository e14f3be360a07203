package server

import (
	"time"

	"github.com/pushd/pushd/broadcast"
	"github.com/pushd/pushd/conn"
	"github.com/pushd/pushd/internal/dialect"
)

// subscribe subscribes c and answers. What a query names twice is subscribed
// once.
func (o *owner) subscribe(c *conn.Conn, id []byte, t dialect.Subscription, query bool) {
	kind := dialect.ID(c.Kind)
	_, ofUser := userOf(t.Topic)
	var err error
	switch {
	case ofUser && (query || o.isOwn(c, t.Topic)): // in a query the handler has put it
		o.audience.Unsubscribe(list(c), t.Topic) // it begins anew
	case ofUser:
		err = &dialect.Error{Code: dialect.CodeForbidden, Message: "topic " + quote(t.Topic) + " is that of another user"}
	default:
		err = o.mayHear(c, t.Topic)
	}
	// Without its user's topic the connection would be nobody's: it does not count.
	if err == nil && !ofUser && o.audience.Count(*list(c)) >= o.cfg.MaxSubscriptions {
		err = tooMany(o.cfg.MaxSubscriptions)
	}
	if err != nil {
		e := *err.(*dialect.Error)
		e.ID, e.Topic = id, t.Topic
		o.answers = dialect.AppendError(o.answers, &e)
		return
	}
	options := broadcast.Options{Skip: t.Skip, MaxRate: t.MaxRate}
	if !t.Since.IsZero() {
		p := broadcast.Position(t.Since)
		options.Since = &p
	}
	s, err := o.audience.Subscribe(c.Slot(), list(c), t.Topic, uint8(kind), options)
	switch {
	case err == nil && kind.IsRaw() && options.Since != nil && !s.Recovered: // the handler found it held; it has gone since
		o.audience.Unsubscribe(list(c), t.Topic)
		o.shard.EndSoon(c.Slot(), dialect.CloseTryAgainLater, dialect.RetryReason(jitter(slowRetry)))
	case err == nil && kind.IsJSON():
		o.answers = dialect.AppendSubscribed(o.answers, dialect.Subscribed{ID: id, Topic: t.Topic, Position: dialect.Position(s.Position),
			Since: options.Since != nil, Recovered: s.Recovered, History: dialect.Position(s.History), Policy: s.Policy, MaxRate: s.MaxRate, Retain: s.Retain})
	case err == nil || err == broadcast.ErrAlready && query:
	case kind.IsRaw(), ofUser: // raw cannot say it, and without its user's topic it would be nobody's
		o.shard.EndSoon(c.Slot(), dialect.CloseTryAgainLater, dialect.RetryReason(jitter(overloadedRetry)))
	default:
		e := errorOf(err)
		e.ID, e.Topic = id, t.Topic
		o.answers = dialect.AppendError(o.answers, e)
	}
}

const overloadedRetry = 10 * time.Second
