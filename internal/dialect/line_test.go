package dialect_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/pushd/pushd/broadcast"
	"github.com/pushd/pushd/internal/dialect"
)

func TestParseLine(t *testing.T) {
	many, tooMany := strings.Repeat(`"a",`, 127)+`"a"`, strings.Repeat(`"a",`, 128)+`"a"`
	for _, c := range []struct {
		name, in string
		want     dialect.Line
	}{
		{"data", `{"topic":"quotes.AMZN","key":"AMZN","event":"quote","at":1763788779123,"data":{"bid":181.22}}`,
			dialect.Line{Topic: "quotes.AMZN", Message: broadcast.Message{Kind: broadcast.JSON, Key: "AMZN", Event: "quote", Payload: []byte(`{"bid":181.22}`)}}},
		{"several topics", `{"topics":["a","b.c"],"text":"x"}`,
			dialect.Line{Topics: []string{"a", "b.c"}, Message: broadcast.Message{Kind: broadcast.Text, Payload: []byte("x")}}},
		{"numbered and named", `{"topic":"a","position":"e:1","id":"o-17","text":""}`,
			dialect.Line{Topic: "a", Message: broadcast.Message{Kind: broadcast.Text, ID: "o-17", Position: broadcast.Position{Epoch: "e", Offset: 1}, Payload: []byte{}}}},
		{"null is absent", `{"topic":"a","user":null,"position":null,"id":null,"text":""}`,
			dialect.Line{Topic: "a", Message: broadcast.Message{Kind: broadcast.Text, Payload: []byte{}}}},
		{"to a user", `{"user":"42","text":""}`,
			dialect.Line{Topic: "$user.42", Message: broadcast.Message{Kind: broadcast.Text, Payload: []byte{}}}},
		{"to a user by the topic", `{"topics":["$user.42","a"],"text":""}`,
			dialect.Line{Topics: []string{"$user.42", "a"}, Message: broadcast.Message{Kind: broadcast.Text, Payload: []byte{}}}},
		{"with a line break after it", "{\"topic\":\"a\",\"text\":\"\"}\r\n",
			dialect.Line{Topic: "a", Message: broadcast.Message{Kind: broadcast.Text, Payload: []byte{}}}},
		{"most topics", `{"topics":[` + many + `],"base64":""}`,
			dialect.Line{Topics: strings.Split(strings.ReplaceAll(many, `"`, ``), ","), Message: broadcast.Message{Kind: broadcast.Binary, Payload: []byte{}}}},
	} {
		got, err := dialect.ParseLine([]byte(c.in))
		if err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %v\n got %+v\nwant %+v", c.name, err, got, c.want)
		}
	}
	for _, c := range []struct{ name, in, code, part string }{
		{"not JSON", `topic=a`, "bad_json", "byte 0"},
		{"empty id", `{"topic":"a","text":"","id":""}`, "bad_request", "id is empty"},
		{"long id", `{"topic":"a","text":"","id":"` + strings.Repeat("i", 256) + `"}`, "bad_request", "id is 256 bytes"},
		{"a number as id", `{"topic":"a","text":"","id":1}`, "bad_request", "id is a number"},
		{"the place before all", `{"topic":"a","text":"","position":"e:0"}`, "bad_request", "at least 1"},
		{"a number as position", `{"topic":"a","text":"","position":1}`, "bad_request", "position is a number"},
		{"retain", `{"topic":"a","text":"","retain":true}`, "bad_request", "retain is not supported yet"},
		{"bad user", `{"user":"a.b","text":""}`, "bad_request", "dot"},
		{"a number as user", `{"user":42,"text":""}`, "bad_request", "user is a number"},
		{"another reserved topic", `{"topic":"$users.1","text":""}`, "bad_topic", "reserved"},
		{"no topic", `{"text":""}`, "bad_request", "topic, topics and user"},
		{"topic and topics", `{"topic":"a","topics":["b"],"text":""}`, "bad_request", "topic, topics and user"},
		{"topic and user", `{"topic":"a","user":"b","text":""}`, "bad_request", "topic, topics and user"},
		{"too many topics", `{"topics":[` + tooMany + `],"text":""}`, "bad_request", "at most 128"},
		{"bad topic", `{"topic":"a b","text":""}`, "bad_topic", `"a b"`},
		{"bad second topic", `{"topics":["a","b*"],"text":""}`, "bad_topic", `"b*"`},
		{"no payload", `{"topic":"a"}`, "bad_request", "exactly one"},
	} {
		l, err := dialect.ParseLine([]byte(c.in))
		wantError(t, c.name, err, c.code, c.part)
		if !reflect.DeepEqual(l, dialect.Line{}) {
			t.Errorf("%s: %v, yet %+v", c.name, err, l)
		}
	}
}

