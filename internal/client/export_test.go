package client

import (
	"context"
	"time"
)

// Retry replaces the waiting and the dice of a Subscriber.
func (c *Config) Retry(sleep func(context.Context, time.Duration) error, random func() float64) {
	c.sleep, c.random = sleep, random
}

// Clock replaces the clock of a Publisher.
func (c *PublisherConfig) Clock(now func() time.Time, sleep func(context.Context, time.Duration) error) {
	c.now, c.sleep = now, sleep
}

var (
	AdminTarget  = adminTarget
	FirstBackoff = firstBackoff
	LastBackoff  = lastBackoff
)

// Backoff returns the waits of n attempts with the given dice.
func Backoff(n int, asked time.Duration, random func() float64) (waits []time.Duration) {
	b := backoff{random: random}
	for range n {
		waits = append(waits, b.next(asked))
	}
	return waits
}
