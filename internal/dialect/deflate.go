package dialect

import (
	"sync"
	"sync/atomic"

	"github.com/gobwas/ws"
	"github.com/klauspost/compress/flate"

	"github.com/pushd/pushd/broadcast"
)

// deflateLevel is the fastest: see BenchmarkDeflate.
const deflateLevel = flate.BestSpeed

// rsv1 marks a compressed message (RFC 7692, 6).
const rsv1 = 0x40

// DeflateEncoder makes the frames of another encoder, compressed where that is worth
// it (RFC 7692, 7.2.1). Each message is compressed by itself, so its frame does for
// every connection that has negotiated it.
type DeflateEncoder struct {
	plain broadcast.Encoder

	Messages atomic.Uint64 // compressed
	In, Out  atomic.Uint64 // bytes of their payloads before and after
}

var _ broadcast.Encoder = (*DeflateEncoder)(nil)

// AppendMessage implements broadcast.Encoder. A payload below m.Deflate, and a frame
// that would not become smaller, stays as it is. The plain frame is made elsewhere:
// where dst has no room for it, and for the compressed one it has, dst is not to move.
func (e *DeflateEncoder) AppendMessage(dst []byte, m *broadcast.Message) []byte {
	if m.Deflate == 0 || len(m.Payload) < m.Deflate {
		return e.plain.AppendMessage(dst, m)
	}
	d := deflaters.Get().(*deflater)
	defer deflaters.Put(d)
	d.frame = e.plain.AppendMessage(emptied(d.frame), m)
	if len(d.frame) == 0 {
		return dst
	}
	payload := d.frame[headerLen(d.frame):]
	out := d.deflate(payload)
	if len(out) >= len(payload) {
		return append(dst, d.frame...)
	}
	e.Messages.Add(1)
	e.In.Add(uint64(len(payload)))
	e.Out.Add(uint64(len(out)))
	return AppendDeflated(dst, ws.OpCode(d.frame[0]&0xf), out)
}

// AppendDeflated appends the frame of a compressed message.
func AppendDeflated(dst []byte, op ws.OpCode, deflated []byte) []byte {
	start := len(dst)
	dst = append(AppendHeader(dst, op, len(deflated)), deflated...)
	dst[start] |= rsv1
	return dst
}

// Deflate appends what a payload compresses to.
func Deflate(dst, payload []byte) []byte {
	d := deflaters.Get().(*deflater)
	defer deflaters.Put(d)
	return append(dst, d.deflate(payload)...)
}

// headerLen is the length of the header of a frame that AppendHeader has begun.
func headerLen(frame []byte) int {
	switch frame[1] {
	case 126:
		return 4
	case 127:
		return 10
	}
	return 2
}

// deflaters are compressors, each with some hundred KiB of its own: as many as
// messages are compressed at a time.
var deflaters = sync.Pool{New: func() any {
	d := new(deflater)
	d.w, _ = flate.NewWriter(d, deflateLevel) // fails only for a level that is none
	return d
}}

type deflater struct {
	w     *flate.Writer
	out   []byte
	frame []byte // the plain one
}

// emptied returns b to be written anew, unless it is so long that it had better go.
func emptied(b []byte) []byte {
	if cap(b) > 1<<20 {
		return nil
	}
	return b[:0]
}

// Write implements io.Writer for the compressor.
func (d *deflater) Write(b []byte) (int, error) {
	d.out = append(d.out, b...)
	return len(b), nil
}

// deflate returns what payload compresses to, without the four bytes at its end that
// are always the same (RFC 7692, 7.2.1). It is valid until the next call.
func (d *deflater) deflate(payload []byte) []byte {
	const tail = 4
	d.out = emptied(d.out)
	d.w.Reset(d)
	d.w.Write(payload) // neither fails: Write above does not
	d.w.Flush()
	return d.out[:len(d.out)-tail]
}
