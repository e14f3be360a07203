package dialect_test

import (
	"bytes"
	"encoding/json"
	"testing"
	"unicode/utf8"

	"github.com/gobwas/ws"

	"github.com/pushd/pushd/broadcast"
	"github.com/pushd/pushd/internal/dialect"
)

// unframe reads b, which must be one whole frame as a server may send it, with
// the reader of gobwas/ws.
func unframe(t testing.TB, b []byte) (ws.OpCode, []byte) {
	t.Helper()
	r := bytes.NewReader(b)
	h, err := ws.ReadHeader(r)
	if err != nil {
		t.Fatalf("frame %q: %v", b, err)
	}
	if err := ws.CheckHeader(h, ws.StateClientSide); err != nil {
		t.Fatalf("header %+v: %v", h, err)
	}
	if int64(r.Len()) != h.Length || !h.Fin {
		t.Fatalf("header %+v before %d bytes; want a final frame and nothing behind it", h, r.Len())
	}
	return h.OpCode, b[len(b)-r.Len():]
}

// envelope reads b as one text frame of JSON and returns that.
func envelope(t testing.TB, b []byte) string {
	t.Helper()
	op, payload := unframe(t, b)
	if op != ws.OpText || !json.Valid(payload) || !utf8.Valid(payload) {
		t.Fatalf("opcode %v, payload %q; want a text frame of JSON in UTF-8", op, payload)
	}
	return string(payload)
}

// Where the length of a frame changes the length of its header.
var boundaries = []int{0, 1, 124, 125, 126, 127, 65534, 65535, 65536, 65537, 1 << 20}

func TestRawFrameLengths(t *testing.T) {
	raw := dialect.Encoders()[dialect.Raw]
	for _, n := range boundaries {
		payload := bytes.Repeat([]byte{'x'}, n)
		for kind, op := range map[broadcast.Kind]ws.OpCode{
			broadcast.Text: ws.OpText, broadcast.JSON: ws.OpText, broadcast.Binary: ws.OpBinary,
		} {
			got := raw.AppendMessage([]byte("before"), &broadcast.Message{Kind: kind, Payload: payload})
			var want bytes.Buffer
			want.WriteString("before")
			ws.MustWriteFrame(&want, ws.NewFrame(op, true, payload))
			if !bytes.Equal(got, want.Bytes()) {
				t.Errorf("kind %d, %d bytes: not the frame of ws.WriteFrame", kind, n)
			}
		}
	}
}

func TestJSONFrameLengths(t *testing.T) {
	enc := dialect.Encoders()[dialect.JSON]
	m := broadcast.Message{Kind: broadcast.Text, Topic: "t", Position: broadcast.Position{Epoch: "e", Offset: 1}}
	_, empty := unframe(t, enc.AppendMessage(nil, &m))
	for _, n := range boundaries {
		if n < len(empty) {
			continue
		}
		m.Payload = bytes.Repeat([]byte{'x'}, n-len(empty))
		got := enc.AppendMessage([]byte("before"), &m)
		if !bytes.HasPrefix(got, []byte("before")) {
			t.Fatalf("%d bytes: what stood in dst is gone", n)
		}
		var e struct{ Op, Text string }
		text := envelope(t, got[len("before"):])
		if err := json.Unmarshal([]byte(text), &e); err != nil || len(text) != n || e.Text != string(m.Payload) {
			t.Errorf("%d bytes: %v, envelope of %d bytes with a text of %d", n, err, len(text), len(e.Text))
		}
	}
}
