package dialect

import (
	"encoding/base64"
	"unicode/utf8"

	"github.com/pushd/pushd/broadcast"
)

// fields are the members of a command or a line that mean something here,
// each the raw JSON of its value, or nil. Of a name given twice the last
// counts, and null is as good as absent, since many encoders write it for
// what is not set; but null is a value for data.
type fields struct {
	op, id, topic, topics, user, key, event, position []byte
	token                                             []byte
	data, text, base64                                []byte
	retain, echo                                      []byte
}

// scanFields reads one JSON object. The fields are slices of b. The error is a
// bad_json.
func scanFields(b []byte) (fields, error) {
	var f fields
	if !utf8.Valid(b) {
		return f, refuse(CodeBadJSON, "the JSON text is not UTF-8")
	}
	s := scanner{b: b}
	for more := s.enter('{', '}'); more; more = s.more('}') {
		field := f.named(s.name())
		value := s.value()
		if field == nil {
			continue
		}
		if string(value) == "null" && field != &f.data {
			value = nil
		}
		*field = value
	}
	return f, s.end()
}

func (f *fields) named(name []byte) *[]byte {
	switch string(name) {
	case "op":
		return &f.op
	case "id":
		return &f.id
	case "topic":
		return &f.topic
	case "topics":
		return &f.topics
	case "user":
		return &f.user
	case "key":
		return &f.key
	case "event":
		return &f.event
	case "position":
		return &f.position
	case "token":
		return &f.token
	case "data":
		return &f.data
	case "text":
		return &f.text
	case "base64":
		return &f.base64
	case "retain":
		return &f.retain
	case "echo":
		return &f.echo
	}
	return nil
}

// unsupported refuses the fields of a publication that are named in the
// protocol but not understood yet: silence would be taken for consent.
func (f *fields) unsupported() error {
	switch {
	case f.retain != nil:
		return refuse(CodeBadRequest, "retain is not supported yet")
	case f.echo != nil:
		return refuse(CodeBadRequest, "echo is not supported yet")
	}
	return nil
}

// message makes a message of key, event and the one payload. Its Payload may
// be a slice of what was scanned.
func (f *fields) message() (m broadcast.Message, err error) {
	if m.Key, err = str("key", f.key); err != nil {
		return m, err
	}
	if err = CheckKey(m.Key); err != nil {
		return m, err
	}
	if m.Event, err = str("event", f.event); err != nil {
		return m, err
	}
	if err = CheckEvent(m.Event); err != nil {
		return m, err
	}
	switch {
	case f.data != nil && f.text == nil && f.base64 == nil:
		m.Kind, m.Payload = broadcast.JSON, f.data
	case f.data == nil && f.text != nil && f.base64 == nil:
		m.Kind = broadcast.Text
		m.Payload, err = text("text", f.text)
	case f.data == nil && f.text == nil && f.base64 != nil:
		m.Kind = broadcast.Binary
		m.Payload, err = decode(f.base64)
	default:
		err = refuse(CodeBadRequest, "expected exactly one of data, text and base64")
	}
	return m, err
}

// decode reads standard base64 with padding (RFC 4648, 4) and nothing else:
// encoding/base64 would skip line breaks.
func decode(raw []byte) ([]byte, error) {
	encoded, err := text("base64", raw)
	if err != nil {
		return nil, err
	}
	payload := make([]byte, base64.StdEncoding.DecodedLen(len(encoded)))
	n, err := base64.StdEncoding.Strict().Decode(payload, encoded)
	if err != nil || base64.StdEncoding.EncodedLen(n) != len(encoded) {
		return nil, refuse(CodeBadRequest, "base64 is not standard base64 with padding (RFC 4648, section 4)")
	}
	return payload[:n], nil
}

// text returns what the JSON string raw says, which may be a slice of it.
func text(name string, raw []byte) ([]byte, error) {
	if raw[0] != '"' {
		return nil, refuse(CodeBadRequest, "%s is %s, expected a string", name, typeOf(raw))
	}
	return unquote(raw), nil
}

// typeOf names the type of a checked JSON value.
func typeOf(raw []byte) string {
	switch raw[0] {
	case '{':
		return "an object"
	case '[':
		return "an array"
	case '"':
		return "a string"
	case 't', 'f':
		return "a boolean"
	case 'n':
		return "null"
	}
	return "a number"
}

// str is text for what is kept as a string; absent is "".
func str(name string, raw []byte) (string, error) {
	if raw == nil {
		return "", nil
	}
	b, err := text(name, raw)
	return string(b), err
}

// CheckPayload says whether a payload that came without an envelope is what
// its kind promises: else it could forge the envelope that it is put in. The
// error is a bad_json, or for text a bad_request.
func CheckPayload(kind broadcast.Kind, payload []byte) error {
	switch kind {
	case broadcast.JSON:
		if !utf8.Valid(payload) {
			return refuse(CodeBadJSON, "the JSON text is not UTF-8")
		}
		s := scanner{b: payload}
		s.value()
		return s.end()
	case broadcast.Text:
		if !utf8.Valid(payload) {
			return refuse(CodeBadRequest, "the text is not UTF-8")
		}
	}
	return nil
}
