package demo

import (
	"context"
	"time"
)

// A pacer waits from event to event without drift: lateness of one wait is taken off the next, up to a limit, beyond
// which (the host slept) it goes on from now rather than rush through what was missed.
type pacer struct {
	due   time.Time
	limit time.Duration
	timer *time.Timer
}

func newPacer(limit time.Duration) *pacer {
	return &pacer{due: time.Now(), limit: limit}
}

// wait returns d after the event before, and whether ctx is still alive.
func (p *pacer) wait(ctx context.Context, d time.Duration) bool {
	p.due = p.due.Add(d)
	left := time.Until(p.due)
	if left < -p.limit {
		p.due = time.Now()
	}
	if left <= 0 {
		return ctx.Err() == nil
	}
	if p.timer == nil {
		p.timer = time.NewTimer(left)
	} else {
		p.timer.Reset(left)
	}
	select {
	case <-p.timer.C:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}

func (p *pacer) stop() {
	if p.timer != nil {
		p.timer.Stop()
	}
}
