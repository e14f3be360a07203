package dialect

import (
	"bytes"
	"encoding/json"

	"github.com/pushd/pushd/broadcast"
)

// Op is what a command asks for.
type Op uint8

const (
	OpSubscribe   Op = iota + 1 // Topics, as many answers
	OpUnsubscribe               // Topics, as many answers
	OpPublish                   // Topic and Message
	OpPing                      // answered by AppendPongOp
	OpPong                      // not answered
	OpAuth                      // Token; answered by AppendAuthenticated
)

const (
	// MaxCommandID is the most bytes of a command's id as it was written,
	// quotes and all.
	MaxCommandID = 64

	// defaultTopics is the most topics of a command unless Limits says else.
	defaultTopics = 128
)

// Limits bounds what one command may ask for. Its size was bounded before.
type Limits struct {
	Topics int // most topics that one command may name; 0 means 128
}

// Subscription is one topic of a subscribe or an unsubscribe.
type Subscription struct {
	Topic   string   // may be that of a user; whoever carries it out says whose
	Since   Position // IsZero if none was given
	Skip    uint64   // messages after Since that need not come; a command has none
	MaxRate float64  // as ParseRate has it; 0 if none was given

	// Err, where it is not nil, is what this topic is to be answered: it is
	// malformed, and the others are not. It carries the topic's name, as far as
	// there is one, and the command's id.
	Err *Error
}

// Command is what a client of pushd.v1 asks for.
type Command struct {
	Op      Op
	ID      json.RawMessage   // as it came, or nil; may alias the payload
	Topics  []Subscription    // subscribe, unsubscribe: at least one
	Token   []byte            // auth; may alias the payload
	Topic   string            // publish
	Message broadcast.Message // publish: Kind, Key, Event and Payload, which may alias the payload
}

// Parse reads the payload of a text frame. All names in it are checked and so
// is data; one of several topics that is malformed has an error of its own.
// Unknown fields are ignored. The error is an *Error to be answered with
// AppendError, after which the connection goes on: bad_json for what is not
// one JSON object, bad_topic, or bad_request. It carries the command's id.
func Parse(payload []byte, limits Limits) (Command, error) {
	if limits.Topics == 0 {
		limits.Topics = defaultTopics
	}
	f, err := scanFields(payload)
	if err != nil {
		return Command{}, err
	}
	var c Command
	if c.ID, err = commandID(f.id); err != nil {
		return Command{}, err
	}
	if err = c.read(&f, limits); err != nil {
		if e, ok := err.(*Error); ok {
			e.ID = c.ID
		}
		return Command{}, err
	}
	return c, nil
}

func (c *Command) read(f *fields, limits Limits) (err error) {
	op, err := str("op", f.op)
	if err != nil {
		return err
	}
	switch op {
	case "subscribe":
		c.Op = OpSubscribe
		return c.readTopics(f.topics, limits.Topics)
	case "unsubscribe":
		c.Op = OpUnsubscribe
		return c.readTopics(f.topics, limits.Topics)
	case "publish":
		c.Op = OpPublish
		if err = f.unsupported(); err != nil {
			return err
		}
		switch {
		case f.user != nil:
			return refuse(CodeBadRequest, "user is not supported yet")
		case f.position != nil:
			return refuse(CodeBadRequest, "position is not supported yet")
		case f.topic == nil:
			return refuse(CodeBadRequest, "publish: expected a topic")
		}
		if c.Topic, err = str("topic", f.topic); err == nil {
			err = CheckTopic(c.Topic)
		}
		if err != nil {
			return err
		}
		c.Message, err = f.message()
		return err
	case "ping":
		c.Op = OpPing
	case "pong":
		c.Op = OpPong
	case "auth":
		c.Op = OpAuth
		if f.token == nil {
			return refuse(CodeBadRequest, "auth: expected a token")
		}
		c.Token, err = text("token", f.token)
		return err
	default:
		return refuse(CodeBadRequest, "op %s: expected subscribe, unsubscribe, publish, auth, ping or pong", excerpt(op))
	}
	return nil
}

// commandID accepts a number or a string.
func commandID(raw []byte) (json.RawMessage, error) {
	if raw == nil {
		return nil, nil
	}
	switch have := typeOf(raw); {
	case have != "a number" && have != "a string":
		return nil, refuse(CodeBadRequest, "id is %s, expected a number or a string", have)
	case len(raw) > MaxCommandID:
		return nil, refuse(CodeBadRequest, "id is %d bytes, expected at most %d", len(raw), MaxCommandID)
	}
	return raw, nil
}

func (c *Command) readTopics(raw []byte, most int) error {
	return eachTopic(raw, most, func(entry []byte) error {
		s, err := c.readTopic(entry)
		if e, ok := err.(*Error); ok {
			e.ID = c.ID
			s = Subscription{Err: e}
		}
		c.Topics = append(c.Topics, s)
		return nil
	})
}

// readTopic reads a name alone or {"name":…,"since":…,"max_rate":…}. Where
// nothing begins, as in unsubscribe, only the name is looked at.
func (c *Command) readTopic(entry []byte) (s Subscription, err error) {
	if entry[0] != '{' {
		s.Topic, err = topicName(entry)
		return s, err
	}
	var name, since, maxRate []byte
	o := scanner{b: entry}
	for more := o.enter('{', '}'); more; more = o.more('}') {
		field, value := o.name(), o.value()
		if string(value) == "null" {
			value = nil
		}
		switch string(field) {
		case "name":
			name = value
		case "since":
			since = value
		case "max_rate":
			maxRate = value
		}
	}
	if name == nil {
		return s, refuse(CodeBadRequest, `topics: expected each to be a name or {"name":…}`)
	}
	if s.Topic, err = topicName(name); err != nil || c.Op != OpSubscribe {
		return s, err
	}
	if since != nil {
		var written string
		if written, err = str("since", since); err == nil {
			s.Since, err = ParsePosition(written)
		}
	}
	if maxRate != nil && err == nil {
		s.MaxRate, err = ParseRate(string(maxRate))
	}
	if e, ok := err.(*Error); ok {
		return s, e.about(s.Topic)
	}
	return s, nil
}

// Clone returns a copy of c that does not alias the payload it was read from.
func (c Command) Clone() Command {
	c.ID = bytes.Clone(c.ID)
	for _, t := range c.Topics {
		if t.Err != nil {
			t.Err.ID = c.ID
		}
	}
	c.Message.Payload = bytes.Clone(c.Message.Payload)
	return c
}
