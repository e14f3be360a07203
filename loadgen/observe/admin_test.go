package observe_test

import (
	"context"
	"io"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pushd/pushd/loadgen/observe"
)

const exposition = `# HELP process_cpu_seconds_total Total user and system CPU time spent in seconds.
# TYPE process_cpu_seconds_total counter
process_cpu_seconds_total 12.5
# TYPE process_max_fds gauge
process_max_fds 1.048576e+06
# TYPE process_open_fds gauge
process_open_fds 19
# TYPE process_resident_memory_bytes gauge
process_resident_memory_bytes 2.3552e+07
# TYPE pushd_connections gauge
pushd_connections 100000
# TYPE pushd_buffer_bytes gauge
pushd_buffer_bytes{state="free"} 1000
pushd_buffer_bytes{state="in_use"} 24
# TYPE no_number gauge
no_number NaN
not_typed 7
# TYPE pushd_log_bytes gauge
pushd_log_bytes 0
`

func admin(t *testing.T, cfg observe.AdminConfig) *observe.Admin {
	a, err := observe.NewAdmin(cfg)
	require.NoError(t, err)
	t.Cleanup(a.Close)
	return a
}

// metrics serves handler by TCP and by a unix socket.
func metrics(t *testing.T, handler http.HandlerFunc) (url, socket string) {
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	dir, err := os.MkdirTemp("", "") // t.TempDir's may be longer than a socket's path can be
	require.NoError(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	local := httptest.NewUnstartedServer(handler)
	local.Listener.Close()
	local.Listener, err = net.Listen("unix", filepath.Join(dir, "s"))
	require.NoError(t, err)
	local.Start()
	t.Cleanup(local.Close)
	return server.URL, filepath.Join(dir, "s")
}

func TestAdmin(t *testing.T) {
	url, socket := metrics(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer secret" || !strings.HasSuffix(r.URL.Path, "/metrics") || strings.HasSuffix(r.URL.Path, "s/metrics") {
			http.Error(w, "no", http.StatusUnauthorized)
			return
		}
		io.WriteString(w, exposition)
	})
	for label, address := range map[string]string{
		"URL":               url,
		"URL with metrics":  url + "/metrics",
		"URL with a path":   url + "/behind/a/prefix/",
		"host and port":     strings.TrimPrefix(url, "http://"),
		"port":              strings.TrimPrefix(url, "http://127.0.0.1"),
		"unix socket":       "unix:" + socket,
		"URL of the socket": "unix://" + socket,
	} {
		t.Run(label, func(t *testing.T) {
			cfg := observe.AdminConfig{Address: address, Token: "secret", Gauges: []string{"pushd_buffer_bytes", "no_number", "not_typed", "pushd_log_bytes", "absent"}}
			s, err := admin(t, cfg).Sample(t.Context())
			require.NoError(t, err)
			require.Equal(t, &observe.ServerSample{
				RSS: new(uint64(23552000)), CPU: new(12.5), OpenFiles: new(uint64(19)), MaxFiles: new(uint64(1 << 20)), Connections: new(100000.0),
				Gauges: map[string]float64{"pushd_buffer_bytes": 1024, "not_typed": 7, "pushd_log_bytes": 0},
			}, s)
		})
	}
	_, err := admin(t, observe.AdminConfig{Address: url}).Sample(t.Context())
	require.ErrorContains(t, err, "GET "+url+"/metrics: the server answered 401 Unauthorized: expected metrics")
}

func TestAdminOfAnotherServer(t *testing.T) {
	for label, c := range map[string]struct {
		text string
		want observe.ServerSample
	}{
		"nothing":        {"", observe.ServerSample{}},
		"other metrics":  {"up 1\n", observe.ServerSample{}},
		"unlimited":      {"process_max_fds 1.8446744073709552e+19\n", observe.ServerSample{MaxFiles: new(uint64(math.MaxUint64))}},
		"negative":       {"process_open_fds -1\n", observe.ServerSample{}},
		"infinite":       {"process_cpu_seconds_total +Inf\n", observe.ServerSample{}},
		"with labels":    {"process_open_fds{job=\"a\"} 3\n", observe.ServerSample{OpenFiles: new(uint64(3))}},
		"zero is a fact": {"pushd_connections 0\n", observe.ServerSample{Connections: new(0.0)}},
	} {
		t.Run(label, func(t *testing.T) {
			url, _ := metrics(t, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, c.text) })
			s, err := admin(t, observe.AdminConfig{Address: url}).Sample(t.Context())
			require.NoError(t, err)
			c.want.Gauges = map[string]float64{}
			require.Equal(t, &c.want, s)
		})
	}
}

func TestAdminFails(t *testing.T) {
	t.Run("a page", func(t *testing.T) {
		url, _ := metrics(t, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "<html>hello</html>") })
		_, err := admin(t, observe.AdminConfig{Address: url}).Sample(t.Context())
		require.ErrorContains(t, err, "expected metrics in Prometheus's text format")
	})
	t.Run("without end", func(t *testing.T) {
		url, _ := metrics(t, func(w http.ResponseWriter, r *http.Request) {
			for line := []byte("# " + strings.Repeat("x", 1<<20) + "\n"); ; {
				if _, err := w.Write(line); err != nil {
					return
				}
			}
		})
		_, err := admin(t, observe.AdminConfig{Address: url, Timeout: time.Minute}).Sample(t.Context())
		require.ErrorContains(t, err, "request body too large")
	})
	t.Run("too late", func(t *testing.T) {
		url, _ := metrics(t, func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
		_, err := admin(t, observe.AdminConfig{Address: url, Timeout: 50 * time.Millisecond}).Sample(t.Context())
		require.ErrorIs(t, err, context.DeadlineExceeded)
	})
	t.Run("no address", func(t *testing.T) {
		for _, address := range []string{"", "localhost", "unix:", "ftp://host"} {
			_, err := observe.NewAdmin(observe.AdminConfig{Address: address})
			require.Error(t, err, address)
		}
	})
}
