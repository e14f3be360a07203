package server_test

import (
	"fmt"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pushd/pushd/internal/server"
)

type banned struct {
	ID, Reason string
	ExpiresMS  int64 `json:"expires_in_ms"`
	Closed     int
	Code       string
	Message    string
}

func (d *door) ban(body string) (b banned) {
	d.t.Helper()
	require.Equal(d.t, 200, d.do(&b, "POST /v1/bans", body).StatusCode, body)
	return b
}

// A ban closes who is in, at once, keeps them out for its time, and touches nobody
// else.
func TestBans(t *testing.T) {
	d := open(t, server.Config{Listen: "127.0.0.1:0", Admin: "127.0.0.1:0", Auth: verifier(t)})
	join := func(sub, id string) *peer {
		p := d.v1("?topic=a&token=" + token(t, "sub", sub, "jti", id, "pushd", may("a", "a")))
		require.Equal(t, "subscribed a", p.hear().short())
		require.Equal(t, "subscribed $user."+sub, p.hear().short())
		return p
	}
	const reason = "because"
	for _, c := range []struct {
		what   string
		closes int // of user 1 with token x, user 1 with y, user 2 with x
		code   int
		says   string
	}{
		{`"user":"1"`, 0b011, 4403, "banned: because"},
		{`"token_id":"x"`, 0b101, 4401, "the token was revoked: because"},
		{`"address":"127.0.0.1"`, 0b111, 4403, "banned: because"},
		{`"address":"127.0.0.0/8"`, 0b111, 4403, "banned: because"},
		{`"address":"192.0.2.0/24"`, 0, 0, ""},
		{`"user":"3"`, 0, 0, ""},
	} {
		t.Run(c.what, func(t *testing.T) {
			all := []*peer{join("1", "x"), join("1", "y"), join("2", "x")}
			ids := []string{"1 x", "1 y", "2 x"}
			b := d.ban(`{` + c.what + `,"for":"1h","reason":"` + reason + `"}`)
			require.InDelta(t, time.Hour.Milliseconds(), b.ExpiresMS, 20_000)
			n := 0
			for i, p := range all {
				var sub, id string
				fmt.Sscan(ids[i], &sub, &id)
				comes := token(t, "sub", sub, "jti", id, "pushd", may("a", "a"))
				if c.closes>>i&1 == 0 {
					p.say(`{"op":"ping"}`)
					require.Equal(t, "pong", p.hear().Op)
					require.Equal(t, "ok", d.tryURL("?topic=a", bearerHeader(comes)))
					continue
				}
				n++
				got := p.closedWith()
				require.EqualValues(t, c.code, got.code)
				require.Equal(t, c.says, got.reason)
				require.Equal(t, map[int]string{4401: "unauthorized", 4403: "forbidden"}[c.code], d.tryURL("?topic=a", bearerHeader(comes)))
			}
			require.Equal(t, n, b.Closed)
			var page struct{ Bans []banned }
			d.do(&page, "GET /v1/bans", "")
			require.Len(t, page.Bans, 1)
			require.Equal(t, b.ID, page.Bans[0].ID)
			require.Equal(t, reason, page.Bans[0].Reason)
			require.Equal(t, 200, d.do(new(any), "DELETE /v1/bans/"+url.PathEscape(b.ID), "").StatusCode)
			require.Equal(t, 404, d.do(new(any), "DELETE /v1/bans/"+url.PathEscape(b.ID), "").StatusCode)
			join("1", "x").Close()
			for _, p := range all {
				p.Close()
			}
			d.connected(0)
		})
	}
	p := join("9", "z")
	ninth := d.listed("user=9", 1).Connections[0]
	require.Equal(t, "z", ninth.TokenID)
	id := ninth.ID
	b := d.ban(`{"connection":"` + id + `"}`)
	require.Equal(t, 1, b.Closed)
	require.EqualValues(t, 4403, p.closedWith().code)
	require.Zero(t, d.ban(`{"connection":"`+id+`"}`).Closed)
	join("9", "z")
}

// Whoever comes from a banned address finds every path of the public door closed.
func TestBanOfAddressHoldsEverywhere(t *testing.T) {
	d := open(t, server.Config{Listen: "127.0.0.1:0", Admin: "127.0.0.1:0", Dev: true, Echo: true})
	_, echo := d.ask("GET /echo", upgrade)
	d.listed("", 1)
	require.Equal(t, 1, d.ban(`{"address":"127.0.0.1","for":"1h"}`).Closed)
	require.EqualValues(t, 4403, echo.closedWith().code)
	for _, path := range []string{"/ws?topic=a", "/echo", "/healthz", "/pushd.js"} {
		header := upgrade
		if path == "/healthz" || path == "/pushd.js" {
			header = ""
		}
		answer, p := d.ask("GET "+path, header)
		require.Equal(t, 403, answer.StatusCode, path)
		require.Equal(t, refusal{"forbidden", "banned"}, p.refused(answer))
	}
}

func TestBanEnds(t *testing.T) {
	d := open(t, server.Config{Listen: "127.0.0.1:0", Admin: "127.0.0.1:0", Auth: verifier(t)})
	d.ban(`{"user":"1","for":"1s"}`)
	comes := func() string {
		return d.tryURL("?topic=a", bearerHeader(token(t, "sub", "1", "pushd", may("a", "a"))))
	}
	require.Equal(t, "forbidden", comes())
	require.Eventually(t, func() bool { return comes() == "ok" }, 20*time.Second, 50*time.Millisecond)
	d.until(d.base+"/metrics", "no ban", func(m map[string]float64) bool { return m["pushd_bans"] == 0 })
}

func TestBanMistakes(t *testing.T) {
	d := open(t, server.Config{})
	for _, c := range []struct{ body, says string }{
		{``, "expected one JSON object"},
		{`[]`, "expected one JSON object"},
		{`{"user":"1","for":"1h"} {}`, "expected one JSON object"},
		{`{"user":"1","for":"1h","hard":true}`, "expected one JSON object"},
		{`{"for":"1h"}`, "expected one of user, token_id, address and connection"},
		{`{"user":"1","token_id":"x","for":"1h"}`, "expected one of user, token_id, address and connection"},
		{`{"user":"1"}`, `expected for, such as "1h"`},
		{`{"user":"1","for":"0s"}`, "a duration from 1s to 8760h"},
		{`{"user":"1","for":"forever"}`, "a duration from 1s to 8760h"},
		{`{"user":"","for":"1h"}`, "user"},
		{`{"token_id":"","for":"1h"}`, "expected the claim jti"},
		{`{"address":"x","for":"1h"}`, "expected an address or a network"},
		{`{"address":"2001:db8::/65","for":"1h"}`, "expected an address or a network"},
		{`{"connection":"x"}`, "expected SHARD-SLOT-GENERATION"},
		{`{"connection":"0-0-1","for":"1h"}`, "never comes back under its id"},
		{`{"user":"1","for":"1h","reason":"` + longReason + `"}`, "at most 64 bytes"},
	} {
		var got refusal
		require.Equal(t, 400, d.do(&got, "POST /v1/bans", c.body).StatusCode, c.body)
		require.Equal(t, "bad_request", got.Code)
		require.Contains(t, got.Message, c.says, c.body)
	}
}

const longReason = "0123456789012345678901234567890123456789012345678901234567890123456789"
