package dialect

import (
	"bytes"

	"github.com/pushd/pushd/broadcast"
)

// ID names a dialect. It is also the index of its encoder.
type ID uint8

const (
	Raw  ID = 0 // pushd.raw.v1, also what a client gets that offers nothing
	JSON ID = 1 // pushd.v1

	// The same, where messages are compressed (RFC 7692). They have the same names.
	RawDeflate  ID = 2
	JSONDeflate ID = 3
)

// Count is the number of dialects.
const Count = 4

var names = [...]string{Raw: "pushd.raw.v1", JSON: "pushd.v1"}

// Name returns the dialect's token in Sec-WebSocket-Protocol.
func (id ID) Name() string { return names[id.plain()] }

// IsRaw reports whether it is raw, compressed or not.
func (id ID) IsRaw() bool { return id.plain() == Raw }

// IsJSON reports whether it is JSON, compressed or not.
func (id ID) IsJSON() bool { return id.plain() == JSON }

// Deflate returns the dialect with compressed messages.
func (id ID) Deflate() ID { return id.plain() + RawDeflate }

func (id ID) plain() ID { return id % RawDeflate }

// Encoders returns the encoder of each dialect, indexed by ID. Those of the compressed
// ones are *DeflateEncoder.
func Encoders() []broadcast.Encoder {
	return []broadcast.Encoder{Raw: rawEncoder{}, JSON: jsonEncoder{},
		RawDeflate: &DeflateEncoder{plain: rawEncoder{}}, JSONDeflate: &DeflateEncoder{plain: jsonEncoder{}}}
}

// Lookup returns the dialect of a subprotocol token, which is compared byte
// for byte (RFC 6455, 4.2.2 speaks of one value *equal* to an offered one).
func Lookup(token []byte) (ID, bool) {
	for id, name := range names {
		if string(token) == name {
			return ID(id), true
		}
	}
	return 0, false
}

// bearer begins the token by which a browser, which cannot set headers, brings
// its credential. It is no subprotocol: it is never chosen and never echoed.
var bearer = []byte("bearer.")

// Choice collects the tokens that a client offers, one at a time and in the
// client's order, which is its order of preference (RFC 6455, 4.1 (10)). The
// zero Choice is that of a client that offers nothing.
type Choice struct {
	id      ID
	known   bool
	unknown bool
}

// Offer takes the next offered token, without the white space around it. It
// returns the credential where it is one.
func (c *Choice) Offer(token []byte) (credential []byte, ok bool) {
	if credential, ok = bytes.CutPrefix(token, bearer); ok || c.known {
		return credential, ok
	}
	if c.id, c.known = Lookup(token); !c.known {
		c.unknown = true
	}
	return nil, false
}

// Result returns the dialect to speak and whether its name is to be echoed in
// the response; a name that was not offered must not be (RFC 6455, 4.1). The
// error, bad_request, says that nothing offered is spoken here.
func (c *Choice) Result() (id ID, echo bool, err error) {
	switch {
	case c.known:
		return c.id, true, nil
	case c.unknown:
		return Raw, false, errUnspoken
	}
	return Raw, false, nil
}

var errUnspoken = &Error{
	Code:    CodeBadRequest,
	Message: "none of the offered subprotocols is spoken here: offer pushd.v1 or pushd.raw.v1",
}
