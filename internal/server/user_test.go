package server_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pushd/pushd/internal/server"
)

// What is published to a user reaches each of its connections from their first
// moment, and nobody else.
func TestUser(t *testing.T) {
	d := open(t, server.Config{Listen: "127.0.0.1:0", Admin: "127.0.0.1:0", Dev: true, Auth: verifier(t)})
	v1, other := d.v1("?topic=a&token="+token(t, "sub", "42")), d.v1("?token="+token(t, "sub", "ü"))
	require.Equal(t, "subscribed a", v1.hear().short())
	h := v1.hear()
	require.Equal(t, "subscribed $user.42", h.short())
	require.Equal(t, "subscribed $user.ü", other.hear().short())
	_, raw := d.ask("GET /ws?token="+token(t, "sub", "42"), upgrade)
	d.listed("", 3)

	require.Equal(t, h.Position[:len(h.Position)-1]+"1", d.publish("$user.42", "by name"))
	d.publish("%24user.42", "encoded")
	var got report
	d.do(&got, "POST /v1/messages", `{"user":"42","text":"by line"}`+"\n"+`{"user":"ü","text":"to another"}`, "Content-Type", "application/x-ndjson")
	require.Equal(t, "2 2 0", got.String())
	for _, want := range []string{"by name", "encoded", "by line"} {
		require.Equal(t, want, v1.hear().Text)
		text, err := raw.next()
		require.NoError(t, err)
		require.Equal(t, want, text)
	}
	require.Equal(t, "to another", other.hear().Text)

	for _, c := range d.listed("user=42", 2).Connections {
		require.Equal(t, "42", c.User)
	}
	require.Equal(t, "ü", d.listed("user=%C3%BC", 1).Connections[0].User)
	d.listed("user=42&topic=a", 1)
	d.listed("topic=$user.42", 2)
	d.listed("user=4", 0)
	d.listed("user=42&sort=lag", 0)
	m := d.scrape(d.base + "/metrics")
	require.EqualValues(t, 2, m["pushd_users"])
}

// A connection's user is its own for good: it can begin anew from a position, and
// neither leave nor become another.
func TestUserResumes(t *testing.T) {
	d := open(t, server.Config{Listen: "127.0.0.1:0", Admin: "127.0.0.1:0", Dev: true, Auth: verifier(t), MaxSubscriptions: 2})
	at := d.publish("$user.42", "0")
	missed := d.publish("$user.42", "1")
	p := d.v1("?topic=a&token=" + token(t, "sub", "42"))
	p.hear()
	require.Equal(t, missed, p.hear().Position)
	p.say(`{"op":"subscribe","id":1,"topics":[{"name":"$user.42","since":"` + at + `"}]}`)
	h := p.hear()
	require.Equal(t, "subscribed 1 $user.42", h.short())
	require.True(t, *h.Recovered)
	require.Equal(t, "1", p.hear().Text)
	require.Equal(t, "live $user.42", p.hear().short())
	for _, c := range []struct{ label, say, hear string }{
		{"anew, from now on", `{"op":"subscribe","id":2,"topics":["$user.42"]}`, "subscribed 2 $user.42"},
		{"another's", `{"op":"subscribe","id":3,"topics":["$user.43"]}`, "error 3 $user.43 forbidden"},
		{"leave", `{"op":"unsubscribe","id":4,"topics":["$user.42"]}`, "error 4 $user.42 bad_request"},
		{"leave another's", `{"op":"unsubscribe","id":5,"topics":["$user.43"]}`, "unsubscribed 5 $user.43"},
		{"publish to itself", `{"op":"publish","id":6,"topic":"$user.42","text":"x"}`, "error 6 $user.42 bad_topic"},
	} {
		p.say(c.say)
		h := p.hear()
		require.Equal(t, c.hear, h.short(), "%s: %s", c.label, h.Message)
	}
	d.publish("$user.42", "2")
	require.Equal(t, "2", p.hear().Text)
	require.Equal(t, 2, d.listed("user=42", 1).Connections[0].Subscriptions)

	_, raw := d.ask("GET /ws?token="+token(t, "sub", "42")+"&since="+at+"&skip=1", upgrade)
	text, err := raw.next()
	require.NoError(t, err)
	require.Equal(t, "2", text)
}

// Where there is no room for another user's topic the connection would be nobody's.
func TestTooManyUsers(t *testing.T) {
	d := open(t, server.Config{Listen: "127.0.0.1:0", Admin: "127.0.0.1:0", Dev: true, Auth: verifier(t), MaxUsers: 2})
	for i := range 2 {
		require.Equal(t, fmt.Sprintf("subscribed $user.%d", i), d.v1("?token="+token(t, "sub", fmt.Sprint(i))).hear().short())
	}
	requireRetry(t, 10*time.Second, d.v1("?token="+token(t, "sub", "2")).closedWith())
	answer := d.do(new(refusal), "POST /v1/topics/$user.2/messages", "x", "Content-Type", "text/plain")
	require.Equal(t, 503, answer.StatusCode)
	require.Equal(t, "subscribed a", d.v1("?topic=a").hear().short(), "other topics are counted for themselves")
}

// A connection that had all its subscriptions when it said whose it is can begin its
// user's topic anew like any other.
func TestUserResumesWithAllSubscriptions(t *testing.T) {
	d := open(t, server.Config{Listen: "127.0.0.1:0", Admin: "127.0.0.1:0", Dev: true, Auth: verifier(t), MaxSubscriptions: 1})
	at := d.publish("$user.42", "0")
	p := d.v1("?topic=a")
	require.Equal(t, "subscribed a", p.hear().short())
	p.say(`{"op":"auth","id":1,"token":"` + token(t, "sub", "42") + `"}`)
	require.Equal(t, "authenticated", p.hear().Op)
	require.Equal(t, "subscribed 1 $user.42", p.hear().short())
	p.say(`{"op":"subscribe","id":2,"topics":[{"name":"$user.42","since":"` + at + `"}]}`)
	h := p.hear()
	require.Equal(t, "subscribed 2 $user.42", h.short(), h.Message)
	require.Equal(t, "live $user.42", p.hear().short())
	d.publish("$user.42", "1")
	require.Equal(t, "1", p.hear().Text)
	p.say(`{"op":"subscribe","id":3,"topics":["b"]}`)
	require.Equal(t, "error 3 b bad_request", p.hear().short())
}
