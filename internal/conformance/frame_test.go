package conformance_test

import (
	"encoding/binary"
	"fmt"
	"slices"
)

// Opcodes, RFC 6455 5.2.
const (
	continuation = 0x0
	text         = 0x1
	binaryData   = 0x2
	closing      = 0x8
	ping         = 0x9
	pong         = 0xa
)

// Bits of the first byte, RFC 6455 5.2.
const (
	fin  = 0x80
	rsv1 = 0x40
	rsv2 = 0x20
	rsv3 = 0x10
)

// frame is one as it came from the server, or is to.
type frame struct {
	first   byte // FIN, RSV1 to RSV3, opcode
	payload string
}

func (f frame) String() string {
	if len(f.payload) > 100 {
		return fmt.Sprintf("%#02x with %d bytes, %.40q…", f.first, len(f.payload), f.payload)
	}
	return fmt.Sprintf("%#02x %q", f.first, f.payload)
}

var key = [4]byte{0x37, 0xfa, 0x21, 0x3d} // that of the examples in RFC 6455 5.7

// masked returns the bytes of a client's frame. first is all of its first byte.
func masked(first byte, payload string) []byte {
	return maskedWith(key, first, payload)
}

func maskedWith(key [4]byte, first byte, payload string) []byte {
	return slices.Concat(header(first, len(payload)), key[:], xor(key, payload))
}

// header returns the header without the key, its length in as few bytes as it takes.
func header(first byte, length int) []byte {
	switch {
	case length < 126:
		return []byte{first, 0x80 | byte(length)}
	case length < 1<<16:
		return length16(first, length)
	}
	return length64(first, uint64(length))
}

func length16(first byte, length int) []byte {
	return binary.BigEndian.AppendUint16([]byte{first, 0x80 | 126}, uint16(length))
}

func length64(first byte, length uint64) []byte {
	return binary.BigEndian.AppendUint64([]byte{first, 0x80 | 127}, length)
}

// begun returns the first bytes of a frame that announces more than come.
func begun(first byte, payload string, announced int) []byte {
	return slices.Concat(header(first, announced), key[:], xor(key, payload))
}

func xor(key [4]byte, payload string) []byte {
	b := []byte(payload)
	for i := range b {
		b[i] ^= key[i%4] // RFC 6455 5.3
	}
	return b
}

// closeBody is what a close frame says, RFC 6455 5.5.1.
func closeBody(code int, reason string) string {
	return string([]byte{byte(code >> 8), byte(code)}) + reason
}

func joined(frames ...[]byte) []byte { return slices.Concat(frames...) }
