package dialect

import (
	"encoding/binary"
	"strings"
	"unicode/utf8"

	"github.com/gobwas/ws"
)

// MaxCloseReason is the most bytes of a close reason: a control frame's 125
// (RFC 6455, 5.5) less the code.
const MaxCloseReason = ws.MaxControlFramePayloadSize - 2

// AppendClose appends a close frame. A reason over MaxCloseReason bytes is cut
// between two characters. What is not UTF-8 in it becomes U+FFFD (5.5.1), in a
// copy.
func AppendClose(dst []byte, code ws.StatusCode, reason string) []byte {
	reason = strings.ToValidUTF8(reason, "\uFFFD")
	if len(reason) > MaxCloseReason {
		n := MaxCloseReason
		for !utf8.RuneStart(reason[n]) {
			n--
		}
		reason = reason[:n]
	}
	dst = appendHeader(dst, ws.OpClose, 2+len(reason))
	dst = binary.BigEndian.AppendUint16(dst, uint16(code))
	return append(dst, reason...)
}

// AppendPing appends an RFC 6455 ping without application data.
func AppendPing(dst []byte) []byte { return appendHeader(dst, ws.OpPing, 0) }

// AppendPong appends the answer to an RFC 6455 ping, which carries the ping's
// application data, at most 125 bytes (5.5.3).
func AppendPong(dst, data []byte) []byte {
	return append(appendHeader(dst, ws.OpPong, len(data)), data...)
}

// appendHeader appends the header of an unfragmented, unmasked frame
// (RFC 6455, 5.2). It is written here because ws.WriteHeader wants an
// io.Writer, through which its buffer escapes; the tests hold them equal.
func appendHeader(dst []byte, op ws.OpCode, length int) []byte {
	const fin = 0x80
	switch first := fin | byte(op); ws.HeaderSize(ws.Header{Length: int64(length)}) {
	case 2:
		return append(dst, first, byte(length))
	case 4:
		return binary.BigEndian.AppendUint16(append(dst, first, 126), uint16(length))
	default:
		return binary.BigEndian.AppendUint64(append(dst, first, 127), uint64(length))
	}
}

// gap is the room left for a header whose frame's length is not known yet: it
// fits from 126 bytes to 65,535. Shorter frames are cheap to move and longer
// ones are rare.
const gap = 4

// openText leaves room for a header and returns where the frame begins.
func openText(dst []byte) (_ []byte, start int) {
	return append(dst, make([]byte, gap)...), len(dst)
}

// closeText writes the header of the text frame that openText began at start
// and that ends where dst does.
func closeText(dst []byte, start int) []byte {
	length := len(dst) - start - gap
	switch size := ws.HeaderSize(ws.Header{Length: int64(length)}); {
	case size < gap:
		dst = append(dst[:start+size], dst[start+gap:]...)
	case size > gap:
		dst = append(dst, make([]byte, size-gap)...)
		copy(dst[start+size:], dst[start+gap:])
	}
	appendHeader(dst[:start], ws.OpText, length)
	return dst
}
