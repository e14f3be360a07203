package server_test

import (
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pushd/pushd/broadcast"
	"github.com/pushd/pushd/internal/server"
)

const (
	reloadsOK     = `pushd_config_reloads_total{result="ok"}`
	reloadsFailed = `pushd_config_reloads_total{result="error"}`
	lastReloadOK  = "pushd_config_last_reload_successful"
	lastReloadAt  = "pushd_config_last_reload_success_timestamp_seconds"
)

func TestReload(t *testing.T) {
	var next server.Reloaded
	var wrong error
	var log strings.Builder // written by the handler, read when it has answered
	d := open(t, server.Config{
		Listen: "127.0.0.1:0", Admin: "127.0.0.1:0", Dev: true, Logger: slog.New(slog.NewTextHandler(&log, nil)),
		Topics: []server.TopicRule{rule(t, "a", broadcast.Settings{LogLimit: 5000})},
		Reload: func() (server.Reloaded, error) { return next, wrong },
	})
	d.put("a", "", "1")
	d.put("b", "", "1")
	before := d.shown("a")
	m := d.scrape(d.base + "/metrics")
	require.Equal(t, []float64{0, 0, 1}, []float64{m[reloadsOK], m[reloadsFailed], m[lastReloadOK]})
	began := m[lastReloadAt]
	require.InDelta(t, float64(time.Now().Unix()), began, 60)

	wrong = errors.New("pushd.yaml:3: it is bad")
	next.Topics = []server.TopicRule{rule(t, ">", broadcast.Settings{LogLimit: 6000})} // which an error makes void
	var refused refusal
	require.Equal(t, 400, d.do(&refused, "POST /v1/reload", "").StatusCode)
	require.Equal(t, refusal{"bad_request", "pushd.yaml:3: it is bad"}, refused)
	require.Equal(t, before, d.shown("a"), "a bad file changes nothing")
	m = d.scrape(d.base + "/metrics")
	require.Equal(t, []float64{0, 1, 0, began}, []float64{m[reloadsOK], m[reloadsFailed], m[lastReloadOK], m[lastReloadAt]})
	require.Contains(t, log.String(), `level=ERROR msg="the settings were not reloaded: all is as before" error="pushd.yaml:3: it is bad"`)

	wrong = nil
	next.Topics = []server.TopicRule{rule(t, "b", broadcast.Settings{Slow: broadcast.Drop})}
	next.Restart = []string{"listen", "shards"}
	var got map[string]any
	require.Equal(t, 200, d.do(&got, "POST /v1/reload", "").StatusCode)
	require.Equal(t, map[string]any{"topics": 1.0, "restart": []any{"listen", "shards"}}, got)
	require.Equal(t, float64(4<<20), d.shown("a")["settings"].(map[string]any)["log"], "no rule names it any more")
	require.Equal(t, "drop", d.shown("b")["slow"])
	m = d.scrape(d.base + "/metrics")
	require.Equal(t, []float64{1, 1, 1}, []float64{m[reloadsOK], m[reloadsFailed], m[lastReloadOK]})
	require.Greater(t, m[lastReloadAt], began)
	require.Contains(t, log.String(), "level=INFO msg=reloaded topics=1\n")
	require.Contains(t, log.String(), `level=WARN msg="settings have changed that only a restart applies" settings="[listen shards]"`)

	next = server.Reloaded{}
	d.do(&got, "POST /v1/reload", "")
	require.Equal(t, map[string]any{"topics": 0.0, "restart": []any{}}, got)
	require.Equal(t, "disconnect", d.shown("b")["slow"])
}

func TestNothingToReload(t *testing.T) {
	d := open(t, server.Config{})
	var refused refusal
	require.Equal(t, 400, d.do(&refused, "POST /v1/reload", "").StatusCode)
	require.Equal(t, refusal{"bad_request", server.ErrNothingToReload.Error()}, refused)
	m := d.scrape(d.base + "/metrics")
	require.Equal(t, []float64{0, 0, 1}, []float64{m[reloadsOK], m[reloadsFailed], m[lastReloadOK]})
	require.Equal(t, 405, d.do(&refused, "GET /v1/reload", "").StatusCode)
}

// Of reloads at the same time, while others publish, the last to be read holds.
func TestReloadsUnderLoad(t *testing.T) {
	const reloads, messages = 50, 200
	n := 0 // of the last read; reads come one at a time
	d := open(t, server.Config{Listen: "127.0.0.1:0", Admin: "127.0.0.1:0", Dev: true, Reload: func() (server.Reloaded, error) {
		n++
		return server.Reloaded{Topics: []server.TopicRule{rule(t, ">", broadcast.Settings{LogLimit: 1<<20 + n, Retain: n%2 == 1})}}, nil
	}})
	var all sync.WaitGroup
	all.Go(func() {
		for range messages {
			d.put("a", "k", "x")
		}
	})
	for range 2 {
		all.Go(func() {
			for range reloads / 2 {
				d.do(new(map[string]any), "POST /v1/reload", "")
			}
		})
	}
	all.Wait()
	require.Equal(t, reloads, n)
	require.EqualValues(t, 1<<20+reloads, d.shown("a")["settings"].(map[string]any)["log"])
	require.EqualValues(t, reloads, d.scrape(d.base + "/metrics")[reloadsOK])
}
