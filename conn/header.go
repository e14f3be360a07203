package conn

import (
	"encoding/binary"

	"github.com/gobwas/ws"
)

// fault is what ends a WebSocket from our side.
type fault struct {
	code   ws.StatusCode
	reason string
}

// What is found by a frame's header. They are shared.
var (
	faultOpcode       = &fault{ws.StatusProtocolError, "opcode is reserved"}                    // RFC 6455 section 5.2
	faultReserved     = &fault{ws.StatusProtocolError, "reserved bit is set"}                   // section 5.2, RFC 7692 section 6.1
	faultFragmented   = &fault{ws.StatusProtocolError, "control frame is fragmented"}           // section 5.5
	faultControl      = &fault{ws.StatusProtocolError, "control frame longer than 125 bytes"}   // section 5.5
	faultWithin       = &fault{ws.StatusProtocolError, "message begins within another"}         // section 5.4
	faultContinuation = &fault{ws.StatusProtocolError, "continuation of no message"}            // section 5.4
	faultMask         = &fault{ws.StatusProtocolError, "frame is not masked"}                   // section 5.1
	faultTopBit       = &fault{ws.StatusProtocolError, "top bit of the length is set"}          // section 5.2
	faultLength       = &fault{ws.StatusProtocolError, "length takes more bytes than it needs"} // section 5.2
	faultTooBig       = &fault{ws.StatusMessageTooBig, "message larger than the limit"}         // section 10.4
)

// rsv1 is the RSV1 bit in ws.Header.Rsv.
const rsv1 = 0x4

// frameHeader reads the frame header that b begins with (RFC 6455 section 5.2).
// Each byte is judged when it is there: a fault is found by the first byte that
// shows it, however the bytes are cut. n is the header's length, 0 as long as it
// is not whole.
func (s *Shard) frameHeader(c *Conn, in *input, b []byte, state word) (h ws.Header, n int, bad *fault) {
	if len(b) == 0 {
		return h, 0, nil
	}
	h.Fin, h.Rsv, h.OpCode = b[0]&0x80 != 0, b[0]>>4&7, ws.OpCode(b[0]&0x0f)
	if bad = in.misplaced(h.Fin, h.Rsv, h.OpCode, state.has(deflated)); bad != nil || len(b) < ws.MinHeaderSize {
		return h, 0, bad
	}
	h.Masked, h.Length = b[1]&0x80 != 0, int64(b[1]&0x7f)
	switch {
	case !h.Masked:
		return h, 0, faultMask
	case h.OpCode.IsControl() && h.Length > ws.MaxControlFramePayloadSize:
		return h, 0, faultControl
	case begins(h.OpCode) && !state.has(ended): // before any of it is kept
		if reason := s.engine.cfg.Handler.Refuses(c, h.OpCode); reason != "" {
			return h, 0, &fault{ws.StatusUnsupportedData, reason}
		}
	}
	n = ws.MinHeaderSize
	if h.Length >= in16 {
		if n, bad = longLength(&h, b); n == 0 {
			return h, 0, bad
		}
	}
	if !h.OpCode.IsControl() && h.Length > int64(s.engine.cfg.MaxMessage-len(in.message)) {
		return h, 0, faultTooBig
	}
	if len(b) < n+len(h.Mask) {
		return h, 0, nil
	}
	return h, n + copy(h.Mask[:], b[n:]), nil
}

// begins reports whether a frame with op begins a message.
func begins(op ws.OpCode) bool { return op == ws.OpText || op == ws.OpBinary }

// misplaced judges the first byte of a frame.
func (in *input) misplaced(fin bool, rsv byte, op ws.OpCode, deflates bool) *fault {
	switch {
	case op.IsReserved():
		return faultOpcode
	case rsv != 0 && !(rsv == rsv1 && deflates && begins(op)): // RFC 7692 section 6
		return faultReserved
	case op.IsControl() && !fin:
		return faultFragmented
	case begins(op) && in.fragmented:
		return faultWithin
	case op == ws.OpContinuation && !in.fragmented:
		return faultContinuation
	}
	return nil
}

// What stands in a length's first 7 bits where it has more (RFC 6455 section 5.2).
const (
	in16 = 126
	in64 = 127
)

// longLength reads a length that stands in more bytes than the second. n is where
// it ends, 0 as long as it is not whole.
func longLength(h *ws.Header, b []byte) (n int, bad *fault) {
	least := int64(in16)
	if h.Length == in16 {
		if len(b) < 4 {
			return 0, nil
		}
		n, h.Length = 4, int64(binary.BigEndian.Uint16(b[2:]))
	} else {
		if len(b) > 2 && b[2]&0x80 != 0 {
			return 0, faultTopBit
		}
		if len(b) < 10 {
			return 0, nil
		}
		n, least, h.Length = 10, 1<<16, int64(binary.BigEndian.Uint64(b[2:]))
	}
	if h.Length < least {
		return 0, faultLength
	}
	return n, nil
}
