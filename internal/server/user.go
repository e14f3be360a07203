package server

import (
	"strings"

	"github.com/pushd/pushd/broadcast"
	"github.com/pushd/pushd/conn"
	"github.com/pushd/pushd/internal/dialect"
)

// A connection is a user's if it is subscribed to that user's topic, which it is
// from its first moment to its last: the subscription is all that is kept of it.

// userOf returns the user in the name of a topic, if it is that of one.
func userOf(topic string) (user string, ok bool) {
	return strings.CutPrefix(topic, broadcast.UserPrefix)
}

// isOwn reports whether topic is that of the user whose connection c is.
func (o *owner) isOwn(c *conn.Conn, topic string) (own bool) {
	if _, ok := userOf(topic); !ok {
		return false
	}
	o.audience.Topics(*list(c), func(name string, _ uint64) bool {
		own = name == topic
		return !own
	})
	return own
}

// subscribeUser subscribes c to the topic of the user that its token has just named.
func (o *owner) subscribeUser(c *conn.Conn, id []byte, user string) {
	o.subscribe(c, id, dialect.Subscription{Topic: broadcast.UserPrefix + user}, true)
}

// unsubscribe ends a subscription and answers, also where there was none.
func (o *owner) unsubscribe(c *conn.Conn, id []byte, topic string) {
	if o.isOwn(c, topic) {
		o.answers = dialect.AppendError(o.answers, &dialect.Error{Code: dialect.CodeBadRequest, ID: id, Topic: topic,
			Message: "the topic of a connection's user stays with it; to resume it, subscribe to it with since"})
		return
	}
	o.audience.Unsubscribe(list(c), topic)
	o.answers = dialect.AppendUnsubscribed(o.answers, id, topic)
}
