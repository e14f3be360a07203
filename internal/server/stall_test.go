package server_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pushd/pushd/broadcast"
	"github.com/pushd/pushd/internal/server"
)

// Somebody who has stopped reading while 1,000 keys of a topic that conflates
// were changed a hundred times each is sent little more than the final value of
// each: what the kernel and a frame under way hold of before.
func TestStallOnATicker(t *testing.T) {
	const keys, times, most = 1000, 100, 1200
	d := open(t, server.Config{Listen: "127.0.0.1:0", Admin: "127.0.0.1:0", Dev: true, NotSentLowat: 16 << 10, Topics: []server.TopicRule{
		rule(t, "quotes", broadcast.Settings{Slow: broadcast.Conflate, LogLimit: 256 << 10}),
	}})
	clients := map[string]*wire{}
	for _, protocol := range []string{"pushd.v1", "pushd.raw.v1"} {
		w, _, err := dialWire(d.Addr().String(), protocol, "topic=quotes", 4096)
		require.NoError(t, err)
		defer w.Close()
		clients[protocol] = w
	}
	d.listed("topic=quotes", 2)

	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	var lines bytes.Buffer
	for n := range times {
		lines.Reset()
		for key := range keys {
			fmt.Fprintf(&lines, `{"topic":"quotes","key":"k%d","data":{"key":%d,"n":%d,"pad":"%s"}}`+"\n", key, key, n, strings.Repeat("x", 100))
		}
		if inLongRun() { // over ten seconds
			<-tick.C
		}
		var r report
		require.Equal(t, 200, d.do(&r, "POST /v1/messages", lines.String(), "Content-Type", "application/x-ndjson").StatusCode)
		require.Equal(t, keys, r.Accepted)
	}

	for protocol, w := range clients {
		messages, finals, newest := 0, map[int]bool{}, map[int]int{}
		for len(finals) < keys {
			_, payload, err := w.hear()
			require.NoError(t, err, "%s: %d messages, %d final values", protocol, messages, len(finals))
			var m struct {
				Op   string
				Data json.RawMessage
			}
			require.NoError(t, json.Unmarshal(payload, &m), "%s", payload)
			switch {
			case protocol == "pushd.raw.v1":
				m.Data = payload
			case m.Op != "message":
				continue
			}
			var v struct{ Key, N int }
			require.NoError(t, json.Unmarshal(m.Data, &v))
			require.GreaterOrEqual(t, v.N, newest[v.Key], "%s: key %d went back", protocol, v.Key)
			newest[v.Key] = v.N
			if messages++; v.N == times-1 {
				finals[v.Key] = true
			}
		}
		t.Logf("%s: %d messages for %d updates", protocol, messages, keys*times)
		require.LessOrEqual(t, messages, most, protocol)
	}
}
