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

// rawEncoder makes frames that end with the payload as it was published.
type rawEncoder struct{}

func (rawEncoder) AppendMessage(dst []byte, m *broadcast.Message) []byte {
	op := ws.OpText
	if m.Kind == broadcast.Binary {
		op = ws.OpBinary
	}
	return append(appendHeader(dst, op, len(m.Payload)), m.Payload...)
}

// jsonEncoder makes text frames that hold one envelope each.
type jsonEncoder struct{}

func (jsonEncoder) AppendMessage(dst []byte, m *broadcast.Message) []byte {
	dst, start := openText(dst)
	dst = append(dst, `{"op":"message"`...)
	if m.Topic != "" { // else it is for one connection, and stands nowhere
		dst = append(dst, `,"topic":`...)
		dst = appendQuoted(dst, m.Topic)
	}
	if m.Position.Epoch != "" {
		dst = append(dst, `,"position":`...)
		dst = appendPosition(dst, Position(m.Position))
	}
	if m.Previous.Epoch != "" {
		dst = append(dst, `,"previous":`...)
		dst = appendPosition(dst, Position(m.Previous))
	}
	if m.Event != "" {
		dst = append(dst, `,"event":`...)
		dst = appendQuoted(dst, m.Event)
	}
	if m.Key != "" {
		dst = append(dst, `,"key":`...)
		dst = appendQuoted(dst, m.Key)
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
	return closeText(append(dst, '}'), start)
}
