package conformance_test

import (
	"fmt"
	"strings"
	"testing"
)

// fragments are the cases of RFC 6455 5.4.
func fragments() (all []exchange) {
	add := func(rule, label string, send []byte, end int, want ...frame) {
		all = append(all, exchange{rule, label, send, want, end})
	}
	for _, op := range []byte{text, binaryData} {
		kind := map[byte]string{text: "text", binaryData: "binary"}[op]
		all := func(label string, send []byte, want string) {
			add("6455 5.4", kind+" "+label, send, alive, frame{fin | op, want})
		}
		all("in one", masked(fin|op, "abc"), "abc")
		all("in two", joined(masked(op, "ab"), masked(fin|continuation, "c")), "abc")
		all("in three", joined(masked(op, "a"), masked(continuation, "b"), masked(fin|continuation, "c")), "abc")
		all("whose first is empty", joined(masked(op, ""), masked(fin|continuation, "abc")), "abc")
		all("whose last is empty", joined(masked(op, "abc"), masked(fin|continuation, "")), "abc")
		all("whose middle is empty", joined(masked(op, "a"), masked(continuation, ""), masked(fin|continuation, "bc")), "abc")
		all("in three that are empty", joined(masked(op, ""), masked(continuation, ""), masked(fin|continuation, "")), "")
		all("in a hundred", joined(masked(op, "a"), []byte(strings.Repeat(string(masked(continuation, "b")), 98)), masked(fin|continuation, "c")), "a"+strings.Repeat("b", 98)+"c")
		all("in two of 32 KiB", joined(masked(op, strings.Repeat("a", 1<<15)), masked(fin|continuation, strings.Repeat("b", 1<<15))), strings.Repeat("a", 1<<15)+strings.Repeat("b", 1<<15))
		all("up to the limit", joined(masked(op, strings.Repeat("a", most-1)), masked(continuation, ""), masked(fin|continuation, "b")), strings.Repeat("a", most-1)+"b")

		add("6455 5.4 interjected", "a ping within "+kind, joined(masked(op, "ab"), masked(fin|ping, "!")), alive, frame{fin | pong, "!"})
		add("6455 5.4 interjected", "a pong within "+kind, joined(masked(op, "ab"), masked(fin|pong, "!"), masked(fin|continuation, "c")), alive, frame{fin | op, "abc"})
		add("6455 5.4 interjected", "a close within "+kind, joined(masked(op, "ab"), masked(fin|closing, closeBody(1001, ""))), 1001)
		add("6455 5.4 interjected", "a faulty ping within "+kind, joined(masked(op, "ab"), []byte{ping}), 1002)

		add("6455 5.4 interleaved", "text begins within "+kind, joined(masked(op, "a"), []byte{fin | text}), 1002)
		add("6455 5.4 interleaved", "binary begins within "+kind, joined(masked(op, "a"), []byte{fin | binaryData}), 1002)
		add("6455 5.4 interleaved", "fragmented text begins within "+kind, joined(masked(op, "a"), masked(continuation, "b"), []byte{text}), 1002)
		add("6455 5.4 interleaved", "it begins behind an empty first "+kind, joined(masked(op, ""), []byte{fin | text}), 1002)
		add("6455 5.4 continuation", "of "+kind+" that has ended", joined(masked(fin|op, "a"), []byte{fin | continuation}), 1002, frame{fin | op, "a"})
		add("6455 5.4 continuation", "of fragmented "+kind+" that has ended", joined(masked(op, "a"), masked(fin|continuation, "b"), []byte{continuation}), 1002, frame{fin | op, "ab"})

		add("6455 6.2", kind+" behind fragmented text is a new message", joined(masked(text, "a"), masked(fin|continuation, "b"), masked(fin|op, "c")), alive, frame{fin | text, "ab"}, frame{fin | op, "c"})
		add("6455 6.2", kind+" behind fragmented binary is a new message", joined(masked(binaryData, "a"), masked(fin|continuation, "b"), masked(fin|op, "c")), alive, frame{fin | binaryData, "ab"}, frame{fin | op, "c"})

		over := joined(masked(op, strings.Repeat("a", most)), header(fin|continuation, 1))
		add("6455 7.4.1 1009", "fragments of "+kind+" that are too big together, found by a header", over, 1009)
		add("6455 7.4.1 1009", kind+" too big in one", header(fin|op, most+1), 1009)
		add("6455 7.4.1 1009", kind+" too big in its first fragment", header(op, most+1), 1009)
	}
	add("6455 5.4 continuation", "of nothing", []byte{fin | continuation}, 1002)
	add("6455 5.4 continuation", "of nothing, not the last", []byte{continuation}, 1002)
	add("6455 5.4 continuation", "of nothing, behind a ping", joined(masked(fin|ping, "x"), []byte{fin | continuation}), 1002, frame{fin | pong, "x"})
	for _, op := range []byte{closing, ping, pong} {
		for _, payload := range []string{"", closeBody(1000, "")} {
			add("6455 5.5 fragmented", fmt.Sprintf("opcode %x with %d bytes", op, len(payload)), masked(op, payload), 1002)
		}
		add("6455 5.5 fragmented", fmt.Sprintf("opcode %x, found by the first byte", op), []byte{op}, 1002)
		add("6455 5.5 fragmented", fmt.Sprintf("opcode %x with a continuation", op), joined(masked(op, "a"), masked(fin|continuation, "b")), 1002)
		for _, n := range []int{126, 127} {
			add("6455 5.5 length", fmt.Sprintf("opcode %x, a first length of %d, found by that byte", op, n), []byte{fin | op, 0x80 | byte(n)}, 1002)
		}
		for _, n := range []int{126, 127, 65_535, 65_536} {
			add("6455 5.5 length", fmt.Sprintf("opcode %x of %d bytes", op, n), masked(fin|op, closeBody(1000, strings.Repeat("x", n-2))), 1002)
		}
		add("6455 5.5 length", fmt.Sprintf("opcode %x of 5 bytes in 16 bits", op), joined(length16(fin|op, 5), key[:], xor(key, closeBody(1000, "abc"))), 1002)
	}
	return all
}

func TestFragments(t *testing.T) { runExchanges(t, fragments()) }
