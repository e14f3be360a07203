package server

import (
	"strconv"

	"github.com/pushd/pushd/broadcast"
	"github.com/pushd/pushd/conn"
	"github.com/pushd/pushd/internal/dialect"
)

// opening asks for the subscriptions that a request's query named.
type opening struct {
	topics []string // the last may be that of the connection's user

	// These hold for all of them; since and skip go with one alone.
	since   dialect.Position
	skip    uint64
	skips   bool // skip was given
	maxRate float64

	query [1 << 10]byte // scratch for percent-decoding; longer queries allocate
}

func (o *opening) reset() {
	o.topics, o.since, o.skip, o.skips, o.maxRate = o.topics[:0], dialect.Position{}, 0, false, 0
}

// readQuery reads a query into o. The error is a *dialect.Error.
func (h handler) readQuery(o *opening, query []byte, id dialect.ID) error {
	o.reset()
	scratch := o.query[:]
	if len(query) > len(scratch) {
		scratch = make([]byte, len(query))
	}
	user := ""
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
			if err = h.checkTopic(name); err == nil {
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
		case "user":
			user = string(value)
			err = h.checkUser(user)
		case "token":
			err = refuseQuery("token in the URL is not supported yet")
		}
		if err != nil {
			return err
		}
	}
	if user != "" {
		if err := h.add(o, broadcast.UserPrefix+user); err != nil {
			return err
		}
	}
	if id == dialect.Raw && len(o.topics) == 0 {
		return refuseQuery("no topic: expected ?topic=NAME, at least once; pushd.v1 can also subscribe later")
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

// checkUser says whether a connection is believed to be that user's.
func (h handler) checkUser(id string) error {
	if !h.cfg.Dev {
		return &dialect.Error{Code: dialect.CodeForbidden, Message: "user= is not believed here: only a server for development, --dev, does"}
	}
	return dialect.CheckUser(id)
}

// checkSince says whether a connection can begin where o says. One that is not
// could only be told so in JSON, where it is.
func (h handler) checkSince(o *opening, id dialect.ID) error {
	switch {
	case o.skips && o.since.IsZero():
		return refuseQuery("skip= counts messages after since=: expected both")
	case o.since.IsZero():
		return nil
	case len(o.topics) != 1:
		return refuseQuery("since= is a position in one topic: expected ?topic=NAME once, or user= alone")
	}
	topic := o.topics[0]
	if t, ok := h.hub.Topic(topic); ok && o.skips && t.Settings.Slow == broadcast.Conflate {
		return refuseQuery("skip= counts messages, and topic " + quote(topic) + " conflates them: expected since= alone")
	}
	if id != dialect.Raw {
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
