package conn

import (
	"encoding/binary"
	"unicode/utf8"

	"github.com/gobwas/ws"
)

// frames uses what has come of frames until nothing is left or the post is full.
// Where the close has begun it looks for the peer's close frame only.
func (s *Shard) frames(w *scratch, c *Conn, in *input, p *Post, state word) {
	closing := state.has(ended)
	if closing && in.message != nil { // RFC 6455 section 5.5.1: after our close frame data may be ignored
		s.engine.cfg.Buffers.Put(in.message)
		in.message = nil
	}
	for !p.full() {
		if in.left == 0 {
			b := in.rest()
			h, n, bad := s.frameHeader(c, in, b, state)
			if bad != nil {
				s.fail(in, p, bad.code, bad.reason)
				return
			}
			if n == 0 {
				return
			}
			if h.OpCode.IsControl() {
				whole := n + int(h.Length)
				if len(b) < whole {
					return
				}
				in.at += whole
				if !in.fragmented {
					in.since = 0
				}
				if h.OpCode != ws.OpPong { // which we have asked for
					w.said.messages++
				}
				s.controlFrame(in, p, h, b[n:whole])
				continue
			}
			in.at += n
			w.said.messages++
			in.begin(h)
		}
		if !s.data(c, in, p, closing) {
			return
		}
	}
}

// begin begins a data frame.
func (in *input) begin(h ws.Header) {
	if h.OpCode != ws.OpContinuation {
		in.opcode, in.compressed = h.OpCode, h.Rsv == rsv1
	}
	in.mask, in.fin, in.come, in.left = h.Mask, h.Fin, 0, int(h.Length)
}

// data takes what has come of the data frame under way, and hands the message on
// when it is whole. It reports whether the frame was.
func (s *Shard) data(c *Conn, in *input, p *Post, closing bool) bool {
	b := in.rest()
	b = b[:min(len(b), in.left)]
	ws.Cipher(b, in.mask, in.come)
	in.at += len(b)
	in.come += len(b)
	in.left -= len(b)
	last := in.fin && in.left == 0
	var bad *fault
	switch {
	case closing:
	case last && len(in.message) == 0 && !in.compressed: // whole where it stands: no copy
		if in.opcode == ws.OpText && !utf8.Valid(b) {
			bad = faultText
			break
		}
		s.engine.cfg.Handler.Message(c, in.opcode, b, p)
	default:
		in.message = grow(s.engine.cfg.Buffers, in.message, b)
		if bad = s.gathered(in, b, last); bad == nil && last {
			s.engine.cfg.Handler.Message(c, in.opcode, in.message, p)
		}
	}
	switch {
	case bad != nil:
		s.fail(in, p, bad.code, bad.reason)
	case last:
		in.forget(s.engine.cfg.Buffers)
	case in.left == 0:
		in.fragmented = true
	}
	return in.left == 0
}

var faultText = &fault{ws.StatusInvalidFramePayloadData, "text is not UTF-8"} // RFC 6455 section 8.1

// gathered judges a message that comes in pieces, or compressed, when b has been
// added. Behind the last of it in.message is the message.
func (s *Shard) gathered(in *input, b []byte, last bool) *fault {
	switch {
	case in.compressed && !last:
		return nil
	case in.compressed:
		if bad := s.inflate(in); bad != nil {
			return bad
		}
		b = in.message
	}
	if in.opcode == ws.OpText && (!in.text.take(b) || last && !in.text.whole()) {
		return faultText
	}
	return nil
}

// fail ends a stream that breaks the rules. Nothing after it can be understood,
// the peer's close frame neither (RFC 6455 section 7.1.7).
func (s *Shard) fail(in *input, p *Post, code ws.StatusCode, reason string) {
	p.End(code, reason)
	p.failed = true
	in.goDeaf(s)
}

// goDeaf forgets what came and will come.
func (in *input) goDeaf(s *Shard) {
	in.forget(s.engine.cfg.Buffers)
	in.at = len(in.buf)
	in.deaf = true
}

// controlFrame does what a whole control frame says, at once, also between the
// frames of a message (RFC 6455 section 5.5).
func (s *Shard) controlFrame(in *input, p *Post, h ws.Header, payload []byte) {
	ws.Cipher(payload, h.Mask, 0)
	switch h.OpCode {
	case ws.OpClose:
		s.peerClose(in, p, payload)
	case ws.OpPing:
		p.Out = append(append(p.Out, 0x80|byte(ws.OpPong), byte(len(payload))), payload...) // in turn with the answers to what came before and after
	case ws.OpPong: // asked for or not (section 5.5.3)
	}
}

// peerClose answers the peer's close frame with the code it gave (RFC 6455
// sections 5.5.1 and 7.4).
func (s *Shard) peerClose(in *input, p *Post, payload []byte) {
	answer := fault{code: ws.StatusNoStatusRcvd}
	switch {
	case len(payload) == 1: // section 5.5.1
		answer = fault{ws.StatusProtocolError, "close frame of one byte"}
	case len(payload) > 1:
		answer.code = ws.StatusCode(binary.BigEndian.Uint16(payload))
		switch {
		case !mayCome(answer.code):
			answer = fault{ws.StatusProtocolError, "close code is none that may be sent"}
		case !utf8.Valid(payload[2:]): // section 5.5.1
			answer = fault{ws.StatusInvalidFramePayloadData, "close reason is not UTF-8"}
		}
	}
	p.peer = true
	p.End(answer.code, answer.reason)
	in.goDeaf(s)
}

// mayCome reports whether a close frame may have code (RFC 6455 sections 7.4.1
// and 7.4.2, and what IANA has registered since: 1012 to 1014). 1004 means
// nothing; 1005, 1006 and 1015 stand for what no frame said.
func mayCome(code ws.StatusCode) bool {
	switch {
	case code == 1004 || code == 1005 || code == 1006:
		return false
	case code >= 1000 && code <= 1014:
		return true
	}
	return code >= 3000 && code <= 4999
}
