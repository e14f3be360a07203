package loadgen_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/stretchr/testify/require"

	"github.com/pushd/pushd/internal/server"
	"github.com/pushd/pushd/loadgen"
	"github.com/pushd/pushd/loadgen/report"
)

// pushd runs a server until the result is called.
func pushd(t *testing.T, listen string) (s *server.Server, stop func()) {
	t.Helper()
	s, err := server.New(server.Config{
		Listen: listen, Admin: "127.0.0.1:0", Dev: true, Shards: 1,
		Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
	})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		require.NoError(t, <-ended)
	})
	t.Cleanup(stop)
	return s, stop
}

func common(s *server.Server) loadgen.Common {
	return loadgen.Common{URLs: []string{"ws://" + s.Addr().String() + "/ws?topic={topic}"}, Admin: s.AdminAddr().String()}
}

// value is a figure of a report.
func value(t *testing.T, r *report.Report, name string) float64 {
	t.Helper()
	f, ok := r.Figure(name)
	require.True(t, ok, "no figure %s in %+v", name, r.Figures)
	return f.Value
}

func requireAll(t *testing.T, r *report.Report, deliveries float64) {
	t.Helper()
	require.Empty(t, r.Ended)
	require.Empty(t, r.Causes)
	for name, want := range map[string]float64{"delivered": deliveries, "expected": deliveries, "lost": 0, "repeated": 0, "disordered": 0} {
		require.Equal(t, want, value(t, r, name), name)
	}
}

func TestFanout(t *testing.T) {
	s, _ := pushd(t, "127.0.0.1:0")
	r, err := loadgen.Fanout{Common: common(s), N: 50, Rate: 200, Messages: 40}.Run(t.Context())
	require.NoError(t, err)
	requireAll(t, r, 50*40)
	require.Positive(t, value(t, r, "p99"))
	require.Positive(t, value(t, r, "spread_p50"))
	require.NotEmpty(t, r.Histograms)
}

// TestWorkers: several processes count as one.
func TestWorkers(t *testing.T) {
	s, _ := pushd(t, "127.0.0.1:0")
	t.Setenv("LOADGEN_TEST_WORKER", "1")
	c := common(s)
	c.Workers, c.Worker = 3, []string{os.Args[0]}
	r, err := loadgen.Fanout{Common: c, N: 50, Rate: 200, Messages: 40, Topics: 7}.Run(t.Context())
	require.NoError(t, err)
	require.Equal(t, 3.0, value(t, r, "workers"))
	sum := 0 // message i goes to topic i%7, and subscriber j has topic j%7
	for i := range 40 {
		for j := range 50 {
			if i%7 == j%7 {
				sum++
			}
		}
	}
	requireAll(t, r, float64(sum))
}

func TestTicker(t *testing.T) {
	s, _ := pushd(t, "127.0.0.1:0")
	r, err := loadgen.Ticker{
		Fanout: loadgen.Fanout{Common: common(s), N: 40, Rate: 500, Messages: 200, Topics: 60, Arrivals: loadgen.Poisson}, Each: 10,
	}.Run(t.Context())
	require.NoError(t, err)
	delivered := value(t, r, "delivered")
	require.Positive(t, delivered)
	requireAll(t, r, delivered)
}

func TestChurn(t *testing.T) {
	s, _ := pushd(t, "127.0.0.1:0")
	r, err := loadgen.Churn{Common: common(s), Rate: 100, Life: 200 * time.Millisecond, For: 2 * time.Second}.Run(t.Context())
	require.NoError(t, err)
	require.Empty(t, r.Causes)
	require.Positive(t, value(t, r, "left"))
	require.InDelta(t, 200, value(t, r, "opened"), 100)
}

func TestStorm(t *testing.T) {
	s, stop := pushd(t, "127.0.0.1:0")
	address := s.Addr().String()
	c := common(s)
	restarted := false
	c.Progress = func(p loadgen.Progress) {
		if p.Phase == "waiting for the server to be restarted" && !restarted {
			restarted = true
			stop()
			pushd(t, address)
		}
	}
	r, err := loadgen.Storm{Common: c, N: 60}.Run(t.Context())
	require.NoError(t, err)
	require.Empty(t, r.Ended)
	require.Equal(t, 60.0, value(t, r, "returned"))
	require.Zero(t, value(t, r, "absent"))
}

