package server_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/gobwas/ws"
	"github.com/stretchr/testify/require"

	"github.com/pushd/pushd/internal/server"
)

// id returns the name of the only connection that is subscribed to a topic.
func (d *door) id(topic string) string {
	d.t.Helper()
	return d.listed("topic="+topic, 1).Connections[0].ID
}

// A message for one connection reaches that one, in its dialect, without topic
// and position, and stands in line with those of topics.
func TestPush(t *testing.T) {
	d := open(t, server.Config{})
	v1, raw, other := d.v1("?topic=a"), d.subscribe("pushd.raw.v1", "b"), d.subscribe("pushd.raw.v1", "c")
	v1.hear() // subscribed
	for _, c := range []struct {
		media, body string
		header      []string
		want        string
		op          ws.OpCode
	}{
		{"application/json", `{"qty":5}`, []string{"Pushd-Event", "filled", "Pushd-Key", "o-17"}, `{"op":"message","event":"filled","key":"o-17","data":{"qty":5}}`, ws.OpText},
		{"text/plain", "hi", nil, `{"op":"message","text":"hi"}`, ws.OpText},
		{"application/octet-stream", "\x00\xff", nil, `{"op":"message","base64":"AP8="}`, ws.OpBinary},
	} {
		for topic, p := range map[string]*peer{"a": v1, "b": raw} {
			var got struct {
				ID     string
				Queued bool
			}
			id := d.id(topic)
			answer := d.do(&got, "POST /v1/connections/"+id+"/messages", c.body, append(c.header, "Content-Type", c.media)...)
			require.Equal(t, 200, answer.StatusCode)
			require.Equal(t, id, got.ID)
			require.True(t, got.Queued)
			op, payload := p.frame()
			if topic == "a" {
				require.Equal(t, ws.OpText, op)
				require.Equal(t, c.want, payload)
			} else {
				require.Equal(t, c.op, op)
				require.Equal(t, c.body, payload)
			}
		}
	}
	d.publish("c", "only this")
	got, err := other.next()
	require.NoError(t, err)
	require.Equal(t, "only this", got)
}

func TestPushErrors(t *testing.T) {
	d := open(t, server.Config{Listen: "127.0.0.1:0", Admin: "127.0.0.1:0", Dev: true, Shards: 1, MaxMessage: 100, LogLimit: 4096})
	d.call("GET /ws") // not a WebSocket yet, in slot 0
	d.connected(1)
	d.subscribe("pushd.raw.v1", "a")
	id := d.id("a")
	text := []string{"Content-Type", "text/plain"}
	for _, c := range []struct {
		label, id, body string
		header          []string
		status          int
		code, says      string
	}{
		{"not a connection's name", "x", "1", text, 400, "bad_request", "expected SHARD-SLOT-GENERATION"},
		{"a later connection there", "0-1-7", "1", text, 404, "not_found", "no connection 0-1-7"},
		{"no such shard", "7-0-0", "1", text, 404, "not_found", "no connection 7-0-0"},
		{"the handshake is not done", "0-0-0", "1", text, 404, "not_found", "no connection 0-0-0"},
		{"media", id, "1", []string{"Content-Type", "image/png"}, 415, "media_type", "image/png"},
		{"not JSON", id, "{", []string{"Content-Type", "application/json"}, 400, "bad_json", ""},
		{"too large", id, strings.Repeat("x", 101), text, 413, "too_large", "100"},
		{"key", id, "1", append([]string{"Pushd-Key", strings.Repeat("k", 256)}, text...), 400, "bad_request", "key"},
		{"position", id, "1", append([]string{"Pushd-Position", "e:1"}, text...), 400, "bad_request", "Pushd-Position is for messages of topics"},
		{"id", id, "1", append([]string{"Idempotency-Key", "1"}, text...), 400, "bad_request", "Idempotency-Key is for messages of topics"},
	} {
		t.Run(c.label, func(t *testing.T) {
			var got refusal
			answer := d.do(&got, "POST /v1/connections/"+c.id+"/messages", c.body, c.header...)
			require.Equal(t, c.status, answer.StatusCode)
			require.Equal(t, c.code, got.Code)
			require.Contains(t, got.Message, c.says)
		})
	}
	release := server.Leave(d.Server)
	defer release()
	var got refusal
	require.Equal(t, 503, d.do(&got, "POST /v1/connections/"+id+"/messages", "1", text...).StatusCode)
	require.Equal(t, "draining", got.Code)
}

// Who does not read is not sent ever more, and gets what was acknowledged.
func TestPushToWhoDoesNotRead(t *testing.T) {
	d := open(t, server.Config{Listen: "127.0.0.1:0", Admin: "127.0.0.1:0", Dev: true, NotSentLowat: 16 << 10})
	p := d.slowly("")
	path := "POST /v1/connections/" + d.id("a") + "/messages"
	text := func(i int) string { return fmt.Sprintf("%d %s", i, strings.Repeat("x", 10<<10)) }
	n := 0
	for ; ; n++ {
		require.Less(t, n, 10_000)
		var got refusal
		answer := d.do(&got, path, text(n), "Content-Type", "text/plain")
		if answer.StatusCode != 200 {
			require.Equal(t, 503, answer.StatusCode)
			require.Equal(t, "queue_full", got.Code)
			require.Equal(t, "1", answer.Header.Get("Retry-After"))
			break
		}
	}
	queued := d.listed("topic=a", 1).Connections[0].Queued
	require.Greater(t, queued, 16<<10)
	require.Less(t, queued, 32<<10)
	for i := range n {
		got, err := p.next()
		require.NoError(t, err)
		require.Equal(t, text(i), got)
	}
	d.until(d.base+"/metrics", "an empty queue", func(m map[string]float64) bool { return m["pushd_output_queue_bytes"] == 0 })
	require.Equal(t, 200, d.do(new(refusal), path, "again", "Content-Type", "text/plain").StatusCode)
	got, err := p.next()
	require.NoError(t, err)
	require.Equal(t, "again", got)
}
