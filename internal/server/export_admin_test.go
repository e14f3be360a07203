package server

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/pushd/pushd/broadcast"
	"github.com/pushd/pushd/pool"
)

// MaxAdminConns is how many connections the admin door takes.
const MaxAdminConns = maxAdminConns

// VisitSlots is how many slots a listing looks at in one go.
const VisitSlots = visitSlots

// Collector returns what collects s's metrics.
func Collector(s *Server) prometheus.Collector { return collector{s} }

// AdminServer returns the admin door's server, which waits for a body as long as
// patience.
func AdminServer(s *Server, patience time.Duration) *http.Server {
	h := s.adminServer()
	h.Handler.(*guard).patience = patience
	return h
}

// MetricsServer returns the server for scrapers, as if it listened at address.
func MetricsServer(s *Server, address net.Addr) *http.Server {
	h := s.metricsServer()
	h.Handler.(*guard).onlyLocal = isLoopback(address)
	return h
}

// MetricsAddr returns where s listens for scrapers.
func MetricsAddr(s *Server) net.Addr { return s.metrics.Addr() }

// Leave makes s as it is when its connections have gone, until the result is
// called.
func Leave(s *Server) (undo func()) {
	s.leaving.reach(left)
	return func() { s.leaving.stage.Store(0) }
}

// Stall keeps the goroutine of every shard busy until the result is called.
func Stall(s *Server) (release func()) {
	stalled := make(chan struct{})
	for _, o := range s.owners {
		begun := make(chan struct{})
		o.shard.Do(func() { close(begun); <-stalled })
		<-begun
	}
	return func() { close(stalled) }
}

// Lines publishes the lines of body and returns the report. Then s forgets its
// topics, if its resume window allows that.
func Lines(s *Server, body io.Reader) string {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	p := linePublisher{Server: s, batch: s.hub.Batch(), ctx: ctx, once: ctx, report: report{Errors: []lineError{}}}
	if err := p.run(body, func() error { return nil }); err != nil {
		p.report.Code, p.report.Message = err.Code, err.Message
	}
	s.hub.Sweep()
	text, err := json.Marshal(p.report)
	if err != nil {
		panic(err)
	}
	return string(text)
}

// LineReader cuts r into lines of at most limit bytes.
func LineReader(r io.Reader, limit int, wait func() error) (next func() ([]byte, bool, error), done func()) {
	l := newLineReader(r, limit, pool.NewBuffers(pool.BuffersConfig{}), wait)
	return l.next, l.close
}

// IsLocal reports whether a Host names this machine by loopback.
func IsLocal(host string) bool { return isLocal(host) }

// Visit has the first shard do nothing.
func Visit(ctx context.Context, s *Server) error { return visit(ctx, s.owners[0].shard, func() {}) }

// Fill publishes to n topics.
func Fill(s *Server, n int) {
	for i := range n {
		if _, err := s.hub.TryPublish("topic."+itoa(i), broadcast.Message{Payload: []byte("x")}); err != nil {
			panic(err)
		}
	}
}
