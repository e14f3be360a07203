package dialect_test

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/pushd/pushd/broadcast"
	"github.com/pushd/pushd/internal/dialect"
)

func TestJSONMessage(t *testing.T) {
	const head = `{"op":"message","topic":"user.42","position":"k3f9:42","previous":"k3f9:41",`
	for _, c := range []struct {
		name string
		m    broadcast.Message
		want string
	}{
		{"data", broadcast.Message{Kind: broadcast.JSON, Event: "filled", Key: "o-17", Payload: []byte(`{"qty":5}`)},
			head + `"event":"filled","key":"o-17","data":{"qty":5}}`},
		{"text", broadcast.Message{Kind: broadcast.Text, Payload: []byte("a\"\\\n\r\t\x00\x1f\x7f/é😀")},
			head + `"text":"a\"\\\n\r\t\u0000\u001f` + "\x7f" + `/é😀"}`},
		{"text that is not UTF-8", broadcast.Message{Kind: broadcast.Text, Payload: []byte("\xff<\xe2\x82>\xf0\x9f\x98")},
			head + `"text":"` + "\uFFFD<\uFFFD\uFFFD>\uFFFD\uFFFD\uFFFD" + `"}`},
		{"text with U+FFFD of its own", broadcast.Message{Kind: broadcast.Text, Payload: []byte("\uFFFD")},
			head + `"text":"` + "\uFFFD" + `"}`},
		{"binary", broadcast.Message{Kind: broadcast.Binary, Payload: []byte{0, 0xff, 0xfe, 1}},
			head + `"base64":"AP/+AQ=="}`},
		{"empty binary", broadcast.Message{Kind: broadcast.Binary}, head + `"base64":""}`},
		{"quotes in a key", broadcast.Message{Kind: broadcast.Text, Key: `"},{"`},
			head + `"key":"\"},{\"","text":""}`},
	} {
		c.m.Topic, c.m.Position, c.m.Previous = "user.42", broadcast.Position{Epoch: "k3f9", Offset: 42}, broadcast.Position{Epoch: "k3f9", Offset: 41}
		if got := envelope(t, dialect.Encoders()[dialect.JSON].AppendMessage(nil, &c.m)); got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.name, got, c.want)
		}
	}
}

// A message for one connection is of no topic and stands nowhere.
func TestMessageWithoutTopic(t *testing.T) {
	m := broadcast.Message{Kind: broadcast.Text, Event: "e", Payload: []byte("x")}
	const want = `{"op":"message","event":"e","text":"x"}`
	if got := envelope(t, dialect.Encoders()[dialect.JSON].AppendMessage(nil, &m)); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// What a retained value and its end look like, and what has no position.
func TestJSONRetained(t *testing.T) {
	at, before := broadcast.Position{Epoch: "k3f9", Offset: 42}, broadcast.Position{Epoch: "k3f9", Offset: 41}
	for _, c := range []struct {
		label string
		m     broadcast.Message
		want  string
	}{
		{"retained", broadcast.Message{Topic: "q", Key: "ACME", Position: at, Retained: true, Payload: []byte("x")},
			`{"op":"message","topic":"q","position":"k3f9:42","key":"ACME","retained":true,"text":"x"}`},
		{"delete", broadcast.Message{Kind: broadcast.Delete, Topic: "q", Key: "ACME", Position: at, Previous: before},
			`{"op":"delete","topic":"q","key":"ACME","position":"k3f9:42","previous":"k3f9:41"}`},
		{"delete where loss is allowed", broadcast.Message{Kind: broadcast.Delete, Topic: "q", Key: "a\"b", Position: at},
			`{"op":"delete","topic":"q","key":"a\"b","position":"k3f9:42"}`},
		{"delete of the empty key", broadcast.Message{Kind: broadcast.Delete, Topic: "q"}, `{"op":"delete","topic":"q","key":""}`},
		{"a message in no log", broadcast.Message{Topic: "q", Payload: []byte("x")}, `{"op":"message","topic":"q","text":"x"}`},
	} {
		if got := envelope(t, dialect.Encoders()[dialect.JSON].AppendMessage(nil, &c.m)); got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.label, got, c.want)
		}
	}
	deleted := broadcast.Message{Kind: broadcast.Delete, Topic: "q", Key: "ACME", Position: at}
	if got := dialect.Encoders()[dialect.Raw].AppendMessage([]byte("before"), &deleted); string(got) != "before" {
		t.Errorf("raw: %q, want nothing appended", got)
	}
}

