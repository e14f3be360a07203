package dialect_test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/pushd/pushd/broadcast"
	"github.com/pushd/pushd/internal/dialect"
)

func TestParse(t *testing.T) {
	since := dialect.Position{Epoch: "k3f9", Offset: 41}
	for _, c := range []struct {
		name, in string
		want     dialect.Command
	}{
		{"subscribe", `{"op":"subscribe","id":2,"topics":[{"name":"quotes.AMZN"},{"name":"user.42","since":"k3f9:41"},"news"]}`,
			dialect.Command{Op: dialect.OpSubscribe, ID: json.RawMessage("2"), Topics: []dialect.Subscription{
				{Topic: "quotes.AMZN"}, {Topic: "user.42", Since: since}, {Topic: "news"}}}},
		{"null is absent", `{"op":"subscribe","id":null,"topics":[{"name":"a","since":null,"max_rate":null}]}`,
			dialect.Command{Op: dialect.OpSubscribe, Topics: []dialect.Subscription{{Topic: "a"}}}},
		{"max_rate", `{"op":"subscribe","topics":[{"name":"a","max_rate":2.5},{"name":"b","since":"k3f9:41","max_rate":51},"$user.42"]}`,
			dialect.Command{Op: dialect.OpSubscribe, Topics: []dialect.Subscription{{Topic: "a", MaxRate: 2.5}, {Topic: "b", Since: since}, {Topic: "$user.42"}}}},
		{"unsubscribe", `{"op":"unsubscribe","id":"x","topics":["news"]}`,
			dialect.Command{Op: dialect.OpUnsubscribe, ID: json.RawMessage(`"x"`), Topics: []dialect.Subscription{{Topic: "news"}}}},
		{"unsubscribe with what subscribed", `{"op":"unsubscribe","topics":[{"name":"news","since":"k3f9:41","max_rate":0}]}`,
			dialect.Command{Op: dialect.OpUnsubscribe, Topics: []dialect.Subscription{{Topic: "news"}}}},
		{"publish text", `{"op":"publish","id":3,"topic":"chat.1","event":"say","text":"h\u0069\n"}`,
			dialect.Command{Op: dialect.OpPublish, ID: json.RawMessage("3"), Topic: "chat.1",
				Message: broadcast.Message{Kind: broadcast.Text, Event: "say", Payload: []byte("hi\n")}}},
		{"publish data", ` { "op" : "publish" , "topic" : "chat.1" , "key" : "k" , "data" : { "a" : [ 1 ] } } `,
			dialect.Command{Op: dialect.OpPublish, Topic: "chat.1",
				Message: broadcast.Message{Kind: broadcast.JSON, Key: "k", Payload: []byte(`{ "a" : [ 1 ] }`)}}},
		{"publish base64", `{"op":"publish","topic":"chat.1","base64":"AP\/+AQ=="}`,
			dialect.Command{Op: dialect.OpPublish, Topic: "chat.1",
				Message: broadcast.Message{Kind: broadcast.Binary, Payload: []byte{0, 0xff, 0xfe, 1}}}},
		{"publish null", `{"op":"publish","topic":"chat.1","data":null}`,
			dialect.Command{Op: dialect.OpPublish, Topic: "chat.1", Message: broadcast.Message{Kind: broadcast.JSON, Payload: []byte("null")}}},
		{"auth", `{"op":"auth","id":1,"token":"a.\u0062.c"}`, dialect.Command{Op: dialect.OpAuth, ID: json.RawMessage("1"), Token: []byte("a.b.c")}},
		{"ping", `{"op":"ping","id":-1.5e3}`, dialect.Command{Op: dialect.OpPing, ID: json.RawMessage("-1.5e3")}},
		{"pong with something new", `{"op":"pong","novelty":[{}]}`, dialect.Command{Op: dialect.OpPong}},
		{"last of a name counts", `{"op":"ping","op":"pong"}`, dialect.Command{Op: dialect.OpPong}},
		{"escaped name", `{"\u006fp":"ping"}`, dialect.Command{Op: dialect.OpPing}},
	} {
		got, err := dialect.Parse([]byte(c.in), dialect.Limits{})
		if err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %v\n got %+v\nwant %+v", c.name, err, got, c.want)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for _, c := range []struct{ name, in, code, part, topic string }{
		{name: "empty", in: "", code: "bad_json", part: "ends after 0 bytes"},
		{name: "not an object", in: "[]", code: "bad_json", part: "expected a {"},
		{name: "cut", in: `{"id":7,"op"`, code: "bad_json", part: "a colon"},
		{name: "something after", in: `{"id":7} {}`, code: "bad_json", part: "the end"},
		{name: "not UTF-8", in: "{\"id\":7,\"op\":\"\xff\"}", code: "bad_json", part: "UTF-8"},
		{name: "control character", in: "{\"op\":\"a\nb\"}", code: "bad_json", part: "control character"},
		{name: "too deep", in: `{"a":` + strings.Repeat("[", 128) + strings.Repeat("]", 128) + `}`, code: "bad_json", part: "128 levels"},
		{name: "no op", in: `{"id":7}`, code: "bad_request", part: `op ""`},
		{name: "unknown op", in: `{"id":7,"op":"dance"}`, code: "bad_request", part: `op "dance"`},
		{name: "op is a number", in: `{"id":7,"op":5}`, code: "bad_request", part: "expected a string"},
		{name: "id is an object", in: `{"id":{},"op":"ping"}`, code: "bad_request", part: "a number or a string"},
		{name: "id is true", in: `{"id":true,"op":"ping"}`, code: "bad_request", part: "a number or a string"},
		{name: "id is long", in: `{"id":"` + strings.Repeat("i", 63) + `","op":"ping"}`, code: "bad_request", part: "65 bytes"},
		{name: "auth without a token", in: `{"id":7,"op":"auth","token":null}`, code: "bad_request", part: "expected a token"},
		{name: "token is a number", in: `{"id":7,"op":"auth","token":7}`, code: "bad_request", part: "token is a number"},
		{name: "no topics", in: `{"id":7,"op":"subscribe"}`, code: "bad_request", part: "array of 1 to 3"},
		{name: "topics is a string", in: `{"id":7,"op":"subscribe","topics":"a"}`, code: "bad_request", part: "array of 1 to 3"},
		{name: "empty topics", in: `{"id":7,"op":"unsubscribe","topics":[]}`, code: "bad_request", part: "empty"},
		{name: "too many topics", in: `{"id":7,"op":"unsubscribe","topics":["a","b","c","d"]}`, code: "bad_request", part: "at most 3"},
		{name: "publish nowhere", in: `{"id":7,"op":"publish","text":"a"}`, code: "bad_request", part: "expected a topic"},
		{name: "publish to a user", in: `{"id":7,"op":"publish","user":"42","text":"a"}`, code: "bad_request", part: "user is not supported yet"},
		{name: "publish at a position", in: `{"id":7,"op":"publish","topic":"a","position":"e:1","text":"a"}`, code: "bad_request", part: "position is not supported yet"},
		{name: "publish retained", in: `{"id":7,"op":"publish","topic":"a","retain":true,"text":"a"}`, code: "bad_request", part: "retain is not supported yet"},
		{name: "publish without echo", in: `{"id":7,"op":"publish","topic":"a","echo":false,"text":"a"}`, code: "bad_request", part: "echo is not supported yet"},
		{name: "publish reserved", in: `{"id":7,"op":"publish","topic":"$a","text":"a"}`, code: "bad_topic", part: "reserved", topic: "$a"},
		{name: "publish nothing", in: `{"id":7,"op":"publish","topic":"a"}`, code: "bad_request", part: "exactly one"},
		{name: "publish twice", in: `{"id":7,"op":"publish","topic":"a","data":1,"text":"a"}`, code: "bad_request", part: "exactly one"},
		{name: "publish null and text", in: `{"id":7,"op":"publish","topic":"a","data":null,"text":"a"}`, code: "bad_request", part: "exactly one"},
		{name: "text is a number", in: `{"id":7,"op":"publish","topic":"a","text":1}`, code: "bad_request", part: "text is a number"},
		{name: "base64 without padding", in: `{"id":7,"op":"publish","topic":"a","base64":"AQ"}`, code: "bad_request", part: "base64"},
		{name: "base64 with a line break", in: `{"id":7,"op":"publish","topic":"a","base64":"AQ=\n="}`, code: "bad_request", part: "base64"},
		{name: "base64 with spare bits", in: `{"id":7,"op":"publish","topic":"a","base64":"AR=="}`, code: "bad_request", part: "base64"},
		{name: "key too long", in: `{"id":7,"op":"publish","topic":"a","key":"` + strings.Repeat("k", 256) + `","text":""}`, code: "bad_request", part: "key is 256"},
		{name: "event with a newline", in: `{"id":7,"op":"publish","topic":"a","event":"\n","text":""}`, code: "bad_request", part: "event"},
	} {
		got, err := dialect.Parse([]byte(c.in), dialect.Limits{Topics: 3})
		e := wantError(t, c.name, err, c.code, c.part)
		if e.Topic != c.topic || !reflect.DeepEqual(got, dialect.Command{}) {
			t.Errorf("%s: topic %q, want %q; command %+v, want none", c.name, e.Topic, c.topic, got)
		}
		if hasID := strings.Contains(c.in, `"id":7`) && c.code != "bad_json"; hasID != (string(e.ID) == "7") {
			t.Errorf("%s: the error answers id %q", c.name, e.ID)
		}
	}
}

