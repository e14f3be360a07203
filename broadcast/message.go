package broadcast

// Kind says what a payload is, which decides how a dialect carries it.
type Kind uint8

const (
	Text   Kind = iota // UTF-8 text
	JSON               // one JSON value, checked by whoever took it in
	Binary             // any bytes
	Delete             // no payload: the retained value of Key is gone. See [Hub.Delete]
)

// Position is a place in a topic's history: after the message at Offset. Offset
// 0 is before the first.
type Position struct {
	Epoch  string // where it is "", there is no position
	Offset uint64 // below 2^53, so that every client's numbers hold it
}

// Message is one message of one topic, as publishers hand it in and as
// encoders see it.
type Message struct {
	Kind    Kind
	Key     string // conflation and retention key; "" is a key too
	Event   string // a name for the receiver's dispatch; may be ""
	Payload []byte // borrowed for the length of the call it is passed to

	// ID, where it is not "", makes a repetition known: while it is remembered,
	// publishing to the same topic with the same ID changes nothing and returns
	// the first receipt, marked as a duplicate. Encoders do not see it.
	ID string

	// Position is where the message stands. A publisher that numbers its
	// messages itself gives it, Offset 1 or more; the zero value has the topic
	// give the next one. Encoders may see a zero value in a message that belongs
	// to no log.
	Position Position

	// What follows is set by the topic; what a publisher puts there is ignored.

	Topic    string
	Previous Position // that of the message before, which a receiver must have seen; zero where the topic allows loss
	Retained bool     // it is a retained value, sent on subscribing

	// Deflate is the smallest payload that is worth compressing, 0 where none is:
	// the topic does not allow it, or what is encoded is for one subscriber alone.
	Deflate int

	expired bool // a Delete that nobody published: where the publisher numbers it has the position before
}

// Encoder gives a message its form on one wire. The result stands in the log
// and is written, byte for byte, to every subscriber of that dialect.
type Encoder interface {
	// AppendMessage appends the wire form of m to dst and returns the
	// extended slice, like append. It keeps neither dst nor m. It cannot
	// fail: what it may not be given was refused before. It runs under the
	// topic's lock, so it must be short. What has no form on this wire, as
	// Delete may not, appends nothing.
	AppendMessage(dst []byte, m *Message) []byte
}
