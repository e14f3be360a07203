package client

import (
	"encoding/base64"
	"encoding/json"
	"unicode/utf8"
)

// Kind is what a payload is taken for.
type Kind uint8

const (
	JSON   Kind = iota // one JSON value
	Text               // UTF-8
	Binary             // any bytes
)

// KindOf takes payload for JSON if it is valid JSON, else for text if it is
// UTF-8, else for binary.
func KindOf(payload []byte) Kind {
	switch {
	case json.Valid(payload):
		return JSON
	case utf8.Valid(payload):
		return Text
	}
	return Binary
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
// d.Payload must be what d.Kind says.
func AppendLine(dst []byte, d Draft) ([]byte, error) {
	line := struct {
		Topic  string          `json:"topic"`
		Key    string          `json:"key,omitempty"`
		Event  string          `json:"event,omitempty"`
		Data   json.RawMessage `json:"data,omitempty"`
		Text   *string         `json:"text,omitempty"`
		Base64 *string         `json:"base64,omitempty"`
	}{Topic: d.Topic, Key: d.Key, Event: d.Event}
	switch d.Kind {
	case JSON:
		line.Data = d.Payload
	case Text:
		text := string(d.Payload)
		line.Text = &text
	default:
		b := base64.StdEncoding.EncodeToString(d.Payload)
		line.Base64 = &b
	}
	b, err := json.Marshal(line)
	if err != nil {
		return dst, err
	}
	return append(dst, b...), nil
}