// TestHoldFindsTheLimit: where the server lets no more in, the search ends, and
// says what the server said.
func TestHoldFindsTheLimit(t *testing.T) {
	s, err := server.New(server.Config{
		Listen: "127.0.0.1:0", Admin: "127.0.0.1:0", Dev: true, Shards: 1, MaxConnections: 70,
		Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
	})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	defer func() { cancel(); require.NoError(t, <-ended) }()
	r, err := loadgen.Hold{Common: common(s)}.Run(t.Context())
	require.NoError(t, err)
	require.Equal(t, 70.0, value(t, r, "open"))
	require.NotNil(t, r.Stopped)
	require.Contains(t, r.Stopped.Limit, "turned away for load")
	require.Contains(t, r.Stopped.Why, "overloaded")
}

// liar is a push server of a few lines, which does to messages what it is told.
type liar struct {
	mu     sync.Mutex
	conns  []io.Writer
	events []chan string
	wrong  func(n int, payload string) []string
	n      int
}

func (l *liar) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/pub":
		body, _ := io.ReadAll(r.Body)
		l.mu.Lock()
		defer l.mu.Unlock()
		l.n++
		for _, payload := range l.wrong(l.n, string(body)) {
			for _, c := range l.conns {
				c.Write(ws.MustCompileFrame(ws.NewTextFrame([]byte(`{"data":"` + payload + `"}`))))
			}
			for _, e := range l.events {
				e <- payload
			}
		}
	case "/ws":
		c, _, _, err := ws.UpgradeHTTP(r, w)
		if err != nil {
			return
		}
		l.mu.Lock()
		l.conns = append(l.conns, c)
		l.mu.Unlock()
	case "/events":
		w.Header().Set("Content-Type", "text/event-stream")
		w.WriteHeader(200)
		w.(http.Flusher).Flush()
		mine := make(chan string, 1000)
		l.mu.Lock()
		l.events = append(l.events, mine)
		l.mu.Unlock()
		for {
			select {
			case payload := <-mine:
				fmt.Fprintf(w, "data: %s\n\n", payload)
				w.(http.Flusher).Flush()
			case <-r.Context().Done():
				return
			}
		}
	default:
		http.NotFound(w, r)
	}
}

func (l *liar) closeAll() {
	for _, c := range l.conns {
		c.(net.Conn).Close()
	}
}

// TestWhatAServerDoesWrong: losses, repeats and disorder are each told apart, on
// WebSockets and on server-sent events of a server that is not ours.
func TestWhatAServerDoesWrong(t *testing.T) {
	var held string
	l := &liar{wrong: func(n int, payload string) []string {
		switch n {
		case 3: // lost
			return nil
		case 5:
			return []string{payload, payload}
		case 7:
			held = payload
			return nil
		case 8:
			return []string{payload, held}
		case 10: // lost, at the end
			return nil
		}
		return []string{payload}
	}}
	h := httptest.NewServer(l)
	defer h.Close()
	defer l.closeAll()
	for _, path := range []string{"ws" + strings.TrimPrefix(h.URL, "http") + "/ws", h.URL + "/events"} {
		l.n = 0
		r, err := loadgen.Fanout{
			Common: loadgen.Common{URLs: []string{path}, Publishing: loadgen.Publishing{URL: h.URL + "/pub"}},
			N:      4, Rate: 100, Messages: 10, Patience: time.Second,
		}.Run(t.Context())
		require.NoError(t, err)
		require.Empty(t, r.Ended, path)
		for name, want := range map[string]float64{"expected": 40, "delivered": 32, "lost": 8, "repeated": 4, "disordered": 4} {
			require.Equal(t, want, value(t, r, name), "%s of %s", name, path)
		}
		h.CloseClientConnections()
	}
}

