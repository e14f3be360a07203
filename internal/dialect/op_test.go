package dialect_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/pushd/pushd/broadcast"
	"github.com/pushd/pushd/internal/dialect"
)

func TestOps(t *testing.T) {
	id := json.RawMessage(`"a\"1"`)
	k := func(offset uint64) dialect.Position { return dialect.Position{Epoch: "k3f9", Offset: offset} }
	for _, c := range []struct {
		name  string
		frame []byte
		want  string
	}{
		{"welcome", dialect.AppendWelcome(nil, dialect.Welcome{Connection: "2-81f-7", Ping: 25 * time.Second, MaxMessage: 65536}),
			`{"op":"welcome","version":1,"connection":"2-81f-7","ping_ms":25000,"max_message":65536}`},
		{"subscribed by the query", dialect.AppendSubscribed(nil, dialect.Subscribed{Topic: "news", Position: k(44)}),
			`{"op":"subscribed","topic":"news","position":"k3f9:44","policy":"disconnect"}`},
		{"subscribed and recovered", dialect.AppendSubscribed(nil, dialect.Subscribed{ID: json.RawMessage("2"), Topic: "news", Position: k(44), Since: true, Recovered: true, History: k(12)}),
			`{"op":"subscribed","id":2,"topic":"news","position":"k3f9:44","recovered":true,"policy":"disconnect"}`},
		{"subscribed, not recovered", dialect.AppendSubscribed(nil, dialect.Subscribed{ID: id, Topic: "news", Position: k(44), Since: true, History: k(12)}),
			`{"op":"subscribed","id":"a\"1","topic":"news","position":"k3f9:44","recovered":false,"history":"k3f9:12","policy":"disconnect"}`},
		{"subscribed to a topic with settings", dialect.AppendSubscribed(nil, dialect.Subscribed{Topic: "news", Position: k(44), Policy: broadcast.Conflate, MaxRate: 0.5, Retain: true}),
			`{"op":"subscribed","topic":"news","position":"k3f9:44","policy":"conflate","max_rate":0.5,"retain":true}`},
		{"subscribed, dropping", dialect.AppendSubscribed(nil, dialect.Subscribed{Topic: "news", Position: k(44), Policy: broadcast.Drop, MaxRate: 50}),
			`{"op":"subscribed","topic":"news","position":"k3f9:44","policy":"drop","max_rate":50}`},
		{"live", dialect.AppendLive(nil, "news"), `{"op":"live","topic":"news"}`},
		{"unsubscribed", dialect.AppendUnsubscribed(nil, json.RawMessage("4"), "news"), `{"op":"unsubscribed","id":4,"topic":"news"}`},
		{"authenticated", dialect.AppendAuthenticated(nil, json.RawMessage("1"), time.Hour), `{"op":"authenticated","id":1,"expires_in_ms":3600000}`},
		{"authenticated, no id", dialect.AppendAuthenticated(nil, nil, time.Millisecond), `{"op":"authenticated","expires_in_ms":1}`},
		{"gap", dialect.AppendGap(nil, "news", k(45), k(61), "slow"), `{"op":"gap","topic":"news","from":"k3f9:45","to":"k3f9:61","reason":"slow"}`},
		{"published", dialect.AppendPublished(nil, json.RawMessage("-1.5e3"), `chat."1"`, k(9)), `{"op":"published","id":-1.5e3,"topic":"chat.\"1\"","position":"k3f9:9"}`},
		{"ping", dialect.AppendPingOp(nil), `{"op":"ping"}`},
		{"pong", dialect.AppendPongOp(nil), `{"op":"pong"}`},
		{"error", dialect.AppendError(nil, &dialect.Error{Code: "bad_topic", Message: "topic \"a\xff\": is not UTF-8", Topic: "a\xff", ID: json.RawMessage("2")}),
			`{"op":"error","id":2,"code":"bad_topic","message":"topic \"a` + "\uFFFD" + `\": is not UTF-8","topic":"a` + "\uFFFD" + `"}`},
		{"error without id and topic", dialect.AppendError(nil, &dialect.Error{Code: "bad_json", Message: "m"}), `{"op":"error","code":"bad_json","message":"m"}`},
	} {
		if got := envelope(t, c.frame); got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.name, got, c.want)
		}
	}
}

func TestRetryReason(t *testing.T) {
	if got := dialect.RetryReason(12 * time.Second); got != "retry_ms=12000" {
		t.Error(got)
	}
}

func TestOpsDoNotAllocate(t *testing.T) {
	dst := make([]byte, 0, 512)
	id, at := json.RawMessage("2"), dialect.Position{Epoch: "k3f9", Offset: 44}
	e := &dialect.Error{Code: "bad_request", Message: "a \"message\"", Topic: "news", ID: id}
	for name, f := range map[string]func(){
		"welcome": func() { dialect.AppendWelcome(dst, dialect.Welcome{Connection: "2-81f-7", Ping: time.Second}) },
		"subscribed": func() {
			dialect.AppendSubscribed(dst, dialect.Subscribed{ID: id, Topic: "news", Position: at, Since: true, Policy: broadcast.Conflate, MaxRate: 0.5})
		},
		"published": func() { dialect.AppendPublished(dst, id, "news", at) },
		"error":     func() { dialect.AppendError(dst, e) },
		"ping":      func() { dialect.AppendPingOp(dst) },
	} {
		if n := testing.AllocsPerRun(100, f); n != 0 {
			t.Errorf("%s: %v allocations, want none", name, n)
		}
	}
}
