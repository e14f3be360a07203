package server

import (
	"math/rand/v2"
	"time"

	"github.com/gobwas/ws"
	"golang.org/x/time/rate"

	"github.com/pushd/pushd/conn"
	"github.com/pushd/pushd/internal/dialect"
)

const (
	// crowdedRetry is when somebody for whom there was no place may come back.
	crowdedRetry = 5 * time.Second
	// rushSpread is the time over which those come back who came too many at
	// once.
	rushSpread = 10 * time.Second
	// fastRetry is when somebody who said too much in a second may come back, at the earliest.
	fastRetry = 5 * time.Second
)

// tooFast is what those are told who say too much in a second.
func tooFast() (ws.StatusCode, string) {
	return dialect.CloseRateLimited, dialect.RetryReason(jitter(fastRetry))
}

// newAdmission lets so many a second in, 0 for any number; of those that come in
// one moment a tenth of that.
func newAdmission(perSecond int) *rate.Limiter {
	if perSecond == 0 {
		return rate.NewLimiter(rate.Inf, 0)
	}
	return rate.NewLimiter(rate.Limit(perSecond), max(1, perSecond/10))
}

// crowded closes somebody whose messages, not whole yet, there is no room for.
func crowded() (ws.StatusCode, string) {
	return dialect.CloseTryAgainLater, dialect.RetryReason(rand.N(rushSpread))
}

// noPlace returns the refusal of somebody for whom there is no place now, or nil.
// It is asked before anything is done for a request that costs much.
func (s *Server) noPlace(c *conn.Conn) *conn.Refusal {
	limited := tooManyFromThere(c)
	x, banned := s.banned(c, nil) // by its address; whose it is nobody knows yet
	switch {
	case banned:
		return refusalOf(x.refusal())
	case s.leaving.at(closing):
		return s.leaving.refusal()
	case limited != nil:
		return limited
	case c.OverLimit():
		return later(dialect.CodeOverloaded, "the server has as many connections as it may", crowdedRetry)
	case s.memory.full.Load():
		return later(dialect.CodeOverloaded, "the server has no memory for more connections", crowdedRetry)
	}
	return nil
}

// rush returns the refusal of one who comes when too many do, or nil. A request
// that is not good is refused anyway, and not asked about.
func (s *Server) rush() *conn.Refusal {
	if s.admission.Allow() {
		return nil
	}
	return later(dialect.CodeOverloaded, "too many come at once", rand.N(rushSpread))
}