// One topic that is malformed does not take the others with it.
func TestParseTopicsThatErr(t *testing.T) {
	for _, c := range []struct{ label, op, entry, code, part, topic string }{
		{"a number as topic", "unsubscribe", `1`, "bad_request", "expected a string", ""},
		{"null", "subscribe", `null`, "bad_request", "expected a string", ""},
		{"no name", "subscribe", `{"topic":"a"}`, "bad_request", "name", ""},
		{"bad topic", "subscribe", `{"name":"a.>"}`, "bad_topic", "/ , * >", "a.>"},
		{"bad topic to leave", "unsubscribe", `"a b"`, "bad_topic", "white space", "a b"},
		{"reserved", "subscribe", `"$a"`, "bad_topic", "reserved", "$a"},
		{"nobody's", "subscribe", `"$user."`, "bad_topic", "at least one character", "$user."},
		{"bad since", "subscribe", `{"name":"a","since":"42"}`, "bad_request", "EPOCH:OFFSET", "a"},
		{"since is a number", "subscribe", `{"name":"a","since":42}`, "bad_request", "since is a number", "a"},
		{"max_rate too low", "subscribe", `{"name":"a","max_rate":0.01}`, "bad_request", "max_rate", "a"},
		{"max_rate is a string", "subscribe", `{"name":"a","max_rate":"2"}`, "bad_request", "max_rate", "a"},
	} {
		in := `{"id":7,"op":"` + c.op + `","topics":["b",` + c.entry + `,"c"]}`
		got, err := dialect.Parse([]byte(in), dialect.Limits{})
		if err != nil || len(got.Topics) != 3 || got.Topics[1].Err == nil {
			t.Errorf("%s: %v, %+v", c.label, err, got)
			continue
		}
		clone := got.Clone()
		clear(got.ID) // the payload is gone
		e := wantError(t, c.label, clone.Topics[1].Err, c.code, c.part)
		if e.Topic != c.topic || string(e.ID) != "7" {
			t.Errorf("%s: it is about %q and answers %q, want %q and 7", c.label, e.Topic, e.ID, c.topic)
		}
		clone.Topics[1].Err = nil
		if want := []dialect.Subscription{{Topic: "b"}, {}, {Topic: "c"}}; !reflect.DeepEqual(clone.Topics, want) {
			t.Errorf("%s: %+v, want %+v", c.label, clone.Topics, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{
		`{"op":"subscribe","id":2,"topics":[{"name":"quotes.AMZN","max_rate":2},{"name":"user.42","since":"k3f9:41"},"a"]}`,
		`{"op":"subscribe","topics":["$user.42",{"name":"a","max_rate":1e9},{"name":"a b","since":":"},7]}`,
		`{"op":"unsubscribe","id":"4","topics":["news"]}`, `{"op":"publish","id":3,"topic":"chat.1","event":"say","text":"hi"}`,
		`{"op":"publish","topic":"a","key":"\ud83d\ude00\ud800","data":{"a":[1,-0.5e+3,true,null]}}`,
		`{"op":"publish","topic":"a","base64":"AQ=="}`, `{"op":"auth","token":"t"}`, `{"op":"ping"}`, `{"op":"pong","id":{}}`, `{`, `{"op":"` + "\xff",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		c, err := dialect.Parse(payload, dialect.Limits{})
		if err != nil {
			e := wantError(t, "any input", err, err.(*dialect.Error).Code, "")
			if dialect.HTTPStatus(e.Code) != 400 {
				t.Errorf("%q: code %q", payload, e.Code)
			}
			if answer := envelope(t, dialect.AppendError(nil, e)); len(answer) > 6*len(payload)+600 || len(answer) > 4000 {
				t.Errorf("%q: an answer of %d bytes", payload, len(answer))
			}
			return
		}
		if !json.Valid(payload) || len(c.Topics) > 128 {
			t.Errorf("%q was taken as %+v", payload, c)
		}
		for _, s := range c.Topics {
			if s.Err != nil {
				envelope(t, dialect.AppendError(nil, s.Err))
				continue
			}
			if err := dialect.CheckTopicOrUser(s.Topic); err != nil {
				t.Errorf("%q: %v", payload, err)
			}
			envelope(t, dialect.AppendSubscribed(nil, dialect.Subscribed{ID: c.ID, Topic: s.Topic, Position: s.Since, MaxRate: s.MaxRate}))
		}
		if c.Op == dialect.OpPublish {
			c.Message.Topic = c.Topic
			envelope(t, dialect.Encoders()[dialect.JSON].AppendMessage(nil, &c.Message))
			if err := dialect.CheckPayload(c.Message.Kind, c.Message.Payload); err != nil {
				t.Errorf("%q: %v", payload, err)
			}
		}
	})
}
