package conn

import (
	"github.com/gobwas/ws"

	"github.com/pushd/pushd/pool"
)

// input is what has been read of a connection and could not be used yet: part of
// a request head, of a header or of a control frame, and a message that is not
// whole. A connection that sleeps has none.
type input struct {
	buf  []byte // pooled, or lent
	at   int    // what lies before is used
	lent bool   // buf is the worker's scratch, for this read only
	head Head

	message    []byte   // pooled: what has come of it
	text       textTail // what of message may still become a character
	opcode     ws.OpCode
	fragmented bool // a message has begun and not ended, and no frame is under way (RFC 6455 section 5.4)
	compressed bool // message is deflated (RFC 7692 section 6)
	deaf       bool // the stream makes no sense any more: discard

	mask [4]byte // of the data frame under way
	fin  bool    // it is the message's last
	come int     // bytes of its payload that were taken
	left int     // bytes of its payload that have not come; 0: no frame is under way

	since   uint32 // when the frame or message under way was first seen, in ticks; 0: none is waited for
	counted int    // of Stats.PartialBytes
}

func (in *input) rest() []byte { return in.buf[in.at:] }

// idle reports whether there is nothing to remember.
func (in *input) idle() bool {
	return in.at == len(in.buf) && in.left == 0 && !in.fragmented && !in.deaf
}

// grow appends b to a pooled buffer. What it costs is at most twice what has
// come, whatever length the peer has announced.
func grow(buffers *pool.Buffers, buf, b []byte) []byte {
	if cap(buf)-len(buf) < len(b) {
		bigger := append(buffers.Get(max(len(buf)+len(b), 2*cap(buf))), buf...)
		buffers.Put(buf)
		buf = bigger
	}
	return append(buf, b...)
}

// take adds what was read. It is looked at where it stands if nothing is left
// from before.
func (in *input) take(buffers *pool.Buffers, b []byte) {
	if in.at == len(in.buf) {
		if in.buf != nil {
			in.keep(buffers)
		}
		in.buf, in.at, in.lent = b, 0, true
		return
	}
	if in.at > 0 {
		in.buf = in.buf[:copy(in.buf, in.rest())]
		in.at = 0
	}
	in.buf = grow(buffers, in.buf, b)
}

// keep gives back the scratch, and the buffer if it is used up.
func (in *input) keep(buffers *pool.Buffers) {
	rest := in.rest()
	switch {
	case in.lent && len(rest) > 0:
		in.buf = append(buffers.Get(len(rest)), rest...)
	case in.lent:
		in.buf = nil
	case len(rest) == 0:
		buffers.Put(in.buf)
		in.buf = nil
	default:
		return
	}
	in.at, in.lent = 0, false
}

// forget ends the message under way, whole or not.
func (in *input) forget(buffers *pool.Buffers) {
	if in.message != nil {
		buffers.Put(in.message)
	}
	in.message, in.text, in.fragmented, in.compressed, in.left, in.since = nil, textTail{}, false, false, 0, 0
}

// release gives the buffers back.
func (in *input) release(buffers *pool.Buffers) {
	in.at = len(in.buf)
	in.keep(buffers)
	in.forget(buffers)
	*in = input{}
}

// dropInput forgets what c's input keeps.
func (s *Shard) dropInput(c *Conn) {
	if c.in == nil {
		return
	}
	s.engine.stats.PartialBytes.Add(int64(-c.in.counted))
	c.in.release(s.engine.cfg.Buffers)
	s.engine.inputs.put(c.in)
	c.in = nil
}
