package dialect

import (
	"encoding/json"
	"strconv"
	"time"

	"github.com/pushd/pushd/broadcast"
)

// version is that of pushd.v1 as welcome names it.
const version = 1

// Welcome is the first message of a connection.
type Welcome struct {
	Connection string        // its public name
	Ping       time.Duration // the server pings at least this often while idle
	MaxMessage int           // most bytes of a message from the client
}

// AppendWelcome appends {"op":"welcome",…}.
func AppendWelcome(dst []byte, w Welcome) []byte {
	dst, start := open(dst, "welcome")
	dst = append(dst, `,"version":`...)
	dst = strconv.AppendInt(dst, version, 10)
	dst = append(dst, `,"connection":`...)
	dst = appendQuoted(dst, w.Connection)
	dst = append(dst, `,"ping_ms":`...)
	dst = strconv.AppendInt(dst, w.Ping.Milliseconds(), 10)
	dst = append(dst, `,"max_message":`...)
	dst = strconv.AppendInt(dst, int64(w.MaxMessage), 10)
	return shut(dst, start)
}

// Subscribed answers one topic of a subscription.
type Subscribed struct {
	ID        json.RawMessage // the command's id; nil for topics named in the query
	Topic     string
	Position  Position // where the live stream begins
	Since     bool     // a position was asked for; Recovered is only then told
	Recovered bool     // everything after that position follows
	History   Position // if not Recovered: ask for this to get all that is held
	Policy    broadcast.Policy
	MaxRate   float64 // values of each key and second at most; 0 is no limit, and not told
	Retain    bool    // retained values follow, and then live
}

// AppendSubscribed appends {"op":"subscribed",…}.
func AppendSubscribed(dst []byte, s Subscribed) []byte {
	dst, start := open(dst, "subscribed")
	dst = appendID(dst, s.ID)
	dst = appendTopic(dst, s.Topic)
	dst = append(dst, `,"position":`...)
	dst = appendPosition(dst, s.Position)
	if s.Since {
		dst = append(dst, `,"recovered":`...)
		dst = strconv.AppendBool(dst, s.Recovered)
		if !s.Recovered {
			dst = append(dst, `,"history":`...)
			dst = appendPosition(dst, s.History)
		}
	}
	dst = append(dst, `,"policy":"`...)
	dst = append(dst, s.Policy.String()...)
	dst = append(dst, '"')
	if s.MaxRate > 0 {
		dst = append(dst, `,"max_rate":`...)
		dst = strconv.AppendFloat(dst, s.MaxRate, 'f', -1, 64)
	}
	if s.Retain {
		dst = append(dst, `,"retain":true`...)
	}
	return shut(dst, start)
}

// AppendLive appends {"op":"live",…}: the replay of topic, or of what it retains,
// has ended.
func AppendLive(dst []byte, topic string) []byte {
	dst, start := open(dst, "live")
	return shut(appendTopic(dst, topic), start)
}

// AppendUnsubscribed appends {"op":"unsubscribed",…}, the answer to one topic
// of the command with this id.
func AppendUnsubscribed(dst []byte, id json.RawMessage, topic string) []byte {
	dst, start := open(dst, "unsubscribed")
	return shut(appendTopic(appendID(dst, id), topic), start)
}

// AppendGap appends {"op":"gap",…}: what stands after from, up to and with to,
// will not be delivered.
func AppendGap(dst []byte, topic string, from, to Position, reason string) []byte {
	dst, start := open(dst, "gap")
	dst = appendTopic(dst, topic)
	dst = append(dst, `,"from":`...)
	dst = appendPosition(dst, from)
	dst = append(dst, `,"to":`...)
	dst = appendPosition(dst, to)
	dst = append(dst, `,"reason":`...)
	dst = appendQuoted(dst, reason)
	return shut(dst, start)
}

// AppendPublished appends {"op":"published",…}: the message of the command
// with this id stands in the log at this position.
func AppendPublished(dst []byte, id json.RawMessage, topic string, at Position) []byte {
	dst, start := open(dst, "published")
	dst = appendTopic(appendID(dst, id), topic)
	dst = append(dst, `,"position":`...)
	dst = appendPosition(dst, at)
	return shut(dst, start)
}

// AppendAuthenticated appends {"op":"authenticated",…}, the answer to an auth: its
// token is good for as long.
func AppendAuthenticated(dst []byte, id json.RawMessage, expires time.Duration) []byte {
	dst, start := open(dst, "authenticated")
	dst = appendID(dst, id)
	dst = append(dst, `,"expires_in_ms":`...)
	dst = strconv.AppendInt(dst, expires.Milliseconds(), 10)
	return shut(dst, start)
}

// AppendPingOp appends {"op":"ping"}, which browser code can see.
func AppendPingOp(dst []byte) []byte {
	dst, start := open(dst, "ping")
	return shut(dst, start)
}

// AppendPongOp appends {"op":"pong"}, the answer to a client's.
func AppendPongOp(dst []byte) []byte {
	dst, start := open(dst, "pong")
	return shut(dst, start)
}

// AppendError appends {"op":"error",…}.
func AppendError(dst []byte, e *Error) []byte {
	dst, start := open(dst, "error")
	dst = appendID(dst, e.ID)
	dst = append(dst, `,"code":`...)
	dst = appendQuoted(dst, e.Code)
	dst = append(dst, `,"message":`...)
	dst = appendQuoted(dst, e.Message)
	if e.Topic != "" {
		dst = appendTopic(dst, e.Topic)
	}
	return shut(dst, start)
}

func open(dst []byte, op string) (_ []byte, start int) {
	dst, start = openText(dst)
	dst = append(dst, `{"op":"`...)
	dst = append(dst, op...)
	return append(dst, '"'), start
}

func shut(dst []byte, start int) []byte { return closeText(append(dst, '}'), start) }

func appendTopic(dst []byte, topic string) []byte {
	return appendQuoted(append(dst, `,"topic":`...), topic)
}

func appendID(dst []byte, id json.RawMessage) []byte {
	if id == nil {
		return dst
	}
	return append(append(dst, `,"id":`...), id...)
}
