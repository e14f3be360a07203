package conn

import (
	"encoding/binary"
	"unicode/utf8"

	"github.com/gobwas/ws"
)

// headerSize returns how many bytes the frame header that begins b has, or 0
// where b is too short to tell (RFC 6455 section 5.2).
func headerSize(b []byte) int {
	if len(b) < 2 {
		return 0
	}
	n := ws.MinHeaderSize
	switch b[1] & 0x7f {
	case 126:
		n += 2
	case 127:
		n += 8
	}
	if b[1]&0x80 != 0 {
		n += 4
	}
	return n
}

// frames takes whole frames from in until none is left or the post is full.
// Where the close has begun it looks for the peer's close frame only.
func (s *Shard) frames(w *scratch, c *Conn, in *input, p *Post, closing bool) {
	for !p.full() {
		b := in.rest()
		size := headerSize(b)
		if size == 0 || len(b) < size {
			return
		}
		w.reader.Reset(b)
		h, err := ws.ReadHeaderBuffer(&w.reader, w.header[:])
		if err == nil {
			state := ws.StateServerSide
			if in.fragmented {
				state = state.Set(ws.StateFragmented)
			}
			err = ws.CheckHeader(h, state)
		}
		if err != nil {
			s.fail(in, p, ws.StatusProtocolError, err.Error())
			return
		}
		if h.OpCode == ws.OpText || h.OpCode == ws.OpBinary { // before any of it is kept
			if reason := s.engine.cfg.Handler.Refuses(c, h.OpCode); reason != "" {
				s.fail(in, p, ws.StatusUnsupportedData, reason)
				return
			}
		}
		if !h.OpCode.IsControl() && h.Length > int64(s.engine.cfg.MaxMessage-len(in.message)) {
			s.fail(in, p, ws.StatusMessageTooBig, "message larger than the limit")
			return
		}
		if int64(len(b)-size) < h.Length {
			return
		}
		if h.OpCode != ws.OpPong { // which we have asked for
			w.said.messages++
		}
		payload := b[size : size+int(h.Length)]
		in.at += size + int(h.Length)
		ws.Cipher(payload, h.Mask, 0)
		switch h.OpCode {
		case ws.OpClose:
			s.peerClose(in, p, payload)
		case ws.OpPing:
			p.ponged, p.pongN = true, copy(p.pong[:], payload)
		case ws.OpPong:
		default:
			s.data(c, in, p, h, payload, closing)
		}
	}
}

// fail ends a stream that breaks the rules. Nothing after it can be understood,
// the peer's close frame neither (RFC 6455 section 7.1.7).
func (s *Shard) fail(in *input, p *Post, code ws.StatusCode, reason string) {
	p.End(code, reason)
	p.failed = true
	in.at = len(in.buf)
	in.deaf, in.fragmented = true, false
	s.engine.cfg.Buffers.Put(in.message)
	in.message = nil
}

// data puts a message's fragments together and hands it on when it is whole.
func (s *Shard) data(c *Conn, in *input, p *Post, h ws.Header, payload []byte, closing bool) {
	if h.OpCode != ws.OpContinuation {
		in.opcode = h.OpCode
	}
	if !h.Fin || in.fragmented {
		in.fragmented = true
		in.message = grow(s.engine.cfg.Buffers, in.message, payload)
		payload = in.message
	}
	if !h.Fin {
		return
	}
	switch {
	case closing: // RFC 6455 section 5.5.1: after our close frame data may be ignored
	case in.opcode == ws.OpText && !utf8.Valid(payload):
		s.fail(in, p, ws.StatusInvalidFramePayloadData, "text is not UTF-8") // section 8.1
		return
	default:
		s.engine.cfg.Handler.Message(c, in.opcode, payload, p)
	}
	s.engine.cfg.Buffers.Put(in.message)
	in.message, in.fragmented = nil, false
}

// peerClose answers the peer's close frame with the code it gave (RFC 6455
// sections 5.5.1 and 7.4).
func (s *Shard) peerClose(in *input, p *Post, payload []byte) {
	code, reason := ws.StatusNoStatusRcvd, ""
	if len(payload) >= 2 {
		code, reason = ws.StatusCode(binary.BigEndian.Uint16(payload)), string(payload[2:])
		switch err := ws.CheckCloseFrameData(code, reason); {
		case err == ws.ErrProtocolInvalidUTF8:
			code = ws.StatusInvalidFramePayloadData
		case err != nil, code > ws.StatusRangePrivate.Max: // section 7.4.2
			code = ws.StatusProtocolError
		}
	} else if len(payload) == 1 {
		code = ws.StatusProtocolError
	}
	p.peer = true
	p.End(code, "")
	in.at = len(in.buf)
	in.deaf, in.fragmented = true, false
}
