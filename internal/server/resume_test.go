package server_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pushd/pushd/broadcast"
	"github.com/pushd/pushd/internal/server"
)

// policies are topics of each kind.
func policies(t testing.TB) server.Config {
	return server.Config{Listen: "127.0.0.1:0", Admin: "127.0.0.1:0", Dev: true, Topics: []server.TopicRule{
		rule(t, "drop", broadcast.Settings{Slow: broadcast.Drop}),
		rule(t, "kept", broadcast.Settings{Retain: true}),
		rule(t, "quotes", broadcast.Settings{Slow: broadcast.Conflate, MaxRate: 10, Retain: true}),
		rule(t, "free", broadcast.Settings{Slow: broadcast.Conflate}),
	}}
}

// What a subscriber is told of how a topic is to be.
func TestSubscribedSaysWhatHolds(t *testing.T) {
	d := open(t, policies(t))
	for _, c := range []struct{ topic, query, wish, policy, more string }{
		{"news", "", "", "disconnect", ""},
		{"news", "&max_rate=2", `"max_rate":2`, "disconnect", ""}, // every message or none
		{"drop", "", "", "drop", ""},
		{"kept", "", "", "disconnect", `,"retain":true`},
		{"quotes", "", "", "conflate", `,"max_rate":10,"retain":true`},
		{"quotes", "&max_rate=0.7", `"max_rate":0.7`, "conflate", `,"max_rate":0.5,"retain":true`},
		{"quotes", "&max_rate=20", `"max_rate":20`, "conflate", `,"max_rate":10,"retain":true`},
		{"quotes", "&max_rate=1e9", `"max_rate":1e9`, "conflate", `,"max_rate":10,"retain":true`},
		{"free", "", "", "conflate", ""},
		{"free", "&max_rate=50", `"max_rate":50`, "conflate", `,"max_rate":50`},
		{"free", "&max_rate=51", `"max_rate":51`, "conflate", ""},
	} {
		if c.wish != "" {
			c.wish = "," + c.wish
		}
		byQuery, byCommand := d.v1("?topic="+c.topic+c.query), d.v1("")
		byCommand.say(`{"op":"subscribe","id":1,"topics":[{"name":"` + c.topic + `"` + c.wish + `}]}`)
		for _, p := range []*peer{byQuery, byCommand} {
			text, err := p.next()
			require.NoError(t, err)
			_, rest, found := strings.Cut(text, `,"policy":`)
			require.True(t, found, text)
			require.Equal(t, `"`+c.policy+`"`+c.more+"}", rest, c.topic+c.query)
			if strings.Contains(c.more, "retain") {
				require.Equal(t, "live "+c.topic, p.hear().short(), "nothing is retained yet")
			}
			p.Close()
		}
	}
}

// Raw goes on where it says that it was, or is told where it could.
func TestRawResumes(t *testing.T) {
	cfg := policies(t)
	cfg.LogLimit = 16 << 10
	d := open(t, cfg)
	var at []string
	for i := range 200 {
		at = append(at, d.publish("a", fmt.Sprint(i)+strings.Repeat(" ", 300)))
	}
	epoch, _, _ := strings.Cut(at[0], ":")
	d.publish("free", "x")
	for _, c := range []struct {
		label, query string
		first        int // of those that come; -1: the oldest that is held
		status       int
		code, says   string
	}{
		{"since", "topic=a&since=" + at[196], 197, 101, "", ""},
		{"percent-encoded", "topic=a&since=" + strings.Replace(at[196], ":", "%3a", 1), 197, 101, "", ""},
		{"skip", "skip=2&since=" + at[196] + "&topic=a", 199, 101, "", ""},
		{"no skip", "topic=a&since=" + at[196] + "&skip=0", 197, 101, "", ""},
		{"skip all", "topic=a&since=" + at[196] + "&skip=3", 200, 101, "", ""},
		{"the oldest that is held", "topic=a&since=OLDEST", -1, 101, "", ""},
		{"skip more than there were", "topic=a&since=" + at[196] + "&skip=400", 0, 409, "position_conflict", "history begins at OLDEST"},
		{"evicted", "topic=a&since=" + at[0], 0, 409, "position_conflict", "history begins at OLDEST"},
		{"another epoch", "topic=a&since=f:1", 0, 409, "position_conflict", "history begins at OLDEST"},
		{"nothing was published", "topic=b&since=" + epoch + ":1", 0, 409, "position_conflict", `nothing of topic "b" is held`},
		{"no position", "topic=a&since=41", 0, 400, "bad_request", "EPOCH:OFFSET"},
		{"two topics", "topic=a&topic=b&since=" + at[196], 0, 400, "bad_request", "since= is a position in one topic"},
		{"skip without since", "topic=a&skip=1", 0, 400, "bad_request", "expected both"},
		{"skip that is no number", "topic=a&skip=x&since=" + at[196], 0, 400, "bad_request", `skip "x"`},
		{"negative skip", "topic=a&skip=-1&since=" + at[196], 0, 400, "bad_request", `skip "-1"`},
		{"skip what is conflated", "topic=free&skip=0&since=" + at[196], 0, 400, "bad_request", `topic "free" conflates`},
		{"rate", "topic=free&max_rate=0", 0, 400, "bad_request", `max_rate "0"`},
	} {
		t.Run(c.label, func(t *testing.T) {
			var shown struct{ Oldest string }
			d.do(&shown, "GET /v1/topics/a", "")
			c.query, c.says = strings.Replace(c.query, "OLDEST", shown.Oldest, 1), strings.Replace(c.says, "OLDEST", shown.Oldest, 1)
			answer, p := d.ask("GET /ws?"+c.query, upgrade)
			defer p.Close()
			require.Equal(t, c.status, answer.StatusCode)
			if c.status != 101 {
				got := p.refused(answer)
				require.Equal(t, c.code, got.Code)
				require.Contains(t, got.Message, c.says)
				answer, p := d.ask("GET /ws?"+c.query, upgrade+"Origin: http://localhost\r\n")
				defer p.Close()
				if c.status == 409 { // which a browser cannot see
					require.Equal(t, 101, answer.StatusCode)
					got := p.closedWith()
					require.EqualValues(t, 1008, got.code)
					require.Contains(t, got.reason, c.says)
				}
				return
			}
			if c.first < 0 { // the first has offset 1
				_, err := fmt.Sscanf(shown.Oldest, epoch+":%d", &c.first)
				require.NoError(t, err)
				require.Positive(t, c.first)
			}
			next := len(at)
			at = append(at, d.publish("a", fmt.Sprint(next)))
			for i := c.first; i <= next; i++ {
				text, err := p.next()
				require.NoError(t, err)
				require.Equal(t, fmt.Sprint(i), strings.TrimSpace(text))
			}
		})
	}
}

