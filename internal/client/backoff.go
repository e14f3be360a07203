package client

import (
	"math/rand/v2"
	"time"
)

const (
	firstBackoff  = 200 * time.Millisecond // the longest first wait
	lastBackoff   = 30 * time.Second       // what the waits grow to
	maxRetryAfter = time.Hour              // a server that asks for more is not believed
	stableAfter   = 5 * time.Second        // a connection that lasted this long starts the waits anew
)

// backoff gives the waits between attempts: exponential with full jitter, so
// that the clients of a server that went away do not all return at once.
type backoff struct {
	attempt int
	random  func() float64 // [0, 1); nil means math/rand
}

// next is the wait before the coming attempt. A server that said when to come
// back (asked > 0) is not tried sooner; the jitter is on top.
func (b *backoff) next(asked time.Duration) time.Duration {
	random := b.random
	if random == nil {
		random = rand.Float64
	}
	ceiling := min(firstBackoff<<min(b.attempt, 16), lastBackoff)
	b.attempt++
	return min(asked, maxRetryAfter) + time.Duration(random()*float64(ceiling))
}

func (b *backoff) reset() { b.attempt = 0 }
