package main

import (
	"encoding/binary"
	"fmt"
)

// RFC 6455 section 5.2: the first byte of a final text frame, of a close and of a ping.
const (
	textFrame  = 0x81
	closeFrame = 0x88
	pingFrame  = 0x89
)

// carryMax is the longest beginning of a frame that does not say yet what it is: a header and a head, less one byte.
const carryMax = 10 + headSize - 1

// stream is how far one subscriber has come in what it is sent. The zero value stands before the first frame.
type stream struct {
	skip  uint64 // bytes still to come of a frame that was looked at
	carry [carryMax]byte
	kept  uint8 // bytes of carry, the beginning of the next frame
}

// sightings is told what a stream holds. Neither call may keep its argument.
type sightings interface {
	Message(head []byte) error // the first headSize bytes of a text frame's payload
	Closed(code uint16)        // a close frame; 1005 if it has no code (RFC 6455 section 7.1.5)
}

// feed looks at the next bytes, which stand in buf from carryMax on: what is before is overwritten with what was kept. It does
// not allocate but for an error.
func (s *stream) feed(buf []byte, to sightings) error {
	b := buf[carryMax-int(s.kept):]
	copy(b, s.carry[:s.kept])
	s.kept = 0
	for {
		jump := min(s.skip, uint64(len(b)))
		b, s.skip = b[jump:], s.skip-jump
		size, length, ok := frameHeader(b)
		need := size
		switch {
		case !ok:
			s.kept = uint8(copy(s.carry[:], b))
			return nil
		case b[1]&0x80 != 0:
			return fmt.Errorf("frame is masked: expected a server's (RFC 6455 section 5.1)")
		case b[0] == textFrame && length < headSize:
			return fmt.Errorf("frame of %d bytes: expected at least %d", length, headSize)
		case b[0] == textFrame:
			need += headSize
		case b[0] == closeFrame:
			need += int(min(length, 2))
		case b[0] != pingFrame:
			return fmt.Errorf("frame begins with %#x: expected a text frame, a ping or a close", b[0])
		}
		if len(b) < need {
			s.kept = uint8(copy(s.carry[:], b))
			return nil
		}
		switch {
		case b[0] == textFrame:
			if err := to.Message(b[size:need]); err != nil {
				return err
			}
		case b[0] == closeFrame && length >= 2:
			to.Closed(binary.BigEndian.Uint16(b[size:]))
		case b[0] == closeFrame:
			to.Closed(1005)
		}
		s.skip = uint64(size) + length
	}
}

// frameHeader is the size of the header that b begins with and the length of the payload behind it, or false if it is not
// whole yet.
func frameHeader(b []byte) (size int, length uint64, ok bool) {
	if len(b) < 2 {
		return 0, 0, false
	}
	switch b[1] {
	default:
		return 2, uint64(b[1]), true
	case 126:
		if len(b) < 4 {
			return 0, 0, false
		}
		return 4, uint64(binary.BigEndian.Uint16(b[2:])), true
	case 127:
		if len(b) < 10 {
			return 0, 0, false
		}
		return 10, binary.BigEndian.Uint64(b[2:]), true
	}
}

// frame is a text frame that holds payload.
func frame(payload string) []byte {
	b := []byte{textFrame}
	switch n := len(payload); {
	case n < 126:
		b = append(b, byte(n))
	case n < 1<<16:
		b = binary.BigEndian.AppendUint16(append(b, 126), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, 127), uint64(n))
	}
	return append(b, payload...)
}
