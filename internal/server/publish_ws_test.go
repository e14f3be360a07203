package server_test

import (
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/stretchr/testify/require"

	"github.com/pushd/pushd/internal/server"
)

func TestPublish(t *testing.T) {
	d := open(t, server.Config{Listen: "127.0.0.1:0", Admin: "127.0.0.1:0", Dev: true, LogLimit: 4096, MaxTopics: 2})
	raw := d.subscribe("pushd.raw.v1", "a")
	d.listed("topic=a", 1)
	p := d.v1("")
	for _, c := range []struct{ label, say, hear, raw string }{
		{"text", `{"op":"publish","id":1,"topic":"a","event":"say","key":"u-7","text":"hé"}`, "published 1 a", "hé"},
		{"data", `{"op":"publish","topic":"a","data":{"qty": 5}}`, "published a", `{"qty": 5}`},
		{"bytes", `{"op":"publish","id":"x","topic":"a","base64":"AP8="}`, `published "x" a`, "\x00\xff"},
		{"nobody there", `{"op":"publish","id":2,"topic":"b","text":"x"}`, "published 2 b", ""},
		{"too many topics", `{"op":"publish","id":3,"topic":"c","text":"x"}`, "error 3 c overloaded", ""},
		{"too many topics to subscribe", `{"op":"subscribe","id":4,"topics":["c"]}`, "error 4 c overloaded", ""},
		{"too large for the log", `{"op":"publish","id":5,"topic":"a","text":"` + strings.Repeat("x", 1024) + `"}`, "error 5 a too_large", ""},
		{"bad topic", `{"op":"publish","id":6,"topic":"a b","text":"x"}`, "error 6 a b bad_topic", ""},
		{"two payloads", `{"op":"publish","id":7,"topic":"a","text":"x","data":1}`, "error 7 bad_request", ""},
		{"no payload", `{"op":"publish","id":8,"topic":"a"}`, "error 8 bad_request", ""},
		{"not supported yet", `{"op":"publish","id":9,"topic":"a","text":"x","retain":true}`, "error 9 bad_request", ""},
	} {
		t.Run(c.label, func(t *testing.T) {
			p.say(c.say)
			h := p.hear()
			require.Equal(t, c.hear, strings.TrimSpace(h.short()), h.Message)
			if c.raw == "" {
				return
			}
			got, err := raw.next()
			require.NoError(t, err)
			require.Equal(t, c.raw, got)
			var shown struct{ Position string }
			d.do(&shown, "GET /v1/topics/a", "")
			require.Equal(t, shown.Position, h.Position)
		})
	}
	_, refused := d.ask("GET /ws?topic=a&topic=c", upgrade) // raw cannot be told what is wrong with one of two
	requireRetry(t, 10*time.Second, refused.closedWith())
}

// Whoever is subscribed to what it publishes gets it too, once.
func TestPublisherHearsItself(t *testing.T) {
	d := open(t, server.Config{})
	p := d.v1("?topic=a")
	previous := p.hear().Position
	for i := range 100 {
		p.say(fmt.Sprintf(`{"op":"publish","topic":"a","text":"%d"}`, i))
		heard := map[string]string{}
		for range 2 {
			h := p.hear()
			heard[h.Op] = h.Position
			if h.Op == "message" {
				require.Equal(t, previous, h.Previous)
				require.Equal(t, fmt.Sprint(i), h.Text)
			}
		}
		require.Len(t, heard, 2)
		require.Equal(t, heard["published"], heard["message"])
		previous = heard["message"]
	}
}

// crowded is a server of two shards with a log that a subscriber on the first
// holds full, and a publisher on the second who waits for room behind it.
type crowded struct {
	*door
	subscriber, publisher *peer
	id                    string // the publisher's
	release               func() // lets the subscriber be served
	said                  int    // how many messages the publisher has begun to say
}

func crowd(t *testing.T, timeout time.Duration) *crowded {
	t.Helper()
	d := open(t, server.Config{Listen: "127.0.0.1:0", Admin: "127.0.0.1:0", Dev: true, Shards: 2, LogLimit: 4096, PublishTimeout: timeout})
	c := &crowded{door: d, subscriber: d.subscribe("pushd.raw.v1", "a"), said: 60}
	shard := int(d.listed("topic=a", 1).Connections[0].ID[0] - '0')
	c.publisher = d.v1("")
	c.id = d.listed("", 2).Connections[1-shard].ID
	require.Equal(t, 1-shard, int(c.id[0]-'0'))
	release := server.StallShard(d.Server, shard)
	released := false
	c.release = func() {
		if !released {
			released = true
			release()
		}
	}
	t.Cleanup(c.release) // before the server ends
	for i := range c.said {
		c.publisher.say(fmt.Sprintf(`{"op":"publish","id":%d,"topic":"a","text":"%d %s"}`, i, i, strings.Repeat("x", 200)))
	}
	c.publisher.say(`{"op":"ping"}`)
	c.until(c.base+"/metrics", "the publisher waits", func(m map[string]float64) bool { return m["pushd_publishers_waiting"] == 1 })
	return c
}

