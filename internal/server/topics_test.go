package server_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pushd/pushd/broadcast"
	"github.com/pushd/pushd/internal/dialect"
	"github.com/pushd/pushd/internal/server"
)

// rule makes a TopicRule of a pattern that is one.
func rule(t testing.TB, pattern string, s broadcast.Settings) server.TopicRule {
	t.Helper()
	p, err := dialect.ParsePattern(pattern)
	require.NoError(t, err)
	return server.TopicRule{Pattern: p, Settings: s}
}

// put publishes text as the newest value of a key.
func (d *door) put(topic, key, text string) {
	d.t.Helper()
	answer := d.do(new(receipt), "POST /v1/topics/"+topic+"/messages", text, "Content-Type", "text/plain", "Pushd-Key", key)
	require.Equal(d.t, 200, answer.StatusCode)
}

// shown is a topic as the door shows it, without what changes from run to run.
func (d *door) shown(topic string) map[string]any {
	d.t.Helper()
	var got map[string]any
	require.Equal(d.t, 200, d.do(&got, "GET /v1/topics/"+topic, "").StatusCode)
	delete(got, "position")
	delete(got, "oldest")
	return got
}

func TestTopicIsShownWithItsSettings(t *testing.T) {
	d := open(t, server.Config{Listen: "127.0.0.1:0", Admin: "127.0.0.1:0", Dev: true, LogLimit: 1 << 20, Topics: []server.TopicRule{
		rule(t, "quotes.>", broadcast.Settings{
			Slow: broadcast.Conflate, MaxRate: 10, Retain: true, RetainFor: time.Hour, MaxKeys: 5, MaxKeyBytes: 6000, LogLimit: 8192,
			History: broadcast.History{Count: 7, Bytes: 100, Age: time.Minute},
		}),
	}})
	d.put("quotes.a", "a", "12.5")
	d.put("news", "a", "hello")
	shown := d.shown("quotes.a")
	require.Equal(t, 1.0, shown["keys"])
	require.Positive(t, shown["key_bytes"])
	require.Equal(t, "conflate", shown["slow"])
	require.Equal(t, map[string]any{
		"slow": "conflate", "max_rate": 10.0, "retain": true, "retain_for_ms": 3600e3, "max_keys": 5.0, "max_key_bytes": 6000.0, "log": 8192.0,
		"history": map[string]any{"count": 7.0, "bytes": 100.0, "age_ms": 60e3},
	}, shown["settings"])

	shown = d.shown("news")
	require.Equal(t, 0.0, shown["keys"], "nobody needs them")
	require.Equal(t, map[string]any{
		"slow": "disconnect", "retain": false, "max_keys": 65536.0, "max_key_bytes": float64(16 << 20), "log": float64(1 << 20),
		"history": map[string]any{},
	}, shown["settings"])

	var page struct {
		Topics []struct{ Topic, Slow string }
	}
	d.do(&page, "GET /v1/topics", "")
	require.Equal(t, "[{news disconnect} {quotes.a conflate}]", fmt.Sprint(page.Topics))
}

func TestFirstRuleThatMatchesHolds(t *testing.T) {
	d := open(t, server.Config{Listen: "127.0.0.1:0", Admin: "127.0.0.1:0", Dev: true, Topics: []server.TopicRule{
		rule(t, "a.b", broadcast.Settings{LogLimit: 5000}),
		rule(t, "a.*", broadcast.Settings{LogLimit: 6000}),
		rule(t, "a.>", broadcast.Settings{LogLimit: 7000}),
		rule(t, "*.b", broadcast.Settings{LogLimit: 8000}),
	}})
	for topic, log := range map[string]float64{"a.b": 5000, "a.c": 6000, "a.b.c": 7000, "c.b": 8000, "c": 4 << 20} {
		d.put(topic, "", "1")
		require.Equal(t, log, d.shown(topic)["settings"].(map[string]any)["log"], topic)
	}
}

// Topics can be configured while they are published to: those that exist are
// changed, and those to come are made so.
func TestConfigureUnderLoad(t *testing.T) {
	d := open(t, server.Config{})
	subscriber := d.subscribe("pushd.raw.v1", "a.0")
	const messages = 200
	var publishers sync.WaitGroup
	for p := range 2 {
		publishers.Go(func() {
			for i := range messages {
				d.put(fmt.Sprintf("a.%d", p*i), fmt.Sprint(i), "x")
			}
		})
	}
	limit := 0
	for i := range 100 {
		limit = 1<<20 + i
		d.Configure([]server.TopicRule{rule(t, "a.>", broadcast.Settings{Retain: i%2 == 0, Slow: broadcast.Policy(i % 3), LogLimit: limit})})
	}
	publishers.Wait()
	for range messages + 1 { // of the second publisher only the first goes to a.0
		_, err := subscriber.next()
		require.NoError(t, err)
	}
	for _, topic := range []string{"a.0", "a.1", fmt.Sprint("a.", messages-1)} {
		require.EqualValues(t, limit, d.shown(topic)["settings"].(map[string]any)["log"], topic)
	}
}

// A retained value that was not renewed goes by itself.
func TestRetainedValuesExpire(t *testing.T) {
	d := open(t, server.Config{Listen: "127.0.0.1:0", Admin: "127.0.0.1:0", Dev: true, Topics: []server.TopicRule{
		rule(t, "a", broadcast.Settings{Retain: true, RetainFor: time.Millisecond}),
	}})
	d.put("a", "k", "1")
	require.Eventually(t, func() bool { return d.shown("a")["keys"] == 0.0 }, 10*time.Second, 20*time.Millisecond)
}

// BenchmarkConfigure is a reload with so many topics, and twenty rules of which
// only the last matches.
func BenchmarkConfigure(b *testing.B) {
	for _, topics := range []int{1000, 100_000} {
		b.Run(fmt.Sprint(topics), func(b *testing.B) {
			d := open(b, server.Config{})
			server.Fill(d.Server, topics)
			var rules []server.TopicRule
			for i := range 19 {
				rules = append(rules, rule(b, fmt.Sprintf("other%d.>", i), broadcast.Settings{}))
			}
			rules = append(rules, rule(b, ">", broadcast.Settings{Slow: broadcast.Drop}))
			b.ResetTimer()
			for range b.N {
				d.Configure(rules)
			}
		})
	}
}
