package conn

import (
	"github.com/gobwas/ws"

	"github.com/pushd/pushd/pool"
)

// input is what has been read of a connection and could not be used yet: part of
// a request head or frame, the fragments of a message. A connection that sleeps
// has none.
type input struct {
	buf  []byte // pooled, or the worker's scratch
	at   int    // what lies before is used
	head Head

	message    []byte // pooled: the fragments so far
	opcode     ws.OpCode
	fragmented bool // a message has begun and not ended (RFC 6455 section 5.4)
	deaf       bool // the stream makes no sense any more: discard
}

func (in *input) rest() []byte { return in.buf[in.at:] }

// idle reports whether there is nothing to remember.
func (in *input) idle() bool { return in.at == len(in.buf) && !in.fragmented && !in.deaf }

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

// take adds what was read.
func (in *input) take(buffers *pool.Buffers, b []byte) {
	if in.at > 0 {
		in.buf = in.buf[:copy(in.buf, in.rest())]
		in.at = 0
	}
	in.buf = grow(buffers, in.buf, b)
}

// release gives the buffers back.
func (in *input) release(buffers *pool.Buffers) {
	buffers.Put(in.buf)
	buffers.Put(in.message)
	*in = input{}
}
