package conn

import (
	"net/netip"
	"runtime/debug"

	"github.com/gobwas/ws"
	"golang.org/x/sys/unix"

	"github.com/pushd/pushd/internal/sys"
)

const (
	scratchSize = 32 << 10 // what one read(2) takes
	readBudget  = 64 << 10 // what one connection may have read before the next one's turn
)

// scratch is what a worker needs while it works, and a connection does not.
type scratch struct {
	buf   [scratchSize]byte
	in    input // for connections that have none of their own
	req   Request
	batch [readyBatch]*Conn
	said  meter // by the connection that is served
}

// workLoop takes connections from the ready list until it is empty. It runs on
// a worker.
func (s *Shard) workLoop() {
	w := s.engine.scratches.get()
	defer s.engine.scratches.put(w)
	for {
		n := s.ready.take(s, w.batch[:])
		if n == 0 {
			return
		}
		for i, c := range w.batch[:n] {
			s.serve(w, c)
			w.batch[i] = nil
		}
	}
}

// serve reads what c has to say and leaves it, as its last act, to the shard or
// to the next edge.
func (s *Shard) serve(w *scratch, c *Conn) {
	p := s.engine.posts.get()
	again := s.serveSafely(w, c, p)
	set, clear := s.hold(w, c, p, again)
	if again {
		set |= edge
	}
	if p.empty() {
		s.engine.putPost(p)
	} else {
		c.post = p
		set |= posted | linked
	}
	s.mine(c, set, scheduled|clear)
}

// serveSafely is read, but a panic in a callback costs its connection only.
func (s *Shard) serveSafely(w *scratch, c *Conn, p *Post) (again bool) {
	defer func() {
		if v := recover(); v != nil {
			s.engine.stats.Panics.Add(1)
			s.engine.log.Error("panic in a connection's callback", "connection", s.Handle(c).String(), "panic", v, "stack", string(debug.Stack()))
			in := c.in
			if in == nil {
				in = &w.in
			}
			p.reset()
			s.fail(in, p, ws.StatusInternalServerError, "internal error")
			if !word(c.word.Load()).has(open) {
				p.Refuse(refuseInternal)
			}
			s.store(w, c, in)
			again = true // what has come since is read, if only to be discarded
		}
	}()
	w.said = meter{}
	since := c.lastRead.Load()
	again = s.read(w, c, p)
	s.charge(w, c, p, since)
	return again
}

// read parses what is left from before and then what the socket has, until it
// has no more, the post is full, or the budget is used. It reports whether c
// wants another turn.
func (s *Shard) read(w *scratch, c *Conn, p *Post) (again bool) {
	before := word(c.word.And(^uint64(edge | hup))) // S4: before the read, so that an edge during it is kept
	toEnd := before.any(rdhup | hup)
	discard := before.has(paused | hup) // a hang-up, and our output will not leave: nothing that it said matters any more
	discard = discard || c.in != nil && c.in.deaf
	if c.in != nil && !discard {
		if s.parse(w, c, p, before); p.full() {
			return true
		}
	}
	for budget := readBudget; ; {
		n, err := sys.Read(int(c.fd), w.buf[:])
		switch {
		case err == unix.EINTR:
			continue
		case err == unix.EAGAIN:
			return false
		case err != nil || n == 0:
			p.gone = true
			return false
		}
		c.lastRead.Store(s.tick.Load())
		s.stats.BytesRead.Add(uint64(n))
		w.said.bytes += n
		if !discard {
			in := c.in
			if in == nil {
				in = &w.in
			}
			in.take(s.engine.cfg.Buffers, w.buf[:n])
			s.parse(w, c, p, before)
		}
		more := n == len(w.buf) || toEnd
		if p.full() {
			return more || c.in != nil
		}
		if !more {
			return false
		}
		if budget -= n; budget <= 0 {
			if before.has(hup) {
				s.mine(c, hup, 0)
			}
			return true
		}
	}
}

// parse uses what can be used of c's input, or of the scratch where c has none,
// and keeps the rest.
func (s *Shard) parse(w *scratch, c *Conn, p *Post, state word) {
	in := c.in
	if in == nil {
		in = &w.in
	}
	switch {
	case state.has(open):
		s.frames(w, c, in, p, state)
	case state.has(ended):
		in.at = len(in.buf) // the rest of a request that was refused
	default:
		s.request(w, c, in, p)
	}
	s.store(w, c, in)
}

// store keeps what in, c's input or the scratch, holds that is not used yet.
func (s *Shard) store(w *scratch, c *Conn, in *input) {
	buffers := s.engine.cfg.Buffers
	switch {
	case in.idle():
		if in == c.in {
			s.dropInput(c)
		} else {
			w.in = input{}
		}
	case in == &w.in: // it wants to stay: it gets a place of its own
		c.in = s.engine.inputs.get()
		*c.in = *in
		c.in.keep(buffers)
		w.in = input{}
	default:
		in.keep(buffers)
	}
}

// request parses a request head and asks the handler what to do with it.
func (s *Shard) request(w *scratch, c *Conn, in *input, p *Post) {
	before, from, refusal := s.engine.cfg.Preface(c, in.rest())
	if before < 0 && refusal == nil {
		return
	}
	n := 0
	if refusal == nil {
		var err error
		if n, err = in.head.Parse(in.rest()[before:]); err != nil {
			refusal = err.(*Refusal)
		}
	}
	if refusal != nil {
		s.engine.cfg.Handler.Refused(refusal)
		p.Refuse(refusal)
		in.at = len(in.buf)
		return
	}
	if n == 0 {
		return
	}
	rest := in.rest()[before:]
	w.req = Request{Head: &in.head, Bytes: rest[:n], Handle: s.Handle(c), From: from, rest: rest}
	s.engine.cfg.Handler.Request(c, &w.req, p)
	w.req = Request{}
	in.at += before + n
	in.head.Reset()
}

// Request is a request head that has come whole.
type Request struct {
	*Head
	Bytes  []byte     // the head, for Head's methods; valid during the call
	Handle Handle     // the connection's
	From   netip.Addr // whom the preface said it is from; the zero Addr without one
	rest   []byte
}

// HandOff gives the connection away: its descriptor, with the bytes read so far,
// goes to Owner.HandOff.
func (p *Post) HandOff(r *Request) { p.handOff = append([]byte(nil), r.rest...) }
