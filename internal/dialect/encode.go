package dialect

import (
	"encoding/base64"

	"github.com/gobwas/ws"

	"github.com/pushd/pushd/broadcast"
)

var (
	_ broadcast.Encoder = rawEncoder{}
	_ broadcast.Encoder = jsonEncoder{}
)

// rawEncoder makes frames that end with the payload as it was published. That a
// key was deleted it cannot say.
type rawEncoder struct{}

func (rawEncoder) AppendMessage(dst []byte, m *broadcast.Message) []byte {
	op := ws.OpText
	switch m.Kind {
	case broadcast.Binary:
		op = ws.OpBinary
	case broadcast.Delete:
		return dst
	}
	return append(AppendHeader(dst, op, len(m.Payload)), m.Payload...)
}

// jsonEncoder makes text frames that hold one envelope each.
type jsonEncoder struct{}

func (jsonEncoder) AppendMessage(dst []byte, m *broadcast.Message) []byte {
	if m.Kind == broadcast.Delete {
		return appendDelete(dst, m)
	}
	dst, start := open(dst, "message")
	if m.Topic != "" { // else it is for one connection, and stands nowhere
		dst = appendTopic(dst, m.Topic)
	}
	dst = appendPlace(dst, m)
	if m.Event != "" {
		dst = append(dst, `,"event":`...)
		dst = appendQuoted(dst, m.Event)
	}
	if m.Key != "" {
		dst = append(dst, `,"key":`...)
		dst = appendQuoted(dst, m.Key)
	}
	if m.Retained {
		dst = append(dst, `,"retained":true`...)
	}
	switch m.Kind {
	case broadcast.JSON:
		dst = append(dst, `,"data":`...)
		dst = append(dst, m.Payload...)
	case broadcast.Text:
		dst = append(dst, `,"text":`...)
		dst = appendQuoted(dst, m.Payload)
	default:
		dst = append(dst, `,"base64":"`...)
		dst = base64.StdEncoding.AppendEncode(dst, m.Payload)
		dst = append(dst, '"')
	}
	return shut(dst, start)
}

// appendDelete appends {"op":"delete",…}. The key is always named: "" is one.
func appendDelete(dst []byte, m *broadcast.Message) []byte {
	dst, start := open(dst, "delete")
	dst = appendTopic(dst, m.Topic)
	dst = append(dst, `,"key":`...)
	dst = appendQuoted(dst, m.Key)
	return shut(appendPlace(dst, m), start)
}

// appendPlace appends where m stands, as far as it stands anywhere.
func appendPlace(dst []byte, m *broadcast.Message) []byte {
	if m.Position.Epoch != "" {
		dst = append(dst, `,"position":`...)
		dst = appendPosition(dst, Position(m.Position))
	}
	if m.Previous.Epoch != "" {
		dst = append(dst, `,"previous":`...)
		dst = appendPosition(dst, Position(m.Previous))
	}
	return dst
}
