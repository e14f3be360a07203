package server_test

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"

	"github.com/pushd/pushd/internal/dialect"
	"github.com/pushd/pushd/internal/server"
)

const v1Offer = "Sec-WebSocket-Protocol: pushd.v1"

// ways is every way into the public door with a token; each returns what came of
// it: an HTTP status, a close code, or the first answer.
var ways = []struct {
	label string
	try   func(d *door, token string) string
}{
	{"raw, Authorization", func(d *door, token string) string { return d.tryURL("?topic=a.b", bearerHeader(token)) }},
	{"raw, in the URL", func(d *door, token string) string { return d.tryURL("?topic=a.b"+inQuery(token), "") }},
	{"raw, in the URL and first", func(d *door, token string) string {
		return d.tryURL("?"+strings.TrimPrefix(inQuery(token)+"&", "&")+"topic=a.b", "")
	}},
	{"raw, a cookie", func(d *door, token string) string { return d.tryURL("?topic=a.b", cookieHeader(token)) }},
	{"v1, the subprotocol", func(d *door, token string) string {
		return d.tryURL("?topic=a.b", v1Offer+subprotocol(token)+"\r\n")
	}},
	{"v1, a page", func(d *door, token string) string {
		return d.tryURL("?topic=a.b", "Origin: http://a\r\n"+v1Offer+subprotocol(token)+"\r\n")
	}},
	{"v1, subscribe", func(d *door, token string) string {
		return d.tryOp(token, `{"op":"subscribe","id":1,"topics":["a.b"]}`)
	}},
	{"v1, auth and subscribe", func(d *door, token string) string {
		return d.tryAuth(token, `{"op":"subscribe","id":1,"topics":["a.b"]}`)
	}},
	{"v1, publish", func(d *door, token string) string {
		return d.tryOp(token, `{"op":"publish","id":1,"topic":"a.b","text":"x"}`)
	}},
	{"v1, auth and publish", func(d *door, token string) string {
		return d.tryAuth(token, `{"op":"publish","id":1,"topic":"a.b","text":"x"}`)
	}},
}

func bearerHeader(token string) string {
	if token == "" {
		return ""
	}
	return "Authorization: Bearer " + token + "\r\n"
}

func cookieHeader(token string) string {
	if token == "" {
		return ""
	}
	return "Cookie: a=b; pushd_token=" + token + "; c=d\r\n"
}

func inQuery(token string) string {
	if token == "" {
		return ""
	}
	return "&token=" + token
}

func subprotocol(token string) string {
	if token == "" {
		return ""
	}
	return ", bearer." + token
}

// tryURL opens a WebSocket that subscribes by its URL.
func (d *door) tryURL(query, header string) string {
	d.t.Helper()
	answer, p := d.ask("GET /ws"+query, upgrade+header)
	defer p.Close()
	if answer.StatusCode != 101 {
		r := p.refused(answer)
		if answer.StatusCode == 401 {
			require.Equal(d.t, "Bearer", answer.Header.Get("WWW-Authenticate"))
		}
		return r.Code
	}
	if !strings.Contains(header, "pushd.v1") {
		return "ok"
	}
	first, err := p.next()
	if c, ok := err.(closed); ok {
		return map[int]string{4401: "unauthorized", 4403: "forbidden"}[int(c.code)]
	}
	require.NoError(d.t, err)
	require.Contains(d.t, first, `"welcome"`)
	return "ok"
}

// tryOp brings the token in the head and sends a command.
func (d *door) tryOp(token, op string) string {
	d.t.Helper()
	answer, p := d.ask("GET /ws", upgrade+v1Offer+"\r\n"+bearerHeader(token))
	defer p.Close()
	if answer.StatusCode != 101 {
		return p.refused(answer).Code
	}
	return p.tryOp(op)
}

// tryAuth brings the token by an auth, and then sends a command.
func (d *door) tryAuth(token, op string) string {
	d.t.Helper()
	p := d.v1("")
	defer p.Close()
	if token != "" {
		p.say(`{"op":"auth","id":7,"token":"` + token + `"}`)
		text, err := p.next()
		if c, ok := err.(closed); ok {
			return map[int]string{4401: "unauthorized", 4403: "forbidden"}[int(c.code)]
		}
		require.NoError(d.t, err)
		if strings.Contains(text, `"error"`) {
			require.Contains(d.t, text, `"id":7,"code":"unauthorized"`)
			return "unauthorized"
		}
		require.Contains(d.t, text, `{"op":"authenticated","id":7,"expires_in_ms":`)
	}
	return p.tryOp(op)
}

