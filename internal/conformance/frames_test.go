package conformance_test

import (
	"fmt"
	"strings"
	"testing"
)

// frames are the cases of RFC 6455 5.1 to 5.3 and 5.6: one frame, and what it is made of.
func frames() (all []exchange) {
	add := func(rule, label string, send []byte, end int, want ...frame) {
		all = append(all, exchange{rule, label, send, want, end})
	}

	for _, op := range []byte{continuation, text, binaryData, closing, ping, pong} {
		payload := ""
		if op == closing {
			payload = closeBody(1000, "")
		}
		add("6455 5.1 mask", fmt.Sprintf("opcode %x without one", op), append([]byte{fin | op, byte(len(payload))}, payload...), 1002)
		add("6455 5.1 mask", fmt.Sprintf("opcode %x, found by its second byte", op), []byte{fin | op, 10}, 1002)
	}
	add("6455 5.1 mask", "without one, behind one that has it", joined(masked(fin|text, "a"), []byte{fin | text, 1, 'b'}), 1002, frame{fin | text, "a"})
	add("6455 5.1 mask", "without one, in the middle of a message", joined(masked(text, "a"), []byte{fin | continuation, 1, 'b'}), 1002)

	for bits := byte(rsv3); bits < fin; bits += rsv3 {
		for _, op := range []byte{text, binaryData, ping, pong, closing} {
			add("6455 5.2 RSV", fmt.Sprintf("bits %03b on opcode %x", bits>>4, op), masked(fin|bits|op, ""), 1002)
		}
		add("6455 5.2 RSV", fmt.Sprintf("bits %03b, found by the first byte", bits>>4), []byte{fin | bits | text}, 1002)
		add("6455 5.2 RSV", fmt.Sprintf("bits %03b behind a message", bits>>4), joined(masked(fin|text, "a"), []byte{fin | bits | text}), 1002, frame{fin | text, "a"})
		add("6455 5.2 RSV", fmt.Sprintf("bits %03b on a continuation", bits>>4), joined(masked(text, "a"), []byte{fin | bits | continuation}), 1002)
	}

	for _, op := range []byte{3, 4, 5, 6, 7, 0xb, 0xc, 0xd, 0xe, 0xf} {
		add("6455 5.2 opcode", fmt.Sprintf("%x, empty", op), masked(fin|op, ""), 1002)
		add("6455 5.2 opcode", fmt.Sprintf("%x, with a payload", op), masked(fin|op, "reserved"), 1002)
		add("6455 5.2 opcode", fmt.Sprintf("%x without FIN, found by the first byte", op), []byte{op}, 1002)
		add("6455 5.2 opcode", fmt.Sprintf("%x behind a message", op), joined(masked(fin|text, "a"), []byte{fin | op}), 1002, frame{fin | text, "a"})
		add("6455 5.2 opcode", fmt.Sprintf("%x in the middle of a message", op), joined(masked(text, "a"), []byte{fin | op}), 1002)
	}

	for _, n := range []int{0, 1, 2, 3, 4, 5, 7, 8, 9, 124, 125, 126, 127, 128, 255, 256, 4095, 4096, 32_767, 32_768, 65_534, 65_535, 65_536, 65_537, most} {
		payload := strings.Repeat("0123456789abcdef*", n/17+1)[:n]
		add("6455 5.2 length", fmt.Sprintf("%d bytes of text", n), masked(fin|text, payload), alive, frame{fin | text, payload})
		add("6455 5.2 length", fmt.Sprintf("%d bytes", n), masked(fin|binaryData, payload), alive, frame{fin | binaryData, payload})
	}
	for _, n := range []int{0, 1, 124, 125} {
		add("6455 5.2 minimal", fmt.Sprintf("%d in 16 bits", n), append(length16(fin|binaryData, n), joined(key[:], make([]byte, n))...), 1002)
	}
	for _, n := range []uint64{0, 1, 125, 126, 127, 256, 65_534, 65_535} {
		add("6455 5.2 minimal", fmt.Sprintf("%d in 64 bits", n), length64(fin|binaryData, n), 1002)
		add("6455 5.2 minimal", fmt.Sprintf("%d in 64 bits, on a continuation", n), joined(masked(text, "a"), length64(fin|continuation, n)), 1002)
	}
	add("6455 5.2 minimal", "0 in 16 bits, found before the mask", length16(fin|text, 0), 1002)
	for _, top := range []byte{0x80, 0xff} {
		add("6455 5.2 top bit", fmt.Sprintf("%x, found by that byte", top), []byte{fin | binaryData, 0x80 | 127, top}, 1002)
		add("6455 5.2 top bit", fmt.Sprintf("%x on a continuation", top), joined(masked(text, "a"), []byte{fin | continuation, 0x80 | 127, top}), 1002)
	}
	add("6455 5.2 top bit", "2^63", append(length64(fin|binaryData, 1<<63), key[:]...), 1002)
	add("6455 5.2 top bit", "2^64-1", append(length64(fin|text, 1<<64-1), key[:]...), 1002)
	add("6455 5.2 top bit", "2^63+5, which ends as 5 in an int that overflows", joined(length64(fin|text, 1<<63+5), key[:], xor(key, "hello")), 1002)

	for _, n := range []uint64{most + 1, 1 << 31, 1<<31 - 1, 1 << 32, 1<<32 + 5, 1<<63 - 1} {
		add("6455 7.4.1 1009", fmt.Sprintf("a length of %d, found before a byte of it", n), length64(fin|binaryData, n), 1009)
	}

	for _, k := range [][4]byte{{}, {0xff, 0xff, 0xff, 0xff}, {0, 0, 0, 1}, {'H', 'e', 'l', 'l'}, key} {
		add("6455 5.3", fmt.Sprintf("key %x", k), maskedWith(k, fin|text, "Hello, masked"), alive, frame{fin | text, "Hello, masked"})
		add("6455 5.3", fmt.Sprintf("key %x on a ping", k), maskedWith(k, fin|ping, "Hello"), alive, frame{fin | pong, "Hello"})
	}
	add("6455 5.3", "another key for each frame", joined(maskedWith([4]byte{1, 2, 3, 4}, text, "a£"), maskedWith([4]byte{9, 8, 7, 6}, continuation, "€b"), maskedWith([4]byte{0, 0xff, 0, 0xff}, fin|continuation, "c")),
		alive, frame{fin | text, "a£€bc"})

	add("6455 5.6", "text", masked(fin|text, "Hello-µ@ßöäüàá-UTF-8!!"), alive, frame{fin | text, "Hello-µ@ßöäüàá-UTF-8!!"})
	add("6455 5.6", "binary takes any byte", masked(fin|binaryData, everyByte()), alive, frame{fin | binaryData, everyByte()})
	add("6455 5.6", "empty text", masked(fin|text, ""), alive, frame{fin | text, ""})
	add("6455 5.6", "empty binary", masked(fin|binaryData, ""), alive, frame{fin | binaryData, ""})

	hello := "\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"
	add("6455 5.7", "Hello, masked", []byte(hello), alive, frame{fin | text, "Hello"})
	add("6455 5.7", "Hello, not masked", []byte("\x81\x05Hello"), 1002)
	add("6455 5.7", "Hello in a ping", append([]byte{0x89}, hello[1:]...), alive, frame{fin | pong, "Hello"})
	add("6455 5.7", "Hello in a pong", append([]byte{0x8a}, hello[1:]...), alive)
	add("6455 5.7", "Hel and lo, masked", joined(masked(text, "Hel"), masked(fin|continuation, "lo")), alive, frame{fin | text, "Hello"})
	add("6455 5.7", "256 bytes", masked(fin|binaryData, everyByte()), alive, frame{fin | binaryData, everyByte()})
	add("6455 5.7", "64 KiB", masked(fin|binaryData, strings.Repeat(everyByte(), 256)), alive, frame{fin | binaryData, strings.Repeat(everyByte(), 256)})
	return all
}

func everyByte() string {
	b := make([]byte, 256)
	for i := range b {
		b[i] = byte(i)
	}
	return string(b)
}

func TestFrames(t *testing.T) { runExchanges(t, frames()) }
