package dialect

import (
	"encoding/binary"

	"github.com/gobwas/ws"
)

// AppendHeader appends the header of an unfragmented, unmasked frame
// (RFC 6455, 5.2). It is written here because ws.WriteHeader wants an
// io.Writer, through which its buffer escapes; the tests hold them equal.
func AppendHeader(dst []byte, op ws.OpCode, length int) []byte {
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
	AppendHeader(dst[:start], ws.OpText, length)
	return dst
}
