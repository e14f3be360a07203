package server_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/pushd/pushd/internal/server"
)

// scrape returns the values by name and labels.
func (d *door) scrape(url string) map[string]float64 {
	d.t.Helper()
	r, err := http.NewRequest("GET", url, nil)
	require.NoError(d.t, err)
	if d.token != "" {
		r.Header.Set("Authorization", "Bearer "+d.token)
	}
	answer, err := d.http.Do(r)
	require.NoError(d.t, err)
	defer answer.Body.Close()
	require.Equal(d.t, 200, answer.StatusCode)
	values := make(map[string]float64)
	for lines := bufio.NewScanner(answer.Body); lines.Scan(); {
		if strings.HasPrefix(lines.Text(), "#") {
			continue
		}
		name, text, found := strings.Cut(lines.Text(), "} ")
		if found {
			name += "}"
		} else {
			name, text, _ = strings.Cut(lines.Text(), " ")
		}
		value, err := strconv.ParseFloat(text, 64)
		require.NoError(d.t, err, lines.Text())
		values[name] = value
	}
	return values
}

func TestMetrics(t *testing.T) {
	d := open(t, server.Config{Listen: "127.0.0.1:0", Admin: "127.0.0.1:0", MetricsListen: "127.0.0.1:0", Dev: true, Shards: 2, Version: "v1.2"})
	subscriber := d.subscribe("pushd.raw.v1", "a")
	id := d.listed("topic=a", 1).Connections[0].ID
	for i := range 3 {
		d.do(new(receipt), "POST /v1/topics/a/messages", fmt.Sprint(i), "Content-Type", "text/plain")
		_, err := subscriber.next()
		require.NoError(t, err)
	}
	m := d.scrape(d.base + "/metrics")
	for name, want := range map[string]float64{
		"pushd_connections":                                1,
		"pushd_connections_accepted_total":                 1,
		"pushd_shard_imbalance_ratio":                      1, // one connection on two shards
		`pushd_upgrades_total{result="ok"}`:                1,
		"pushd_messages_published_total":                   3,
		"pushd_deliveries_total":                           3,
		"pushd_publish_to_write_seconds_count":             3,
		`pushd_publish_to_write_seconds_bucket{le="+Inf"}`: 3,
		"pushd_topics":                                     1,
		"pushd_subscriptions":                              1,
		"pushd_log_limit_bytes":                            256 << 20,
		"pushd_publishers_waiting":                         0,
		"pushd_lagging_subscriptions":                      0,
		"pushd_sent_bytes_total":                           m["pushd_sent_bytes_total"],
		`pushd_shard_connections{shard="0"}`:               1 - m[`pushd_shard_connections{shard="1"}`],
		"pushd_pool_panics_total":                          0,
		"pushd_http_pages":                                 0,
	} {
		value, found := m[name]
		require.True(t, found, name)
		require.Equal(t, want, value, name)
	}
	require.Positive(t, m["pushd_sent_bytes_total"])
	require.Positive(t, m["pushd_received_bytes_total"])
	require.Positive(t, m["pushd_pool_workers"])
	require.Contains(t, m, "go_goroutines")
	require.Contains(t, m, "process_open_fds")
	require.Regexp(t, `pushd_build_info\{goversion="go[^"]+",version="v1.2"\}`, fmt.Sprint(m))

	d.do(new(map[string]any), "DELETE /v1/connections/"+id, "")
	subscriber.next()
	require.EqualValues(t, 1, d.scrape("http://" + server.MetricsAddr(d.Server).String() + "/metrics")[`pushd_closes_total{code="1012"}`])
}

