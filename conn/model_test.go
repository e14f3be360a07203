package conn_test

import (
	"encoding/binary"
	"fmt"

	"github.com/gobwas/ws"
)

// heardBy is what follows from a client's stream, by the model.
type heardBy struct {
	said
	pings []string
}

// model says what must follow from the bytes that a client has sent, all of them before it, at its leisure. It knows RFC
// 6455 and RFC 7692, and nothing of how conn reads; message is asked whether the server ends the connection upon it.
func model(in []byte, deflates bool, ends func(payload []byte) bool) (h heardBy) {
	var (
		message          []byte
		kind             byte
		open, compressed bool
	)
	end := func(code ws.StatusCode, failed bool) heardBy {
		if h.Ended == 0 {
			h.Ended = code
		}
		h.Failed = failed
		return h
	}
	for len(in) > 0 {
		fin, rsv, op := in[0]>>7 == 1, in[0]>>4&7, in[0]&15
		control, first := op >= 8, op == 1 || op == 2
		if op > 10 || op > 2 && !control || // 5.2
			rsv != 0 && !(rsv == 4 && deflates && first) || // 5.2, RFC 7692 6
			control && !fin || // 5.5
			first && open || op == 0 && !open { // 5.4
			return end(1002, true)
		}
		if len(in) == 1 {
			return h
		}
		masked, length := in[1]>>7 == 1, uint64(in[1]&127)
		if !masked || control && length > 125 { // 5.1, 5.5
			return end(1002, true)
		}
		at, least := 2, uint64(0)
		switch length {
		case 126:
			at, least = 4, 126
		case 127:
			at, least = 10, 1<<16
		}
		if at == 10 && len(in) > 2 && in[2]>>7 == 1 { // 5.2
			return end(1002, true)
		}
		if len(in) < at {
			return h
		}
		switch at {
		case 4:
			length = uint64(binary.BigEndian.Uint16(in[2:]))
		case 10:
			length = binary.BigEndian.Uint64(in[2:])
		}
		if length < least { // 5.2
			return end(1002, true)
		}
		if !control && uint64(len(message))+length > modelLimit { // 10.4
			return end(1009, true)
		}
		if len(in) < at+4 {
			return h
		}
		mask, rest := in[at:at+4], in[at+4:]
		whole := uint64(len(rest)) >= length
		var payload []byte
		for i, b := range rest[:min(uint64(len(rest)), length)] {
			payload = append(payload, b^mask[i%4])
		}
		in = rest[len(payload):]

		if control {
			if !whole {
				return h
			}
			switch op {
			case 8:
				return end(closeCode(payload), false)
			case 9:
				h.pings = append(h.pings, string(payload))
			}
			continue
		}
		if first {
			kind, compressed = op, rsv == 4
		}
		if h.Ended == 0 { // 5.5.1: behind our close frame data means nothing
			message = append(message, payload...)
			possible, ends := firstImpossible(message)
			if kind == 1 && !compressed && (possible < len(message) || whole && fin && !ends) { // 8.1
				return end(1007, true)
			}
		}
		if !whole {
			return h
		}
		if open = !fin; open || h.Ended != 0 {
			continue
		}
		if compressed {
			out, ok := inflated(message, modelLimit)
			if len(out) > modelLimit {
				return end(1009, true)
			}
			if _, utf8 := firstImpossible(out); !ok || kind == 1 && !utf8 {
				return end(1007, true)
			}
			message = out
		}
		h.Messages = append(h.Messages, fmt.Sprintf("%d %q", kind, message))
		if ends(message) {
			end(4000, false)
		}
		message = nil
	}
	return h
}

const modelLimit = 1000

// closeCode is what a close frame is answered with: 5.5.1, 7.4.
func closeCode(payload []byte) ws.StatusCode {
	if len(payload) == 0 {
		return 1005
	}
	if len(payload) == 1 {
		return 1002
	}
	code := ws.StatusCode(binary.BigEndian.Uint16(payload))
	switch code {
	case 1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014:
	default:
		if code < 3000 || code > 4999 {
			return 1002
		}
	}
	if _, whole := firstImpossible(payload[2:]); !whole {
		return 1007
	}
	return code
}
