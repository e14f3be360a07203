package client

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"github.com/gobwas/ws"
)

// readBuffer is how much one read(2) may bring. A subscriber that falls behind
// is disconnected, so what has piled up is fetched with few calls.
const readBuffer = 256 << 10

// maxMessage bounds what a server can make us hold, in bytes.
const maxMessage = 16 << 20

var errProtocol = errors.New("the server broke RFC 6455")

// frameReader turns a byte stream into messages and control frames.
type frameReader struct {
	br      *bufio.Reader
	header  [ws.MaxHeaderSize]byte
	discard int    // bytes of br that the last result still occupied
	large   []byte // a payload that br cannot hold
	message []byte // fragments so far
	opcode  ws.OpCode
}

// next returns the next whole message or control frame. The payload is valid
// until the following call. A server that ends the stream between frames
// without a close frame gives io.EOF.
func (f *frameReader) next() (ws.OpCode, []byte, error) {
	for {
		h, payload, err := f.frame()
		if err != nil {
			return 0, nil, err
		}
		if h.OpCode.IsControl() { // may stand between fragments: 5.4
			return h.OpCode, payload, nil
		}
		opcode := h.OpCode
		if opcode == ws.OpContinuation || !h.Fin {
			if len(f.message)+len(payload) > maxMessage {
				return 0, nil, fmt.Errorf("%w: a message of more than %d bytes", errProtocol, maxMessage)
			}
			f.message = append(f.message, payload...)
			if opcode != ws.OpContinuation {
				f.opcode = opcode
			}
			if !h.Fin {
				continue
			}
			opcode, payload = f.opcode, f.message
			f.opcode, f.message = 0, f.message[:0]
		}
		if opcode == ws.OpText && !utf8.Valid(payload) { // 8.1
			return 0, nil, fmt.Errorf("%w: text that is not UTF-8", errProtocol)
		}
		return opcode, payload, nil
	}
}

// frame reads one frame. The payload stands in br where it fits there, so that
// the common frame is never copied.
func (f *frameReader) frame() (ws.Header, []byte, error) {
	f.br.Discard(f.discard) // cannot fail: the bytes were peeked
	f.discard = 0
	h, err := ws.ReadHeaderBuffer(f.br, f.header[:])
	if err != nil {
		return h, nil, err
	}
	if err := f.check(h); err != nil {
		return h, nil, err
	}
	n := int(h.Length)
	if n <= f.br.Size() {
		payload, err := f.br.Peek(n)
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		f.discard = len(payload)
		return h, payload, err
	}
	if cap(f.large) < n {
		f.large = make([]byte, n)
	}
	f.large = f.large[:n]
	_, err = io.ReadFull(f.br, f.large)
	return h, f.large, err
}

// check refuses what RFC 6455 forbids a server to send.
func (f *frameReader) check(h ws.Header) error {
	var what string
	switch {
	case h.Masked: // 5.1
		what = "a masked frame"
	case h.Rsv != 0: // 5.2: no extension was agreed on
		what = "a reserved bit"
	case h.OpCode.IsReserved():
		what = fmt.Sprintf("opcode %d", h.OpCode)
	case h.OpCode.IsControl() && (!h.Fin || h.Length > ws.MaxControlFramePayloadSize): // 5.5
		what = "a long or fragmented control frame"
	case h.OpCode == ws.OpContinuation && f.opcode == 0: // 5.4
		what = "a continuation of nothing"
	case h.OpCode.IsData() && h.OpCode != ws.OpContinuation && f.opcode != 0:
		what = "a message inside another"
	case h.Length > maxMessage:
		what = fmt.Sprintf("a frame of %d bytes", h.Length)
	default:
		return nil
	}
	return fmt.Errorf("%w: %s", errProtocol, what)
}