func TestCheckPayload(t *testing.T) {
	for _, c := range []struct {
		name string
		kind broadcast.Kind
		in   string
		code string
	}{
		{"data", broadcast.JSON, " {\"a\":1}\n", ""},
		{"not data", broadcast.JSON, `{"a":1},"op":"x"`, "bad_json"},
		{"no data", broadcast.JSON, "", "bad_json"},
		{"data not UTF-8", broadcast.JSON, "\"\xff\"", "bad_json"},
		{"text", broadcast.Text, "a\x00é", ""},
		{"text not UTF-8", broadcast.Text, "\xff", "bad_request"},
		{"binary", broadcast.Binary, "\xff", ""},
	} {
		err := dialect.CheckPayload(c.kind, []byte(c.in))
		if c.code != "" {
			wantError(t, c.name, err, c.code, "")
		} else if err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

// depth is how deep arrays and objects nest in valid JSON.
func depth(valid []byte) (deepest int) {
	n, inside := 0, false
	for i := 0; i < len(valid); i++ {
		switch c := valid[i]; {
		case inside && c == '\\':
			i++
		case c == '"':
			inside = !inside
		case inside:
		case c == '[' || c == '{':
			n++
			deepest = max(deepest, n)
		case c == ']' || c == '}':
			n--
		}
	}
	return deepest
}

// lineOf is ParseLine as encoding/json would have it, without its reasons.
func lineOf(line []byte) (l dialect.Line, ok bool) {
	var o map[string]json.RawMessage
	if !utf8.Valid(line) || json.Unmarshal(line, &o) != nil || o == nil || depth(line) > 128 {
		return l, false
	}
	for name, value := range o {
		if string(value) == "null" && name != "data" {
			delete(o, name)
		}
	}
	get := func(name string, to any) (present bool) {
		raw, present := o[name]
		ok = ok && (!present || json.Unmarshal(raw, to) == nil)
		return present
	}
	ok = true
	var one, user, position, text, encoded string
	var several []*string
	for _, name := range []string{"retain", "echo"} {
		if _, present := o[name]; present {
			return l, false
		}
	}
	destinations := 0
	for name, to := range map[string]any{"topic": &one, "topics": &several, "user": &user} {
		if get(name, to) {
			destinations++
		}
	}
	if destinations != 1 {
		return l, false
	}
	if _, present := o["user"]; present {
		one = "$user." + user
	}
	names := []string{one}
	if l.Topic = one; several != nil {
		names = nil
		for _, s := range several {
			if s == nil {
				return l, false
			}
			names = append(names, *s)
		}
		l.Topics = names
	}
	if _, present := o["topics"]; present && len(several) == 0 || len(names) > 128 {
		return l, false
	}
	for _, name := range names {
		ok = ok && dialect.CheckTopicOrUser(name) == nil
	}
	get("key", &l.Message.Key)
	get("event", &l.Message.Event)
	ok = ok && dialect.CheckKey(l.Message.Key) == nil && dialect.CheckEvent(l.Message.Event) == nil
	if get("id", &l.Message.ID) {
		ok = ok && dialect.CheckID(l.Message.ID) == nil
	}
	if get("position", &position) {
		var err error
		l.Message.Position, err = dialect.ParseMessagePosition(position)
		ok = ok && err == nil
	}
	payloads := 0
	if raw, present := o["data"]; present {
		l.Message.Kind, l.Message.Payload = broadcast.JSON, raw
		payloads++
	}
	if get("text", &text) {
		l.Message.Kind, l.Message.Payload = broadcast.Text, []byte(text)
		payloads++
	}
	if get("base64", &encoded) {
		b, err := base64.StdEncoding.Strict().DecodeString(encoded)
		ok = ok && err == nil && !strings.ContainsAny(encoded, "\r\n")
		l.Message.Kind, l.Message.Payload = broadcast.Binary, b
		payloads++
	}
	return l, ok && payloads == 1
}

func FuzzLine(f *testing.F) {
	for _, s := range []string{
		`{"topic":"quotes.AMZN","key":"AMZN","event":"quote","at":1763788779123,"data":{"bid":181.22}}`,
		`{"topics":["a","b.c"],"text":"x\u00e9\ud83d\ude00\ud800\\"}`, `{"topic":"a","base64":"AQ=="}`, `{"topic":"a","base64":"AR=="}`,
		`{"user":"42","data":1}`, `{"user":"4.2","data":1}`, `{"topic":"$user.42","position":"e:1","id":"i","data":1}`, `{"topic":"a","position":"e:0","id":"","data":1}`, `{"topic":"a","data":null}`, `{"topic":null,"topics":["a"],"id":null,"data":[[]]}`, `null`, ` {} `,
		`{"topic":"a","topic":"b","data":-0.0e-0}`, `{"\u0074opic":"a","data":01}`, `{"topics":[null],"data":""}`, `{"topics":[],"data":1}`,
		`{"topic":"a","data":` + strings.Repeat("[", 127) + strings.Repeat("]", 127) + `}`,
		`{"topic":"a","data":` + strings.Repeat("[", 128) + strings.Repeat("]", 128) + `}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		got, err := dialect.ParseLine(line)
		want, ok := lineOf(line)
		if (err == nil) != ok {
			t.Fatalf("%q: %v, and encoding/json accepts: %v", line, err, ok)
		}
		if err == nil && (got.Topic != want.Topic || !reflect.DeepEqual(got.Topics, want.Topics) ||
			got.Message.Kind != want.Message.Kind || got.Message.Key != want.Message.Key || got.Message.Event != want.Message.Event ||
			got.Message.ID != want.Message.ID || got.Message.Position != want.Message.Position ||
			!bytes.Equal(got.Message.Payload, want.Message.Payload)) {
			t.Fatalf("%q:\n got %+v\nwant %+v", line, got, want)
		}
	})
}

// The scanner against encoding/json on any value.
func FuzzPayload(f *testing.F) {
	for _, s := range []string{`{"a":[1,-2.5e+10,true,false,null,"\u00e9\"\\/"]}`, `[`, `]`, `1 2`, `tru`, `"\u12`, `-`, `0.`, `1e`, `{"a"}`, `{,}`, `[1,]`, "\ufeff1"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		want := json.Valid(b) && utf8.Valid(b) && depth(b) <= 128
		if err := dialect.CheckPayload(broadcast.JSON, b); (err == nil) != want {
			t.Fatalf("%q: %v, and encoding/json accepts: %v", b, err, want)
		}
	})
}

var lines = map[string]string{
	"data":    `{"topic":"quotes.AMZN","key":"AMZN","data":{"symbol":"AMZN","bid":181.22,"ask":181.25,"at":1763788779123}}`,
	"text":    `{"topic":"chat.1","event":"say","text":"The quick brown fox jumps over the lazy dog."}`,
	"escaped": `{"topic":"chat.1","text":"two\nlines"}`,
	"base64":  `{"topic":"blobs","base64":"QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWZnaGlqa2xtbm9wcXJz"}`,
}

// A line costs its strings, which are kept in the log, and no more.
func TestParseLineAllocations(t *testing.T) {
	for name, want := range map[string]float64{"data": 2, "text": 2, "base64": 2} {
		line := []byte(lines[name])
		if n := testing.AllocsPerRun(100, func() { _, _ = dialect.ParseLine(line) }); n > want {
			t.Errorf("%s: %v allocations, want at most %v", name, n, want)
		}
	}
}

func BenchmarkParseLine(b *testing.B) {
	for name := range lines {
		line := []byte(lines[name])
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(line)))
			for b.Loop() {
				if _, err := dialect.ParseLine(line); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
