package conn

import (
	"math"
	"time"

	"github.com/gobwas/ws"
)

const (
	// tickLength is what deadlines are counted in.
	tickLength = 100 * time.Millisecond

	// lingerTimeout is how long a peer that has our last word has to close: of a
	// refused request, and after both close frames.
	lingerTimeout = 2 * time.Second
)

func (e *Engine) tickAt(t time.Time) uint32 { return uint32(t.Sub(e.began)/tickLength) + 1 }

// ticks rounds d up.
func ticks(d time.Duration) uint32 { return uint32((d + tickLength - 1) / tickLength) }

// setDue has c looked at after d, or never if d is 0.
func (s *Shard) setDue(c *Conn, d time.Duration) {
	due := uint32(0)
	if d > 0 {
		due = s.tick.Load() + max(1, ticks(d))
	}
	s.table.due(c.slot).Store(due)
}

// sweep walks over the times at which something is due, a part of the table at
// a time. It reports whether it has to go on.
func (s *Shard) sweep(until time.Time) (more bool) {
	if !s.sweeping {
		return false
	}
	now, used := s.tick.Load(), s.table.used.Load()
	for s.swept < used {
		chunk := s.table.chunks[s.swept/chunkSlots].Load()
		for i := s.swept % chunkSlots; i < chunkSlots; i++ {
			if due := chunk.due[i].Load(); due == 0 || due > now {
				continue
			}
			s.overdue(&chunk.conns[i])
			if !time.Now().Before(until) {
				s.swept += i + 1 - s.swept%chunkSlots
				return true
			}
		}
		s.swept += chunkSlots - s.swept%chunkSlots
	}
	s.swept, s.sweeping = 0, false
	return false
}

// overdue does what c's time has come for.
func (s *Shard) overdue(c *Conn) {
	w := word(c.word.Load())
	switch {
	case !w.has(live): // the acceptor is about to arm it
	case w.has(done): // it waits for a worker
	case w.has(ended):
		s.reset(c)
	case !w.has(open):
		refusal := &Refusal{Status: 408, Code: "timeout", Message: "the request head was not complete within " + s.engine.cfg.HandshakeTimeout.String()}
		s.engine.cfg.Handler.Refused(refusal)
		s.Send(c, refusal.Append(nil))
		s.end(c, ws.StatusAbnormalClosure)
		s.settle(c)
	default:
		s.keepAlive(c, w)
	}
}

// firstDue returns when a connection that has just opened is looked at.
func (s *Shard) firstDue(c *Conn) time.Duration {
	first := s.engine.cfg.PingInterval
	if idle := s.engine.cfg.IdleTimeout; first == 0 || idle > 0 && idle/2 < first {
		first = idle / 2
	}
	return first
}

// keepAlive pings a connection that nothing was written to for the interval, and
// closes one that nothing was read from for the idle limit. What nobody answers
// is the kernel's to find (TCP_USER_TIMEOUT).
func (s *Shard) keepAlive(c *Conn, w word) {
	now, next, read := s.tick.Load(), uint32(math.MaxUint32), c.lastRead.Load()
	idle, interval := ticks(s.engine.cfg.IdleTimeout), ticks(s.engine.cfg.PingInterval)
	if idle > 0 {
		if next = read + idle; next <= now {
			s.End(c, ws.StatusGoingAway, "idle")
			return
		}
	}
	if interval > 0 {
		// What is written to everybody at once must not be followed by a ping to
		// everybody at once: up to an eighth later, by the slot.
		spread := uint32(uint64(c.slot*2654435761>>16) * uint64(interval/8) >> 16)
		due := c.lastWrite + interval + spread
		if idle > 0 { // who is written to all the time would not be pinged, and not have to answer
			due = min(due, read+idle/2)
		}
		if due <= now {
			if !w.has(blocked) {
				s.Send(c, s.engine.cfg.Ping(c))
				s.stats.Pings.Add(1)
			}
			due = now + interval + spread
		}
		next = min(next, due)
	}
	s.table.due(c.slot).Store(next)
	if word(c.word.Load()).any(partial | scheduled) { // S10: a worker knows when input is late, and may have lowered what was just stored
		s.mine(c, edge, 0)
	}
}

// lowerDue has c, which the calling worker has scheduled, looked at no later than
// at a tick, unless its close has begun: then it has another time.
func (s *Shard) lowerDue(c *Conn, tick uint32) {
	due := s.table.due(c.slot)
	for {
		old := due.Load() // before the word: the close sets ended first, and then due
		if word(c.word.Load()).any(ended|done) || old != 0 && old <= tick || due.CompareAndSwap(old, tick) {
			return
		}
	}
}