// What goes in comes out, whatever it is, as encoding/json reads it.
func TestJSONMessageParsesBack(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	pieces := []string{"a", "Z", " ", `"`, `\`, "\n", "\x00", "\x1f", "\x7f", "\x80", "\xff", "\xed\xa0\x80", "é", "€", "😀", "\u2028", "\uFFFD", "</script>"}
	text := func() string {
		var b strings.Builder
		for range rnd.IntN(12) {
			b.WriteString(pieces[rnd.IntN(len(pieces))])
		}
		return b.String()
	}
	enc := dialect.Encoders()[dialect.JSON]
	for range 5_000 {
		m := broadcast.Message{
			Kind: broadcast.Kind(rnd.IntN(3)), Topic: text(), Key: text(), Event: text(), Payload: []byte(text()),
			Position: broadcast.Position{Epoch: "k3f9", Offset: rnd.Uint64N(dialect.MaxOffset + 1)},
			Previous: broadcast.Position{Epoch: "k3f9", Offset: rnd.Uint64N(dialect.MaxOffset + 1)},
		}
		if m.Kind == broadcast.JSON {
			m.Payload, _ = json.Marshal(map[string]string{text(): text()})
		}
		var got struct {
			Op, Topic, Position, Previous, Key, Event string

			Data   json.RawMessage
			Text   *string
			Base64 []byte
		}
		if err := json.Unmarshal([]byte(envelope(t, enc.AppendMessage(nil, &m))), &got); err != nil {
			t.Fatal(err)
		}
		fixed := func(s string) string { return string([]rune(s)) }
		if got.Op != "message" || got.Topic != fixed(m.Topic) || got.Key != fixed(m.Key) || got.Event != fixed(m.Event) {
			t.Fatalf("%+v became %+v", m, got)
		}
		at, err1 := dialect.ParsePosition(got.Position)
		previous, err2 := dialect.ParsePosition(got.Previous)
		if err1 != nil || err2 != nil || at != dialect.Position(m.Position) || previous != dialect.Position(m.Previous) {
			t.Fatalf("%+v: position %s, previous %s", m, got.Position, got.Previous)
		}
		switch {
		case m.Kind == broadcast.JSON && bytes.Equal(got.Data, m.Payload) && got.Text == nil && got.Base64 == nil:
		case m.Kind == broadcast.Text && got.Text != nil && *got.Text == fixed(string(m.Payload)) && got.Data == nil && got.Base64 == nil:
		case m.Kind == broadcast.Binary && got.Base64 != nil && bytes.Equal(got.Base64, m.Payload) && got.Data == nil && got.Text == nil:
		default:
			t.Fatalf("%+v became %+v", m, got)
		}
	}
}

var samples = map[string]broadcast.Message{
	"data":   {Kind: broadcast.JSON, Payload: []byte(`{"symbol":"AMZN","bid":181.22,"ask":181.25,"at":1763788779123}`)},
	"text":   {Kind: broadcast.Text, Payload: []byte(`Your order "17" has been filled; the price was 181.22 €.`)},
	"binary": {Kind: broadcast.Binary, Payload: bytes.Repeat([]byte{0xa5, 0}, 32)},
}

func TestEncodersDoNotAllocate(t *testing.T) {
	for name, m := range samples {
		m.Topic, m.Position, m.Event, m.Key = "quotes.AMZN", broadcast.Position{Epoch: "k3f9", Offset: 1 << 40}, "quote", "ümlaut\n"
		for id, enc := range dialect.Encoders() {
			dst := make([]byte, 0, 1024)
			if n := testing.AllocsPerRun(100, func() { dst = enc.AppendMessage(dst[:0], &m) }); n != 0 {
				t.Errorf("%s, dialect %d: %v allocations, want none", name, id, n)
			}
		}
	}
}

func BenchmarkAppendMessage(b *testing.B) {
	for name, m := range samples {
		m.Topic, m.Position, m.Key = "quotes.AMZN", broadcast.Position{Epoch: "k3f9", Offset: 1 << 40}, "AMZN"
		for id, enc := range dialect.Encoders() {
			b.Run(dialect.ID(id).Name()+"/"+name, func(b *testing.B) {
				b.ReportAllocs()
				dst := make([]byte, 0, 1024)
				for b.Loop() {
					dst = enc.AppendMessage(dst[:0], &m)
				}
			})
		}
	}
}