// alone waits until nothing of the publisher is left.
func (c *crowded) alone() {
	c.t.Helper()
	c.until(c.base+"/metrics", "nothing is left", func(m map[string]float64) bool {
		return m["pushd_publishers_waiting"] == 0 && m["pushd_connections"] == 1 && m["pushd_output_queue_bytes"] == 0 && m[`pushd_buffer_bytes{state="in_use"}`] == 0
	})
}

// reset ends the connection without a FIN.
func (p *peer) reset() {
	p.t.Helper()
	require.NoError(p.t, p.Conn.(*net.TCPConn).SetLinger(0))
	require.NoError(p.t, p.Close())
}

// A publisher is not read while it waits, so that its answers come in order;
// once there is room all is published.
func TestPublishWaitsForRoom(t *testing.T) {
	c := crowd(t, time.Minute)
	published := c.scrape(c.base + "/metrics")["pushd_messages_published_total"]
	require.Positive(t, published)
	require.Less(t, published, float64(c.said))
	c.release()
	for i := range c.said {
		require.Equal(t, fmt.Sprintf("published %d a", i), c.publisher.hear().short())
		text, err := c.subscriber.next()
		require.NoError(t, err)
		require.Equal(t, fmt.Sprint(i), strings.Fields(text)[0])
	}
	require.Equal(t, "pong", c.publisher.hear().Op)
	c.publisher.Close()
	c.alone()
}

// A publisher that waits too long is told so, and then the next command is read.
func TestPublishFindsNoRoom(t *testing.T) {
	const timeout = 50 * time.Millisecond
	began := time.Now()
	c := crowd(t, timeout)
	var accepted []string
	refused := time.Duration(0)
	for i := range c.said {
		h := c.publisher.hear()
		require.JSONEq(t, fmt.Sprint(i), string(h.ID))
		if h.Op == "published" {
			accepted = append(accepted, fmt.Sprint(i))
			continue
		}
		require.Equal(t, fmt.Sprintf("error %d a queue_full", i), h.short())
		refused++
		require.GreaterOrEqual(t, time.Since(began), refused*timeout, "one after the other")
		if refused == 4 {
			c.release()
		}
	}
	require.Equal(t, "pong", c.publisher.hear().Op)
	require.Less(t, len(accepted), c.said)
	for _, want := range accepted { // what was refused is not there, what was accepted is
		text, err := c.subscriber.next()
		require.NoError(t, err)
		require.Equal(t, want, strings.Fields(text)[0])
	}
	c.publisher.Close()
	c.alone()
	require.EqualValues(t, len(accepted), c.scrape(c.base + "/metrics")["pushd_messages_published_total"])
}

// A publisher that leaves while it waits leaves nothing behind.
func TestPublisherLeavesWhileItWaits(t *testing.T) {
	for _, test := range []struct {
		label   string
		timeout time.Duration
		leave   func(t *testing.T, c *crowded)
	}{
		{"it resets, and there is no room", 50 * time.Millisecond, func(t *testing.T, c *crowded) { c.publisher.reset() }},
		{"it resets, and then there is room", time.Minute, func(t *testing.T, c *crowded) { c.publisher.reset(); c.release() }},
		{"it says goodbye, and then there is room", time.Minute, func(t *testing.T, c *crowded) {
			c.publisher.send(ws.NewCloseFrame(ws.NewCloseFrameBody(1000, "")))
			c.release()
			require.Equal(t, ws.StatusCode(1000), c.publisher.closedWith().code)
			c.publisher.Close()
		}},
		{"it is closed", time.Minute, func(t *testing.T, c *crowded) {
			require.Equal(t, 200, c.do(new(map[string]any), "DELETE /v1/connections/"+c.id, "").StatusCode)
			require.Equal(t, closed{1012, "retry_ms=1000"}, c.publisher.closedWith())
			c.publisher.Close()
		}},
	} {
		t.Run(test.label, func(t *testing.T) {
			c := crowd(t, test.timeout)
			test.leave(t, c)
			c.until(c.base+"/metrics", "nobody waits", func(m map[string]float64) bool {
				return m["pushd_publishers_waiting"] == 0 && m["pushd_connections"] == 1
			})
			c.release()
			c.alone()
			published := int(c.scrape(c.base + "/metrics")["pushd_messages_published_total"])
			for i := range published {
				text, err := c.subscriber.next()
				require.NoError(t, err)
				require.True(t, i > 0 || strings.HasPrefix(text, "0 "), text)
			}
		})
	}
}
