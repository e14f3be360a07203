package server

import (
	"strconv"

	"github.com/pushd/pushd/broadcast"
	"github.com/pushd/pushd/conn"
	"github.com/pushd/pushd/internal/auth"
	"github.com/pushd/pushd/internal/dialect"
)

// opening asks for the subscriptions that a request's query named.
type opening struct {
	grant  *auth.Grant // what the connection's token allows, or nil
	topics []string    // the last is that of the connection's user, where it is one's

	// These hold for all that were named, or else for the user's; since and skip go
	// with one alone.
	named   int // how many were named; where only the user's is there, 1
	since   dialect.Position
	skip    uint64
	skips   bool // skip was given
	maxRate float64

	query [1 << 10]byte // scratch for percent-decoding; longer queries allocate
}

func (o *opening) reset() {
	o.grant = nil
	o.topics, o.since, o.skip, o.skips, o.maxRate = o.topics[:0], dialect.Position{}, 0, false, 0
}

// read reads into o who sends a request and what it asks for. The error is a
// *dialect.Error.
func (h handler) read(o *opening, c *conn.Conn, r *conn.Request, bearer []byte, id dialect.ID) (err error) {
	o.reset()
	query := r.Query(r.Bytes)
	scratch := o.query[:]
	if len(query) > len(scratch) {
		scratch = make([]byte, len(query))
	}
	if o.grant, err = h.authenticate(r, bearer, scratch); err != nil {
		return err
	}
	if x, banned := h.banned(c, o.grant); banned {
		return x.refusal()
	}
	return h.readQuery(o, query, scratch, id)
}

// readQuery reads a query into o. The error is a *dialect.Error.
func (h handler) readQuery(o *opening, query, scratch []byte, id dialect.ID) error {
	for {
		key, value, rest, ok, err := conn.NextQuery(query, scratch)
		if err != nil {
			return refuseQuery(err.Error())
		}
		if !ok {
			break
		}
		query = rest
		switch string(key) {
		case "topic":
			name := h.hub.Name(value)
			if err = h.checkTopic(name, o.grant); err == nil {
				err = h.add(o, name)
			}
		case "since":
			o.since, err = dialect.ParsePosition(string(value))
		case "skip":
			o.skips = true
			if o.skip, err = strconv.ParseUint(string(value), 10, 64); err != nil || o.skip > dialect.MaxOffset {
				err = refuseQuery("skip " + quote(string(value)) + ": expected a number of messages")
			}
		case "max_rate":
			o.maxRate, err = dialect.ParseRate(string(value))
		case "user": // was once believed, under --dev
			err = refuseQuery("user= is not believed: whose a connection is its token says, as sub")
		}
		if err != nil {
			return err
		}
	}
	o.named = len(o.topics)
	if o.grant != nil && o.grant.Subject != "" {
		if err := h.add(o, broadcast.UserPrefix+o.grant.Subject); err != nil {
			return err
		}
		o.named = max(1, o.named)
	}
	if id.IsRaw() && len(o.topics) == 0 {
		return refuseQuery("no topic: expected ?topic=NAME, at least once, or a token with sub; pushd.v1 can also subscribe later")
	}
	return h.checkSince(o, id)
}

// add adds a topic to what is to be subscribed to.
func (h handler) add(o *opening, topic string) error {
	if len(o.topics) == h.cfg.MaxSubscriptions {
		return tooMany(h.cfg.MaxSubscriptions)
	}
	o.topics = append(o.topics, topic)
	return nil
}

// checkSince says whether a connection can begin where o says. One that is not
// could only be told so in JSON, where it is.
func (h handler) checkSince(o *opening, id dialect.ID) error {
	switch {
	case o.skips && o.since.IsZero():
		return refuseQuery("skip= counts messages after since=: expected both")
	case o.since.IsZero():
		return nil
	case o.named != 1:
		return refuseQuery("since= is a position in one topic: expected ?topic=NAME once, or none for that of the token's user")
	}
	topic := o.topics[0]
	if t, ok := h.hub.Topic(topic); ok && o.skips && t.Settings.Slow == broadcast.Conflate {
		return refuseQuery("skip= counts messages, and topic " + quote(topic) + " conflates them: expected since= alone")
	}
	if !id.IsRaw() {
		return nil
	}
	history, ok := h.hub.Resumable(topic, broadcast.Position(o.since), o.skip)
	switch {
	case ok:
		return nil
	case history.Epoch == "":
		return refuseSince("nothing of topic " + quote(topic) + " is held: expected no since=")
	}
	return refuseSince("history begins at " + dialect.Position(history).String() + ": not all is held that came after since=, or it was less than skip= says")
}

func refuseSince(message string) error {
	return &dialect.Error{Code: dialect.CodePositionConflict, Message: message}
}

func refuseQuery(message string) error {
	return &dialect.Error{Code: dialect.CodeBadRequest, Message: message}
}
