package conn

import (
	"time"

	"github.com/gobwas/ws"
)

const (
	// leaveStep is how often a shard is told how many of its connections are to
	// have been ended by now.
	leaveStep = 20 * time.Millisecond
	// endSlots is how many slots are looked at in one go, between which the
	// shard has time for other things.
	endSlots = 256
)

// leave ends the open connections evenly over Config.LeaveOver. It returns when
// that is over, when none is left, or when the engine is in a hurry. Those that
// leave by themselves meanwhile make it shorter, and nobody's turn later.
func (e *Engine) leave() {
	began, step := time.Now(), time.NewTicker(leaveStep)
	defer step.Stop()
	leavers := make([]*leaver, len(e.shards))
	for i, s := range e.shards {
		leavers[i] = &leaver{Shard: s, total: s.Live()}
	}
	for e.live.Load() > 0 {
		part := float64(time.Since(began)) / float64(e.cfg.LeaveOver)
		if part >= 1 {
			return
		}
		for _, l := range leavers {
			n := int(part * float64(l.total))
			l.Do(func() { l.upTo(n) })
		}
		select {
		case <-step.C:
		case <-e.hurry:
			return
		}
	}
}

// leaver ends the open connections of a shard. What it has is for the shard's
// goroutine.
type leaver struct {
	*Shard
	total int    // connections when the leaving began
	ended int    // of them, so far
	next  uint32 // the slot to go on with
}

// upTo goes on until n connections have been ended. Who has not done the
// handshake is the Handler's to refuse.
func (l *leaver) upTo(n int) {
	to := min(l.next+endSlots, l.table.used.Load())
	for ; l.ended < n && l.next < to; l.next++ {
		c := l.table.at(l.next)
		if w := word(c.word.Load()); w.has(live|open) && !w.any(ended|done) {
			l.farewell(c)
			l.ended++
		}
	}
	if l.ended < n && l.next < l.table.used.Load() {
		l.Do(func() { l.upTo(n) })
	}
}

// farewell ends c because the engine ends.
func (s *Shard) farewell(c *Conn) {
	code, reason := s.engine.cfg.Farewell()
	s.End(c, code, reason)
}

// shutDown ends every connection and waits until all are gone.
func (e *Engine) shutDown() {
	e.endAll((*Shard).farewell)
	wait := time.NewTicker(10 * time.Millisecond)
	defer wait.Stop()
	hurry := e.hurry
	for deadline := time.Now().Add(e.cfg.CloseTimeout + time.Second); e.live.Load() > 0; {
		select {
		case <-hurry:
			hurry = nil
			e.endAll((*Shard).release) // close(2) still sends what the kernel has: the close frame
			continue
		case <-wait.C:
		}
		if now := time.Now(); now.After(deadline) {
			deadline = now.Add(time.Second)
			e.endAll((*Shard).reset)
		}
	}
}

// endAll has each shard call end for each of its live connections.
func (e *Engine) endAll(end func(*Shard, *Conn)) {
	for _, s := range e.shards {
		s.endFrom(0, end)
	}
}

func (s *Shard) endFrom(from uint32, end func(*Shard, *Conn)) {
	s.Do(func() {
		to := min(from+endSlots, s.table.used.Load())
		for slot := from; slot < to; slot++ {
			if c := s.table.at(slot); word(c.word.Load()).has(live) {
				end(s, c)
			}
		}
		if to < s.table.used.Load() {
			s.endFrom(to, end)
		}
	})
}

// goingAway is the farewell of those who have no other.
func goingAway() (ws.StatusCode, string) { return ws.StatusGoingAway, "server shuts down" }
