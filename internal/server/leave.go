package server

import (
	"context"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gobwas/ws"

	"github.com/pushd/pushd/conn"
	"github.com/pushd/pushd/internal/dialect"
)

// leaving is how far a server has come on its way out.
type leaving struct {
	stage  atomic.Int32
	spread atomic.Int64 // nanoseconds over which those who are closed come back

	hurry     chan struct{} // closed: there is no time
	hurryOnce sync.Once
}

const (
	draining = 1 + iota // not ready: balancers are to send nobody any more
	closing             // newcomers are refused, connections are closed
	left                // the last has gone
)

// at reports whether the server has come to a stage.
func (l *leaving) at(stage int32) bool { return l.stage.Load() >= stage }

func (l *leaving) reach(stage int32) { l.stage.Store(stage) }

// leave waits until ctx ends. Then the server is not ready, and after DrainDelay
// the public door is closed, whereupon the engine closes the connections. After
// a failure of one of its parts there is no time for that.
func (s *Server) leave(ctx, failed context.Context, closeDoor func()) {
	defer closeDoor()
	select {
	case <-ctx.Done():
	case <-failed.Done():
		s.Hurry()
		return
	}
	log := s.cfg.Logger
	s.leaving.reach(draining)
	log.Info("draining", "connections", s.engine.Live(), "delay", s.cfg.DrainDelay, "over", s.cfg.DrainOver)
	delay := time.NewTimer(s.cfg.DrainDelay)
	defer delay.Stop()
	select {
	case <-delay.C:
	case <-s.leaving.hurry:
	case <-failed.Done():
		s.Hurry()
	}
	s.leaving.spread.Store(int64(spread(s.cfg.DrainOver, s.engine.Live())))
	s.leaving.reach(closing)
	log.Info("closing", "connections", s.engine.Live())
}

// Hurry has Run, once its context has ended, close every connection at once and
// wait for nobody. Any goroutine may call it, and more than once.
func (s *Server) Hurry() {
	s.leaving.hurryOnce.Do(func() { close(s.leaving.hurry) })
	s.engine.Hurry()
}

// spread is the time over which n connections, closed evenly over some time,
// come back. Where closes are even over D and what follows each over R, returns
// rise, stay and fall within D+R, and the most in a moment are 1/max(D,R) of all:
// (D+R)/max(D,R) times the mean, which is 2 where R is D, and 5/4 where it is a
// quarter. Where all are closed at once R is long enough for a thousand a second.
func spread(over time.Duration, n int) time.Duration {
	if over > 0 {
		return over / 4
	}
	return min(max(time.Duration(n)*time.Millisecond, time.Second), time.Minute)
}

// retry is when the next of those who are closed is to come back.
func (l *leaving) retry() time.Duration {
	return time.Duration(rand.Int64N(max(1, l.spread.Load())))
}

// farewell is what a connection is closed with.
func (s *Server) farewell() (ws.StatusCode, string) {
	return dialect.CloseRestart, dialect.RetryReason(s.leaving.retry())
}

// refusal is the answer to those who connected just before the door closed.
func (l *leaving) refusal() *conn.Refusal {
	return later(dialect.CodeDraining, "the server is going away", l.retry())
}

// later refuses those who may come back after a time.
func later(code, message string, retry time.Duration) *conn.Refusal {
	seconds := int((retry + time.Second - 1) / time.Second)
	return &conn.Refusal{Status: dialect.HTTPStatus(code), Code: code, Message: message, RetryAfter: max(1, seconds)}
}

// closeOfLater is later's refusal as a close frame, which can say it by the
// millisecond: at some moment in the last of the seconds.
func closeOfLater(r *conn.Refusal) (ws.StatusCode, string) {
	code := dialect.CloseTryAgainLater
	switch r.Code {
	case dialect.CodeDraining:
		code = dialect.CloseRestart
	case dialect.CodeRateLimited:
		code = dialect.CloseRateLimited
	}
	return code, dialect.RetryReason(time.Duration(r.RetryAfter)*time.Second - rand.N(time.Second))
}
