package conn

import (
	"github.com/gobwas/ws"
	"golang.org/x/sys/unix"

	"github.com/pushd/pushd/internal/sys"
)

// output is a connection's own output: the frame under way, control frames,
// answers. Messages that have not been begun are not in it. A connection that
// has some is blocked.
type output struct {
	buf []byte // pooled
	at  int    // what lies before has left
}

// maxOutput is how much own output a connection may have before it is no longer
// read, so that whoever does not listen need not be listened to.
const maxOutput = 16 << 10

// Outcome says how a write ended.
type Outcome uint8

const (
	Sent    Outcome = iota // all of it was taken
	Blocked                // only part: Owner.Writable tells when there is room
	Ended                  // the connection is closing or gone
)

// Write writes a and then b to the connection in a slot, if nothing of its own
// is waiting, and returns how many bytes were taken. It keeps neither. After a
// short write the caller goes on by Keep, or after Owner.Writable.
func (s *Shard) Write(slot uint32, a, b []byte) (n int, o Outcome) {
	c := s.table.at(slot)
	if w := word(c.word.Load()); w.any(blocked|ended|done) || c.flags&ending != 0 {
		if w.any(ended|done) || c.flags&ending != 0 {
			return 0, Ended
		}
		return 0, Blocked
	}
	n, o = s.write(c, a)
	if o == Sent && len(b) > 0 {
		var m int
		m, o = s.write(c, b)
		n += m
	}
	return n, o
}

// write writes b as far as the socket takes it; where it does not take all, c is
// blocked (rule S4).
func (s *Shard) write(c *Conn, b []byte) (n int, o Outcome) {
	for cleared := false; ; {
		m, err := sys.Write(int(c.fd), b[n:])
		if m > 0 {
			n += m
			s.stats.BytesWritten.Add(uint64(m))
			c.lastWrite = s.tick.Load()
		}
		switch {
		case n == len(b):
			return n, Sent
		case err == nil || err == unix.EINTR:
			continue
		case err != unix.EAGAIN:
			s.failed(c)
			return n, Ended
		case cleared && s.block(c):
			return n, Blocked
		}
		// The socket is full. An edge before this moment meant an earlier state
		// of it; one after it will be found by block, or will find us blocked.
		s.mine(c, 0, writable)
		cleared = true
		if c.flags&armed == 0 { // most never come here, and would be woken for nothing
			c.flags |= armed
			if s.poller.AddWrite(int(c.fd), uint64(s.Handle(c))) != nil {
				s.failed(c)
				return n, Ended
			}
		}
	}
}

// block sets blocked unless the socket has become writable meanwhile.
func (s *Shard) block(c *Conn) bool {
	for {
		old := word(c.word.Load())
		if old.has(writable) {
			return false
		}
		if c.word.CompareAndSwap(uint64(old), uint64(old|blocked)) {
			return true
		}
	}
}

// Keep takes a copy of the rest of a frame that Write stopped in, to be written
// before anything else.
func (s *Shard) Keep(slot uint32, rest []byte) { s.queue(s.table.at(slot), rest) }

// queue appends to c's own output. c is blocked. Where all output together is at
// its limit there is no room to say anything, and c is cut off.
func (s *Shard) queue(c *Conn, b []byte) {
	if c.flags&cut != 0 {
		return
	}
	if s.engine.stats.QueuedBytes.Add(int64(len(b))) > s.engine.cfg.MaxQueued {
		s.engine.stats.QueuedBytes.Add(int64(-len(b)))
		s.engine.stats.Cut.Add(1)
		c.flags |= cut
		s.failed(c)
		return
	}
	if c.out == nil {
		c.out = s.engine.outputs.get()
	}
	if c.out.at > 0 { // or who takes a little now and then would have us keep all that it ever took
		c.out.buf = c.out.buf[:copy(c.out.buf, c.out.buf[c.out.at:])]
		c.out.at = 0
	}
	c.out.buf = grow(s.engine.cfg.Buffers, c.out.buf, b)
	if len(c.out.buf)-c.out.at > maxOutput {
		s.mine(c, paused, 0)
	}
}

// Full reports whether c has more output of its own than it may: what it has not
// asked for should not be added.
func (s *Shard) Full(c *Conn) bool { return word(c.word.Load()).has(paused) }

// Send writes b, or queues what the socket does not take now. It keeps nothing
// of b.
func (s *Shard) Send(c *Conn, b []byte) {
	w := word(c.word.Load())
	if w.has(done) {
		return
	}
	n := 0
	if !w.has(blocked) {
		var o Outcome
		if n, o = s.write(c, b); o != Blocked {
			return
		}
	}
	s.queue(c, b[n:])
}

// resume goes on with c, which was blocked and is writable, and whose bits for
// that were cleared by whoever calls: own output first, then the owner's.
func (s *Shard) resume(c *Conn) {
	if c.flags&cut != 0 { // what it was sent breaks off: its end comes before anything else
		s.end(c, ws.StatusAbnormalClosure)
		s.release(c)
		return
	}
	if c.out != nil {
		n, o := s.write(c, c.out.buf[c.out.at:])
		c.out.at += n
		s.engine.stats.QueuedBytes.Add(int64(-n))
		if o != Sent {
			return
		}
		s.dropOutput(c)
	}
	w := s.mine(c, 0, paused)
	if w.has(ended) {
		s.settle(c)
	} else {
		s.owner.Writable(c)
	}
}

func (s *Shard) dropOutput(c *Conn) {
	if c.out == nil {
		return
	}
	s.engine.stats.QueuedBytes.Add(int64(c.out.at - len(c.out.buf)))
	s.engine.cfg.Buffers.Put(c.out.buf)
	*c.out = output{}
	s.engine.outputs.put(c.out)
	c.out = nil
}