func TestWhatIsSaid(t *testing.T) {
	h := httptest.NewServer(http.NotFoundHandler())
	defer h.Close()
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	nobody := closed.Addr().String()
	require.NoError(t, closed.Close())
	for url, want := range map[string]string{
		"ws" + strings.TrimPrefix(h.URL, "http") + "/x": "wrong path: HTTP 404 Not Found",
		"ws://" + nobody + "/":                          "nobody listens",
	} {
		r, err := loadgen.Hold{Common: loadgen.Common{URLs: []string{url}}, N: 5}.Run(t.Context())
		require.NoError(t, err)
		require.Equal(t, "no client was let in", r.Ended)
		require.True(t, slices.ContainsFunc(r.Causes, func(c report.Cause) bool { return c.Name == want && c.Count == 5 && c.Advice != "" }), "%+v", r.Causes)
	}
}

// TestInterrupted: whoever ends a run gets the report so far.
func TestInterrupted(t *testing.T) {
	s, _ := pushd(t, "127.0.0.1:0")
	ctx, cancel := context.WithCancel(t.Context())
	c := common(s)
	c.Progress = func(p loadgen.Progress) {
		if p.Published > 0 {
			cancel()
		}
	}
	r, err := loadgen.Fanout{Common: c, N: 10, Rate: 100, For: time.Hour}.Run(ctx)
	require.NoError(t, err)
	require.Equal(t, "interrupted", r.Ended)
	require.Equal(t, 10.0, value(t, r, "open"))
	require.Positive(t, value(t, r, "delivered"))
}

// TestServerGone: a server that goes away ends the run, with what there was.
func TestServerGone(t *testing.T) {
	s, stop := pushd(t, "127.0.0.1:0")
	c := common(s)
	c.Progress = func(p loadgen.Progress) {
		if p.Phase == "holding" {
			stop()
		}
	}
	r, err := loadgen.Hold{Common: c, N: 10, For: time.Hour}.Run(t.Context())
	require.NoError(t, err)
	require.Equal(t, "the server is gone", r.Ended)
	require.Equal(t, 10.0, value(t, r, "connections_lost"))
	require.Equal(t, 10.0, value(t, r, "opened"))
}

// TestNonsense: what cannot be done is refused before anything is opened.
func TestNonsense(t *testing.T) {
	c := loadgen.Common{URLs: []string{"ws://127.0.0.1:9/"}}
	nan := math.NaN()
	for label, run := range map[string]func(context.Context) (*report.Report, error){
		"hold, fewer than none":     loadgen.Hold{Common: c, N: -1}.Run,
		"hold, no rate":             loadgen.Hold{Common: c, N: 1, Rate: nan}.Run,
		"hold, rate below 0":        loadgen.Hold{Common: c, N: 1, Rate: -1}.Run,
		"no URL":                    loadgen.Hold{N: 1}.Run,
		"pending below 0":           loadgen.Hold{Common: loadgen.Common{URLs: c.URLs, Pending: -1}, N: 1}.Run,
		"fanout to nobody":          loadgen.Fanout{Common: c, Rate: 1}.Run,
		"fanout of nothing":         loadgen.Fanout{Common: c, N: 1}.Run,
		"fanout, no rate":           loadgen.Fanout{Common: c, N: 1, Rate: nan}.Run,
		"fanout, too fast":          loadgen.Fanout{Common: c, N: 1, Rate: 1e9}.Run,
		"payload without a marker":  loadgen.Fanout{Common: loadgen.Common{URLs: c.URLs, Publishing: loadgen.Publishing{Bytes: 10}}, N: 1, Rate: 1}.Run,
		"ticker, a portfolio of -1": loadgen.Ticker{Fanout: loadgen.Fanout{Common: c, N: 1, Rate: 1}, Each: -1}.Run,
		"ticker, no skew":           loadgen.Ticker{Fanout: loadgen.Fanout{Common: c, N: 1, Rate: 1}, Skew: nan}.Run,
		"churn, no rate":            loadgen.Churn{Common: c}.Run,
		"storm of nobody":           loadgen.Storm{Common: c}.Run,
		"slow, more than all":       loadgen.Slow{Fanout: loadgen.Fanout{Common: c, N: 1, Rate: 1}, Stop: 0.6, Crawl: 0.6}.Run,
		"slow, no share":            loadgen.Slow{Fanout: loadgen.Fanout{Common: c, N: 1, Rate: 1}, Stop: nan}.Run,
	} {
		_, err := run(t.Context())
		require.ErrorContains(t, err, "expected", label)
	}
}