// What the worker saw held may be gone when the shard subscribes: then raw, which
// cannot be told, is closed before it is sent anything, and is told the next time.
func TestRawResumesTooLate(t *testing.T) {
	for _, c := range []struct{ protocol, first string }{{"pushd.raw.v1", ""}, {"pushd.v1", `"recovered":false`}} {
		t.Run(c.protocol, func(t *testing.T) {
			d := open(t, server.Config{Listen: "127.0.0.1:0", Admin: "127.0.0.1:0", Dev: true, Shards: 1, LogLimit: 4096})
			at := d.publish("a", "0")
			release := server.StallShard(d.Server, 0)
			p := d.call("GET /ws?topic=a&since=" + at + " HTTP/1.1\r\nHost: a\r\n" + upgrade + "Sec-WebSocket-Protocol: " + c.protocol + "\r\n\r\n")
			for server.Received(d.Server) == 0 || server.Working(d.Server) { // until the request waits for the shard
				time.Sleep(time.Millisecond)
			}
			for range 40 {
				d.publish("a", strings.Repeat("x", 300))
			}
			release()
			require.Equal(t, 101, p.response().StatusCode)
			if c.first != "" {
				p.hear()
				text, err := p.next()
				require.NoError(t, err)
				require.Contains(t, text, c.first)
				return
			}
			_, err := p.next()
			requireRetry(t, time.Second, err)
			answer, _ := d.ask("GET /ws?topic=a&since="+at, upgrade)
			require.Equal(t, 409, answer.StatusCode)
		})
	}
}

// The query of a JSON client resumes too, and is told where it cannot.
func TestQueryResumesInJSON(t *testing.T) {
	d := open(t, server.Config{})
	at := d.publish("a", "0")
	d.publish("a", "1")
	last := d.publish("a", "2")
	p := d.v1("?topic=a&since=" + at + "&skip=1")
	h := p.hear()
	require.Equal(t, "subscribed a", h.short())
	require.True(t, *h.Recovered)
	require.Equal(t, last, h.Position)
	require.Equal(t, "2", p.hear().Text)
	require.Equal(t, "live", p.hear().Op)
	h = d.v1("?topic=a&since=strange:1").hear()
	require.False(t, *h.Recovered)
	require.NotEmpty(t, h.History)
}

// Who was behind a topic that conflates is sent the newest value of each key that
// changed, and goes on from its position.
func TestConflatedResume(t *testing.T) {
	d := open(t, policies(t))
	d.put("free", "a", "1")
	at := d.publish("free", "0")
	for i := range 50 {
		d.put("free", "a", fmt.Sprint(i))
		d.put("free", "b", fmt.Sprint(i))
	}
	p := d.v1("")
	p.say(`{"op":"subscribe","topics":[{"name":"free","since":"` + at + `"}]}`)
	h := p.hear()
	require.True(t, *h.Recovered)
	one, two := p.hear(), p.hear()
	require.Equal(t, map[string]string{"a": "49", "b": "49"}, map[string]string{one.Key: one.Text, two.Key: two.Text})
	require.Equal(t, at, one.Position, "where the round began")
	require.Equal(t, h.Position, two.Position, "where it ended")
	require.Empty(t, one.Previous+two.Previous)
	require.Equal(t, "live free", p.hear().short())
}
