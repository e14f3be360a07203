package conn

import (
	"bytes"
	"io"

	"github.com/gobwas/ws"
	"github.com/klauspost/compress/flate"

	"github.com/pushd/pushd/pool"
)

// What a message may inflate to: beyond freeInflation no more than maxInflation
// times what came, which text and JSON that somebody wrote do not reach.
const (
	freeInflation = 64 << 10
	maxInflation  = 100
)

// RFC 7692 names no code for what is not deflate. By RFC 6455 section 7.4.1 it is
// 1007: data that is not what the message says it is.
var (
	faultDeflate   = &fault{ws.StatusInvalidFramePayloadData, "compressed message is not deflate"}
	faultInflation = &fault{ws.StatusMessageTooBig, "message inflates to more than 100 times its size"}
)

// inflateTail completes a message: the four bytes that its sender has left off
// (RFC 7692 section 7.2.2), and an empty last block, by which a reader knows that
// it has all.
var inflateTail = []byte("\x00\x00\xff\xff" + "\x01\x00\x00\xff\xff")

// inflater is a decompressor with a window of its own, 40 KiB or so. No
// connection has one: without context takeover a message begins with an empty
// window (section 7.1.1).
type inflater struct {
	in   bytes.Reader
	out  io.ReadCloser
	more [1]byte
}

// inflate puts in place of in.message what it inflates to.
func (s *Shard) inflate(in *input) *fault {
	compressed := len(in.message)
	if compressed == 0 { // not what section 7.2.3.6 asks for, but some send it, and it can mean only one thing
		return nil
	}
	limit, larger := s.engine.cfg.MaxMessage, faultTooBig
	if most := max(freeInflation, maxInflation*compressed); most < limit {
		limit, larger = most, faultInflation
	}
	buffers := s.engine.cfg.Buffers
	in.message = grow(buffers, in.message, inflateTail)
	x := s.engine.inflaters.get()
	out, whole, err := x.inflate(buffers, in.message, limit)
	s.engine.inflaters.put(x)
	buffers.Put(in.message)
	in.message = out
	switch {
	case err != nil:
		return faultDeflate
	case !whole:
		return larger
	}
	return nil
}

// inflate returns what deflated inflates to, or, with whole unset, the first limit
// bytes of it, in a pooled buffer. A block that calls itself the last may be
// followed by others (section 7.2.3.4). They do not refer to what lies before it:
// whoever ends a stream begins with an empty window.
func (x *inflater) inflate(buffers *pool.Buffers, deflated []byte, limit int) (out []byte, whole bool, err error) {
	out = buffers.Get(min(limit, 4*len(deflated)))
	for x.in.Reset(deflated); x.in.Len() > 0; {
		if x.out == nil {
			x.out = flate.NewReader(&x.in)
		} else if err := x.out.(flate.Resetter).Reset(&x.in, nil); err != nil {
			return out, false, err
		}
		for err = nil; err == nil; {
			if len(out) == limit {
				var n int
				if n, err = x.out.Read(x.more[:]); n > 0 {
					return out, false, nil
				}
				continue
			}
			if len(out) == cap(out) {
				bigger := append(buffers.Get(2*cap(out)), out...)
				buffers.Put(out)
				out = bigger
			}
			var n int
			n, err = x.out.Read(out[len(out):min(cap(out), limit)])
			out = out[:len(out)+n]
		}
		if err != io.EOF {
			return out, false, err
		}
	}
	return out, true, nil
}