func (p *peer) tryOp(op string) string {
	p.t.Helper()
	p.say(op)
	for {
		switch h := p.hear(); h.Op {
		case "error":
			return h.Code
		case "subscribed", "published":
			if h.Topic == "a.b" {
				return "ok"
			}
		}
	}
}

// No door opens without its key: every way in, with every kind of token.
func TestDoors(t *testing.T) {
	var log journal
	d := open(t, server.Config{Listen: "127.0.0.1:0", Admin: "127.0.0.1:0", Auth: verifier(t), AdminTokens: []string{"the operator's"},
		Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	d.token = "the operator's"
	both := may("a.>", "a.>")
	for _, ask := range []string{`{"user":"banned","for":"1h"}`, `{"token_id":"revoked","for":"1h"}`} {
		require.Equal(t, 200, d.do(new(any), "POST /v1/bans", ask).StatusCode)
	}
	var tokens []string
	for _, c := range []struct{ label, token, want string }{
		{"no token", "", "unauthorized"},
		{"right", token(t, "sub", "42", "pushd", both), "ok"},
		{"right, nobody's", token(t, "pushd", both), "ok"},
		{"wrong key", signed(t, jwt.SigningMethodHS256, []byte("another secret of thirty-two byte"), "pushd", both), "unauthorized"},
		{"wrong algorithm", signed(t, jwt.SigningMethodHS512, secret, "pushd", both), "unauthorized"},
		{"alg:none", signed(t, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, "pushd", both), "unauthorized"},
		{"expired", token(t, "pushd", both, "exp", time.Now().Add(-time.Minute).Unix()), "unauthorized"},
		{"never expires", token(t, "pushd", both, "exp", nil), "unauthorized"},
		{"not yet valid", token(t, "pushd", both, "nbf", time.Now().Add(time.Hour).Unix()), "unauthorized"},
		{"wrong audience", token(t, "pushd", both, "aud", "elsewhere"), "unauthorized"},
		{"no audience", token(t, "pushd", both, "aud", nil), "unauthorized"},
		{"wrong topic", token(t, "pushd", may("b.>", "b.>")), "forbidden"},
		{"no topics", token(t, "sub", "42"), "forbidden"},
		{"banned user", token(t, "sub", "banned", "pushd", both), "forbidden"},
		{"revoked", token(t, "jti", "revoked", "pushd", both), "unauthorized"},
		{"nonsense", "nonsense", "unauthorized"},
		{"the operator's", "dGhlIG9wZXJhdG9yJ3M", "unauthorized"},
	} {
		tokens = append(tokens, c.token)
		for _, way := range ways {
			t.Run(c.label+"/"+way.label, func(t *testing.T) {
				before := d.t
				d.t = t
				defer func() { d.t = before }()
				require.Equal(t, c.want, way.try(d, c.token))
			})
		}
	}
	subscribeOnly, publishOnly := token(t, "pushd", may("a.>", "b.>")), token(t, "pushd", may("b.>", "a.>"))
	for _, way := range ways {
		want := map[bool]string{true: "ok", false: "forbidden"}
		require.Equal(t, want[strings.Contains(way.label, "publish")], way.try(d, publishOnly), way.label)
		require.Equal(t, want[!strings.Contains(way.label, "publish")], way.try(d, subscribeOnly), way.label)
	}
	tokens = append(tokens, subscribeOnly, publishOnly)

	// The admin door: no client's token is a key to it.
	for _, path := range []string{"POST /v1/topics/a.b/messages", "POST /v1/messages", "GET /v1/topics", "GET /v1/topics/a.b", "GET /v1/topics/a.b/messages",
		"DELETE /v1/topics/a.b/messages", "GET /v1/connections", "DELETE /v1/connections/0-0-1", "POST /v1/connections/0-0-1/messages",
		"POST /v1/reload", "GET /v1/bans", "POST /v1/bans", "DELETE /v1/bans/user:banned", "GET /metrics", "GET /debug/pprof/"} {
		for _, key := range []string{"", "another", tokens[1]} {
			r := d.request(path, strings.NewReader(`{}`))
			r.Header.Del("Authorization")
			if key != "" {
				r.Header.Set("Authorization", "Bearer "+key)
			}
			require.Equal(t, 401, d.send(new(refusal), r).StatusCode, "%s with %q", path, key)
		}
	}
	for _, secret := range append(tokens, d.token) {
		if secret != "" && secret != "nonsense" {
			require.NotContains(t, log.String(), secret, "a secret in the log")
		}
	}
	m := d.scrape(d.base + "/metrics")
	for _, reason := range []string{"expired", "not_yet_valid", "wrong_audience", "bad_signature", "bad_algorithm", "malformed"} {
		require.NotZero(t, m[`pushd_bad_tokens_total{reason="`+reason+`"}`], reason)
	}
	require.EqualValues(t, 2, m["pushd_bans"])
}

// Without keys there is no token that opens anything, and nobody is told to get
// one.
func TestDoorsWithoutKeys(t *testing.T) {
	anonymous, err := dialect.ParsePatternList([]string{"open"})
	require.NoError(t, err)
	d := open(t, server.Config{Listen: "127.0.0.1:0", Admin: "127.0.0.1:0", Anonymous: anonymous})
	good := token(t, "pushd", may("a.>", "a.>"))
	require.Equal(t, "forbidden", d.tryURL("?topic=a.b", ""))
	require.Equal(t, "ok", d.tryURL("?topic=open", ""))
	require.Equal(t, "unauthorized", d.tryURL("?topic=open&token="+good, ""))
	require.Equal(t, "unauthorized", d.tryURL("?topic=open", v1Offer+", bearer."+good+"\r\n"))
	require.Equal(t, "ok", d.tryURL("?topic=open", cookieHeader(good)), "a cookie may be meant for somebody else on this host")
	require.Equal(t, "unauthorized", d.tryAuth(good, ""))
	require.Equal(t, "forbidden", d.tryAuth("", `{"op":"publish","id":1,"topic":"a.b","text":"x"}`))
}

// For development everything is open anyway: a client that brings a token is
// served as well.
func TestTokenForDevelopment(t *testing.T) {
	d := open(t, server.Config{})
	require.Equal(t, "ok", d.tryURL("?topic=a.b&token=x", ""))
	p := d.v1("")
	p.say(`{"op":"auth","id":1,"token":"x"}`)
	require.Equal(t, "authenticated 1", p.hear().short())
}

// The user that a token names has a topic, and is the connection's for good.
func TestAuthUser(t *testing.T) {
	d := open(t, server.Config{Listen: "127.0.0.1:0", Admin: "127.0.0.1:0", Auth: verifier(t)})
	p := d.v1("?token=" + token(t, "sub", "42", "pushd", may("a.>", "b")) + "&topic=a.b")
	require.Equal(t, "subscribed a.b", p.hear().short())
	require.Equal(t, "subscribed $user.42", p.hear().short())

	later := d.v1("")
	later.say(`{"op":"auth","id":1,"token":"` + token(t, "sub", "42") + `"}`)
	require.Equal(t, "authenticated 1", later.hear().short())
	require.Equal(t, "subscribed 1 $user.42", later.hear().short())
	d.publish("$user.42", "for both")
	require.Equal(t, "for both", p.hear().Text)
	require.Equal(t, "for both", later.hear().Text)

	p.say(`{"op":"auth","id":2,"token":"` + token(t, "sub", "43") + `"}`)
	require.Equal(t, "error 2 forbidden", p.hear().short(), "another user")
	p.say(`{"op":"auth","id":3,"token":"` + token(t, "sub", "42", "pushd", may("c", "c")) + `"}`)
	require.Equal(t, "unsubscribed a.b", p.hear().short(), "what the new token does not allow")
	require.Equal(t, "error 3 a.b forbidden", p.hear().short())
	require.Equal(t, "authenticated 3", p.hear().short())
	d.publish("$user.42", "still")
	require.Equal(t, "still", p.hear().Text)
	p.say(`{"op":"subscribe","id":4,"topics":["a.b","c"]}`)
	require.Equal(t, "error 4 a.b forbidden", p.hear().short())
	require.Equal(t, "subscribed 4 c", p.hear().short())
	p.say(`{"op":"auth","id":5,"token":"nonsense"}`)
	require.Equal(t, "error 5 unauthorized", p.hear().short())
	d.publish("c", "goes on")
	require.Equal(t, "goes on", p.hear().Text, "who brings a bad token keeps what the one before allows")
}

// Who has all the subscriptions that there may be can still say whose it is.
func TestAuthUserBeyondSubscriptions(t *testing.T) {
	d := open(t, server.Config{Listen: "127.0.0.1:0", Admin: "127.0.0.1:0", Dev: true, Auth: verifier(t), MaxSubscriptions: 1})
	p := d.v1("?topic=a")
	require.Equal(t, "subscribed a", p.hear().short())
	p.say(`{"op":"auth","id":1,"token":"` + token(t, "sub", "42") + `"}`)
	require.Equal(t, "authenticated 1", p.hear().short())
	require.Equal(t, "subscribed 1 $user.42", p.hear().short())
	p.say(`{"op":"subscribe","id":2,"topics":["b"]}`)
	require.Equal(t, "error 2 b bad_request", p.hear().short())
}

// A token ends, unless another comes in time.
func TestExpiry(t *testing.T) {
	d := open(t, server.Config{Listen: "127.0.0.1:0", Admin: "127.0.0.1:0", Auth: verifier(t)})
	soon := func() string { return token(t, "pushd", may("a", "a"), "exp", time.Now().Add(2*time.Second).Unix()) }
	_, ends := d.ask("GET /ws?topic=a&token="+soon(), upgrade)
	renewed := d.v1("?topic=a&token=" + soon())
	renewed.say(`{"op":"auth","token":"` + token(t, "pushd", may("a", "a")) + `"}`)
	c := ends.closedWith()
	require.EqualValues(t, 4401, c.code)
	require.Contains(t, c.reason, "expired")
	d.publish("a", "later")
	for renewed.hear().Text != "later" {
	}
}

// Many tokens may expire at once, such as at midnight: those who have others are
// served meanwhile.
func TestManyExpire(t *testing.T) {
	d := open(t, server.Config{Listen: "127.0.0.1:0", Admin: "127.0.0.1:0", Auth: verifier(t), Shards: 1})
	good := token(t, "pushd", may("a", "a"))
	const n = 512
	for range n {
		answer, p := d.ask("GET /ws?topic=a&token="+good, upgrade)
		require.Equal(t, 101, answer.StatusCode)
		defer p.Close()
	}
	turns := server.ExpireTokens(d.Server)
	require.Equal(t, n, turns[0])
	most := 0
	for i := range turns[1:] {
		most = max(most, turns[i]-turns[i+1])
	}
	require.Less(t, most, n, "closed before the shard looked at anything else")
}

// Who brings no token and is subscribed to nothing is let go; who hears something
// that is open stays.
func TestNoToken(t *testing.T) {
	anonymous, err := dialect.ParsePatternList([]string{"open"})
	require.NoError(t, err)
	d := open(t, server.Config{Listen: "127.0.0.1:0", Admin: "127.0.0.1:0", Auth: verifier(t), Anonymous: anonymous, AuthTimeout: time.Second})
	idle, hears, brings := d.v1(""), d.v1(""), d.v1("")
	hears.say(`{"op":"subscribe","topics":["open"]}`)
	require.Equal(t, "subscribed open", hears.hear().short())
	brings.say(`{"op":"auth","token":"` + token(t) + `"}`)
	require.Equal(t, "authenticated", brings.hear().short())
	c := idle.closedWith()
	require.EqualValues(t, 4401, c.code)
	require.Contains(t, c.reason, "no token came within 1s")
	d.publish("open", "x")
	require.Equal(t, "x", hears.hear().Text)
	brings.say(`{"op":"ping"}`)
	require.Equal(t, "pong", brings.hear().Op)
}

// Where there are no keys nobody is waited for to bring a token.
func TestNoTokenWithoutKeys(t *testing.T) {
	anonymous, err := dialect.ParsePatternList([]string{"open"})
	require.NoError(t, err)
	d := open(t, server.Config{Listen: "127.0.0.1:0", Admin: "127.0.0.1:0", Anonymous: anonymous, AuthTimeout: time.Second, PingInterval: 3 * time.Second})
	p := d.v1("")
	require.Equal(t, "ping", p.hear().Op, "and not the end, which would have come before")
	p.say(`{"op":"subscribe","topics":["open"]}`)
	require.Equal(t, "subscribed open", p.hear().short())
}
