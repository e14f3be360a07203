package conn

import (
	"sync"
	"time"

	"github.com/gobwas/ws"
)

// meters count what the connections of a shard have said in a second, of those only that speak more than once in one: the others,
// which are nearly all, take no place.
type meters struct {
	mu     sync.Mutex
	second uint32
	of     map[Handle]meter
}

type meter struct{ messages, bytes int }

const (
	second = uint32(time.Second / tickLength) // in ticks

	keptMeters = 1024 // a map that had more is not used again: Go's keep the room that they once had
)

// add counts m for h in the second that tick lies in, and returns what h has said in it.
func (a *meters) add(h Handle, tick uint32, m meter) meter {
	a.mu.Lock()
	defer a.mu.Unlock()
	if now := tick / second; a.of == nil || a.second != now {
		if a.second = now; a.of == nil || len(a.of) > keptMeters {
			a.of = make(map[Handle]meter)
		} else {
			clear(a.of)
		}
	}
	sum := a.of[h]
	sum.messages += m.messages
	sum.bytes += m.bytes
	a.of[h] = sum
	return sum
}

// charge has c answer for what w has just read of it, which came last at the tick since, and ends what was too fast. What is read at
// once is judged once, so a second may be exceeded by one read; and who has said nothing for a second is not counted for it.
func (s *Shard) charge(w *scratch, c *Conn, p *Post, since uint32) {
	said, cfg, state := w.said, &s.engine.cfg, word(c.word.Load())
	if cfg.MaxMessageRate < 0 && cfg.MaxByteRate < 0 || said == (meter{}) || !state.has(open) || state.has(ended) || p.end != 0 || p.gone {
		return
	}
	if now := s.tick.Load(); now-since < second {
		said = s.meters.add(s.Handle(c), now, said)
	}
	switch {
	case cfg.MaxMessageRate >= 0 && said.messages > cfg.MaxMessageRate:
		s.engine.stats.TooManyMessages.Add(1)
	case cfg.MaxByteRate >= 0 && said.bytes > cfg.MaxByteRate:
		s.engine.stats.TooManyBytes.Add(1)
	default:
		return
	}
	p.End(cfg.TooFast())
}

// tooFast is what those are told who are told nothing else.
func tooFast() (ws.StatusCode, string) { return ws.StatusPolicyViolation, "too much in one second" }
