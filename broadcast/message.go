package broadcast

// Kind says what a payload is, which decides how a dialect carries it.
type Kind uint8

const (
	Text   Kind = iota // UTF-8 text
	JSON               // one JSON value, checked by whoever took it in
	Binary             // any bytes
)

// Message is one message of one topic, as publishers hand it in and as
// encoders see it.
type Message struct {
	Kind    Kind
	Key     string // conflation and retention key; "" is a key too
	Event   string // a name for the receiver's dispatch; may be ""
	Payload []byte // borrowed for the length of the call it is passed to

	// Set by the topic when the message is given its place; what a publisher
	// puts there is ignored.
	Topic    string
	Epoch    string
	Offset   uint64 // 1 is a topic's first
	Previous uint64 // the offset before it; 0 when it is the topic's first
}

// Encoder gives a message its form on one wire. The result stands in the log
// and is written, byte for byte, to every subscriber of that dialect.
type Encoder interface {
	// AppendMessage appends the wire form of m to dst and returns the
	// extended slice, like append. It keeps neither dst nor m. It cannot
	// fail: what it may not be given was refused before. It runs under the
	// topic's lock, so it must be short.
	AppendMessage(dst []byte, m *Message) []byte
}