// Every metric is on the operator's page, and nothing else is.
func TestMetricsAreDocumented(t *testing.T) {
	d := open(t, server.Config{Listen: "127.0.0.1:0", Admin: "127.0.0.1:0", Dev: true, Auth: verifier(t)})
	require.Equal(t, "unauthorized", d.tryURL("?topic=a&token=x", ""))
	d.subscribe("pushd.raw.v1", "a")
	id := d.listed("topic=a", 1).Connections[0].ID
	d.do(new(map[string]any), "DELETE /v1/connections/"+id, "")
	registry := prometheus.NewPedanticRegistry()
	require.NoError(t, registry.Register(server.Collector(d.Server)))
	families, err := registry.Gather()
	require.NoError(t, err)
	var have []string
	for _, f := range families {
		have = append(have, f.GetName())
	}
	page, err := os.ReadFile("../../docs/OPERATIONS.md")
	require.NoError(t, err)
	var documented []string
	for _, m := range regexp.MustCompile("(?m)^\\| `(pushd_[a-z_]+)").FindAllStringSubmatch(string(page), -1) {
		documented = append(documented, m[1])
	}
	slices.Sort(documented)
	require.Equal(t, have, documented)
}

func TestMetricsDoor(t *testing.T) {
	d := open(t, server.Config{Listen: "127.0.0.1:0", Admin: "127.0.0.1:0", MetricsListen: "127.0.0.1:0", AdminTokens: []string{"t"}})
	base := "http://" + server.MetricsAddr(d.Server).String()
	for path, status := range map[string]int{"/metrics": 200, "/healthz": 200, "/readyz": 200, "/v1/topics": 404, "/debug/pprof/": 404} {
		answer, err := d.http.Get(base + path)
		require.NoError(t, err)
		answer.Body.Close()
		require.Equal(t, status, answer.StatusCode, path)
	}
	r, err := http.NewRequest("GET", base+"/metrics", nil)
	require.NoError(t, err)
	r.Host = "evil.example"
	answer, err := d.http.Do(r)
	require.NoError(t, err)
	answer.Body.Close()
	require.Equal(t, 403, answer.StatusCode)
	elsewhere := server.MetricsServer(d.Server, &net.TCPAddr{IP: net.IPv4(10, 0, 0, 1)})
	rec := httptest.NewRecorder()
	elsewhere.Handler.ServeHTTP(rec, r)
	require.Equal(t, 200, rec.Code, "away from loopback any name may be ours")
}

func TestHealth(t *testing.T) {
	d := open(t, server.Config{Listen: "127.0.0.1:0", Admin: "127.0.0.1:0", Dev: true, Version: "v1.2"})
	d.subscribe("pushd.raw.v1", "a")
	d.listed("", 1)
	var got struct {
		Status, Version string
		Connections     int
		UptimeMS        *int64 `json:"uptime_ms"`
	}
	for path, status := range map[string]string{"/healthz": "ok", "/readyz": "ready"} {
		require.Equal(t, 200, d.do(&got, "GET "+path, "").StatusCode)
		require.Equal(t, status, got.Status)
		require.Equal(t, "v1.2", got.Version)
		require.Equal(t, 1, got.Connections)
		require.NotNil(t, got.UptimeMS)
	}
	undo := server.Leave(d.Server)
	require.Equal(t, 200, d.do(&got, "GET /healthz", "").StatusCode)
	for _, what := range []string{"GET /readyz", "POST /v1/topics/a/messages", "POST /v1/messages"} {
		var refused refusal
		answer := d.do(&refused, what, line, "Content-Type", "application/json")
		require.Equal(t, 503, answer.StatusCode, what)
		require.Equal(t, "draining", refused.Code, what)
		require.Equal(t, "1", answer.Header.Get("Retry-After"), what)
	}
	undo()
	require.Equal(t, 200, d.do(&got, "GET /readyz", "").StatusCode)
}

func TestProfiles(t *testing.T) {
	d := open(t, server.Config{})
	for _, path := range []string{"/", "/cmdline", "/symbol", "/heap?debug=1", "/profile?seconds=1", "/trace?seconds=0.01"} {
		if testing.Short() && strings.HasPrefix(path, "/profile") {
			continue
		}
		answer, err := d.http.Get(d.base + "/debug/pprof" + path)
		require.NoError(t, err)
		n, err := io.Copy(io.Discard, answer.Body)
		require.NoError(t, err)
		answer.Body.Close()
		require.Equal(t, 200, answer.StatusCode, path)
		require.True(t, n > 0 || path == "/cmdline", path)
	}
}
