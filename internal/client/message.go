package client

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// Message is one message of one topic. Its byte slices are borrowed for the
// length of the OnMessage call.
type Message struct {
	Topic    string
	Position string // EPOCH:OFFSET, where a later Since may go on
	Event    string
	Key      string
	Payload  []byte // as published: JSON, text or bytes
	Envelope []byte // the whole JSON object it came in
	Retained bool   // the newest value of its key from before the subscription
	Deleted  bool   // Key's retained value is gone; there is no payload
}

// Gap says that messages of a topic were missed and the server no longer has
// them. From and To are "" where they are not known.
type Gap struct {
	Topic  string
	From   string // the last position that was handed on
	To     string // where the topic goes on
	Reason string
}

func (g Gap) String() string {
	s := "messages of " + g.Topic + " were missed"
	if g.From != "" {
		s += " after " + g.From
	}
	if g.To != "" {
		s += " up to " + g.To
	}
	if g.Reason != "" {
		s += " (" + g.Reason + ")"
	}
	return s
}

// envelope is any object that a pushd.v1 server sends. Unknown members are
// ignored: v1 only ever adds.
type envelope struct {
	Op        string          `json:"op"`
	ID        int             `json:"id"`
	Topic     string          `json:"topic"`
	Position  string          `json:"position"`
	Previous  string          `json:"previous"`
	Event     string          `json:"event"`
	Key       string          `json:"key"`
	Data      json.RawMessage `json:"data"`
	Text      *string         `json:"text"`
	Base64    *string         `json:"base64"`
	Retained  bool            `json:"retained"`
	Recovered *bool           `json:"recovered"`
	Retain    bool            `json:"retain"`
	History   string          `json:"history"`
	Policy    string          `json:"policy"`
	From      string          `json:"from"`
	To        string          `json:"to"`
	Reason    string          `json:"reason"`
	Code      string          `json:"code"`
	Message   string          `json:"message"`
	PingMS    int64           `json:"ping_ms"`
}

func (e *envelope) decode(b []byte) error {
	*e = envelope{Data: e.Data[:0]}
	if err := json.Unmarshal(b, e); err != nil {
		return fmt.Errorf("the server sent what is not pushd.v1: %w", err)
	}
	return nil
}

// payload gives the message as it was published.
func (e *envelope) payload() ([]byte, error) {
	switch {
	case e.Text != nil:
		return []byte(*e.Text), nil
	case e.Base64 != nil:
		b, err := base64.StdEncoding.DecodeString(*e.Base64)
		if err != nil {
			return nil, fmt.Errorf("the server sent base64 that is none: %w", err)
		}
		return b, nil
	}
	return e.Data, nil
}

// covers reports whether position a is at or beyond b in the same epoch.
// Positions are opaque to clients of others; this one ships with the server.
func covers(a, b string) bool {
	epochA, offsetA, ok := strings.Cut(a, ":")
	if !ok {
		return false
	}
	epochB, offsetB, ok := strings.Cut(b, ":")
	if !ok || epochA != epochB {
		return false
	}
	m, errA := strconv.ParseUint(offsetA, 10, 64)
	n, errB := strconv.ParseUint(offsetB, 10, 64)
	return errA == nil && errB == nil && m >= n
}
