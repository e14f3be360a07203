package conn

import (
	"unsafe"

	"github.com/gobwas/ws"
)

// inputSize is what input takes beside its buffers.
const inputSize = int(unsafe.Sizeof(input{}))

// hold is the last look of a worker at what c keeps of its input: whether there
// is room for it, and whether what has begun is late. again says that more of it
// may have come already. It returns the bits to set and clear in the word.
func (s *Shard) hold(w *scratch, c *Conn, p *Post, again bool) (set, clear word) {
	in := c.in
	if in == nil {
		return 0, partial
	}
	state := word(c.word.Load())
	if grown, total := s.count(in); grown && total > s.engine.cfg.MaxPartial && !in.deaf {
		s.engine.stats.Crowded.Add(1)
		s.crowdOut(in, p, state)
		s.store(w, c, in)
		if c.in != nil {
			s.count(c.in)
		}
		return 0, partial
	}
	if in.deaf || p.full() || !state.has(open) || state.has(ended) { // the close and the handshake have their own time
		return 0, partial
	}
	now, limit := s.tick.Load(), ticks(s.engine.cfg.MessageTimeout)
	if in.since == 0 {
		in.since = now
	}
	if now-in.since >= limit && !again {
		s.engine.stats.Late.Add(1)
		s.fail(in, p, ws.StatusPolicyViolation, "message not complete within "+s.engine.cfg.MessageTimeout.String())
		s.store(w, c, in)
		s.count(in)
		return 0, partial
	}
	s.lowerDue(c, in.since+limit)
	return partial, 0
}

// count brings PartialBytes up to date with what in holds.
func (s *Shard) count(in *input) (grown bool, total int64) {
	held := inputSize + cap(in.buf) + cap(in.message)
	grown = held > in.counted
	total = s.engine.stats.PartialBytes.Add(int64(held - in.counted))
	in.counted = held
	return grown, total
}

// crowdOut ends a connection for whose input there is no room.
func (s *Shard) crowdOut(in *input, p *Post, state word) {
	switch {
	case state.has(open) || p.open:
		code, reason := s.engine.cfg.Crowded()
		s.fail(in, p, code, reason)
	case !p.answered && p.handOff == nil:
		s.engine.cfg.Handler.Refused(refuseCrowded)
		p.Refuse(refuseCrowded)
		in.at = len(in.buf)
		in.head.Reset()
	}
}

// crowded is what those are told who are closed for want of room, where nobody
// else says it.
func crowded() (ws.StatusCode, string) { return 1013, "no room for partial input" }

var refuseCrowded = &Refusal{Status: 503, Code: "overloaded", Message: "the server holds as many bytes of requests and messages that are not whole as it may; expected to come back later", RetryAfter: 5}
