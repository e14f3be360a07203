package loadgen

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/gobwas/ws"
)

// stream is how far a client has come in what it is sent, where that is not the
// end of a frame: most clients have none most of the time.
type stream struct {
	left  int64     // bytes of the frame under way, or of the chunk, that have not come
	op    ws.OpCode // of that frame
	fin   bool      // it is its message's last
	head  []byte    // what has come of a header, of a control frame or of an HTTP answer
	begun bool      // some of its message has been looked at
	tail  []byte    // the end of the payload so far: it may be the beginning of a marker
	body  bool      // SSE: in the body…
	cut   bool      // …which comes in chunks (RFC 9112 section 7.1)
}

// blank reports whether s stands where a client without a stream does.
func (s *stream) blank() bool {
	return s.left == 0 && len(s.head) == 0 && len(s.tail) == 0 && !s.begun && !s.body
}

// sightings is told what a stream holds. No call may keep its argument.
type sightings interface {
	message(m marker)
	other(payload []byte)                    // a whole message without a marker
	control(op ws.OpCode, payload []byte)    // a ping, pong or close
	frame(op ws.OpCode, n int64, has []byte) // each frame, for who wants to look at the wire
}

// errProtocol is what a server must not send.
var errProtocol = errors.New("the server broke RFC 6455")

// awaited is up to what length a frame is looked at only when it is whole: all
// control frames, and the keep-alives that come as messages.
const awaited = 256

// feedFrames looks at the next bytes of a WebSocket.
func (s *stream) feedFrames(b []byte, to sightings) error {
	if len(s.head) > 0 {
		b = append(s.head, b...)
		s.head = nil
	}
	for {
		if s.left == 0 {
			h, size, err := frameHeader(b)
			if err != nil {
				return err
			}
			if size == 0 || h.Length <= awaited && int64(len(b)-size) < h.Length {
				s.head = append([]byte(nil), b...)
				return nil
			}
			to.frame(h.OpCode, h.Length, b[size:min(int64(len(b)), int64(size)+h.Length)])
			b = b[size:]
			if h.OpCode.IsControl() {
				to.control(h.OpCode, b[:h.Length])
				b = b[h.Length:]
				continue
			}
			s.op, s.fin, s.left = h.OpCode, h.Fin, h.Length
		}
		n := min(s.left, int64(len(b)))
		s.left -= n
		s.payload(b[:n], s.left == 0 && s.fin, to)
		if b = b[n:]; s.left > 0 || len(b) == 0 {
			return nil
		}
	}
}

// frameHeader reads the header that b begins with; size is 0 where it is not
// whole (RFC 6455 section 5.2).
func frameHeader(b []byte) (h ws.Header, size int, err error) {
	if len(b) < 2 {
		return h, 0, nil
	}
	h.Fin, h.OpCode, h.Length, size = b[0]&0x80 != 0, ws.OpCode(b[0]&0x0f), int64(b[1]&0x7f), 2
	switch {
	case b[0]&0x70 != 0:
		return h, 0, fmt.Errorf("%w: a reserved bit without an extension (section 5.2)", errProtocol)
	case b[1]&0x80 != 0:
		return h, 0, fmt.Errorf("%w: a masked frame (section 5.1)", errProtocol)
	case h.OpCode.IsReserved():
		return h, 0, fmt.Errorf("%w: opcode %d (section 5.2)", errProtocol, h.OpCode)
	case h.OpCode.IsControl() && (!h.Fin || h.Length > ws.MaxControlFramePayloadSize):
		return h, 0, fmt.Errorf("%w: a long or fragmented control frame (section 5.5)", errProtocol)
	case h.Length == 126:
		if len(b) < 4 {
			return h, 0, nil
		}
		h.Length, size = int64(binary.BigEndian.Uint16(b[2:])), 4
	case h.Length == 127:
		if len(b) < 10 {
			return h, 0, nil
		}
		h.Length, size = int64(binary.BigEndian.Uint64(b[2:])), 10
	}
	if h.Length < 0 {
		return h, 0, fmt.Errorf("%w: a length above 2^63 (section 5.2)", errProtocol)
	}
	return h, size, nil
}

// errEnded: the server has ended the body.
var errEnded = errors.New("the server ended the stream")

// feedEvents looks at the next bytes of a body of server-sent events. Lines are
// not told apart: a marker is one wherever it stands.
func (s *stream) feedEvents(b []byte, to sightings) error {
	if !s.cut {
		s.payload(b, false, to)
		return nil
	}
	if len(s.head) > 0 {
		b = append(s.head, b...)
		s.head = nil
	}
	for len(b) > 0 {
		if s.left == 0 {
			line, rest, whole := bytes.Cut(b, []byte("\r\n"))
			if !whole && len(b) < 64 {
				s.head = append([]byte(nil), b...)
				return nil
			}
			digits, _, _ := bytes.Cut(line, []byte(";"))
			n, ok := hex(bytes.TrimSpace(digits))
			if !whole || !ok {
				return fmt.Errorf("%q is not the size of a chunk (RFC 9112 section 7.1)", line[:min(len(line), 64)])
			}
			if n == 0 {
				return errEnded
			}
			s.left, b = n+2, rest // the chunk's CRLF counts as its end
			continue
		}
		n := min(s.left, int64(len(b)))
		s.payload(b[:max(0, min(n, s.left-2))], false, to)
		s.left -= n
		b = b[n:]
	}
	return nil
}

func hex(b []byte) (n int64, ok bool) {
	for _, c := range b {
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case 'a' <= c|0x20 && c|0x20 <= 'f':
			c = c | 0x20 - 'a' + 10
		default:
			return 0, false
		}
		if n = n<<4 | int64(c); n > 1<<40 {
			return 0, false
		}
	}
	return n, len(b) > 0
}

// payload looks for markers in the next piece of a message; last says that it
// is its end.
func (s *stream) payload(b []byte, last bool, to sightings) {
	whole := last && !s.begun
	s.begun = !last
	if len(s.tail) > 0 {
		b = append(s.tail, b...)
		s.tail = nil
	}
	seen := false
	for rest := b; ; {
		at := bytes.Index(rest, []byte(markerStart))
		if at < 0 {
			if n := len(rest); !last && n > 0 && rest[n-1] == markerStart[0] {
				s.tail = []byte(markerStart[:1])
			}
			break
		}
		if len(rest)-at < markerSize {
			if !last {
				s.tail = append([]byte(nil), rest[at:]...)
			}
			break
		}
		m, ok := parseMarker(rest[at:])
		if !ok {
			rest = rest[at+1:]
			continue
		}
		to.message(m)
		seen = true
		rest = rest[at+markerSize:]
	}
	if whole && !seen {
		to.other(b)
	}
}
