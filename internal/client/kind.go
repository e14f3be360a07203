package client

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"unicode/utf8"
)

// Kind is what a payload is taken for.
type Kind uint8

const (
	JSON   Kind = iota // one JSON value
	Text               // UTF-8
	Binary             // any bytes
)

// KindOf takes payload for JSON if it is that, which is UTF-8 too (RFC 8259,
// 8.1), else for text if it is UTF-8, else for binary.
func KindOf(payload []byte) Kind {
	switch {
	case !utf8.Valid(payload):
		return Binary
	case json.Valid(payload): // which does not look at the bytes of strings
		return JSON
	}
	return Text
}

// contentType is the media type by which the admin door tells the kinds.
func (k Kind) contentType() string {
	switch k {
	case JSON:
		return "application/json"
	case Text:
		return "text/plain; charset=utf-8"
	}
	return "application/octet-stream"
}

// AppendLine appends d as one line of NDJSON for Stream, without the newline.
// d.Payload must be what d.Kind says; JSON is appended exactly as it is given,
// for subscribers to get it so. The error is of JSON that is more than one line.
func AppendLine(dst []byte, d Draft) ([]byte, error) {
	if d.Kind == JSON && bytes.IndexByte(d.Payload, '\n') >= 0 {
		return dst, errors.New("JSON with line breaks: expected it on one line")
	}
	dst = appendField(append(dst, '{'), "topic", d.Topic)
	if d.Key != "" {
		dst = appendField(append(dst, ','), "key", d.Key)
	}
	if d.Event != "" {
		dst = appendField(append(dst, ','), "event", d.Event)
	}
	dst = append(dst, ',')
	switch d.Kind {
	case JSON:
		dst = append(append(dst, `"data":`...), d.Payload...)
	case Text:
		dst = appendField(dst, "text", string(d.Payload))
	default:
		dst = appendField(dst, "base64", base64.StdEncoding.EncodeToString(d.Payload))
	}
	return append(dst, '}'), nil
}

// appendField appends a member of an object.
func appendField(dst []byte, name, value string) []byte {
	b, _ := json.Marshal(value) // cannot fail: a string
	return append(append(append(append(dst, '"'), name...), `":`...), b...)
}
