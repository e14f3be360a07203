package conformance_test

import (
	"encoding/binary"
	"fmt"
	"strings"
	"testing"
)

// controls are the cases of RFC 6455 5.5.1 to 5.5.3, of 7.4 and of closing.
func controls() (all []exchange) {
	add := func(rule, label string, send []byte, end int, want ...frame) {
		all = append(all, exchange{rule, label, send, want, end})
	}
	for _, n := range []int{0, 1, 2, 4, 5, 124, 125} {
		payload := strings.Repeat("\x00\xff\xfe\x80p", 25)[:n] // a ping's payload need not be text
		add("6455 5.5.2", fmt.Sprintf("a ping of %d bytes", n), masked(fin|ping, payload), alive, frame{fin | pong, payload})
		add("6455 5.5.3", fmt.Sprintf("a pong of %d bytes that nobody asked for", n), masked(fin|pong, payload), alive)
	}
	add("6455 5.5.3", "many pongs", []byte(strings.Repeat(string(masked(fin|pong, "x")), 20)), alive)
	add("6455 5.5.2", "a ping behind a message", joined(masked(fin|text, "a"), masked(fin|ping, "b")), alive, frame{fin | text, "a"}, frame{fin | pong, "b"})
	add("6455 5.5.2 soon", "a ping before a message", joined(masked(fin|ping, "a"), masked(fin|text, "b")), alive, frame{fin | pong, "a"}, frame{fin | text, "b"})
	add("6455 5.5.2 soon", "a ping between messages", joined(masked(fin|text, "a"), masked(fin|ping, "b"), masked(fin|binaryData, "c")), alive, frame{fin | text, "a"}, frame{fin | pong, "b"}, frame{fin | binaryData, "c"})
	add("6455 5.5.2 soon", "a ping between fragments", joined(masked(text, "a"), masked(fin|ping, "b"), masked(fin|continuation, "c")), alive, frame{fin | pong, "b"}, frame{fin | text, "ac"})
	add("6455 5.5.2 soon", "a ping between each two of three fragments", joined(masked(text, "a"), masked(fin|ping, "1"), masked(continuation, "b"), masked(fin|ping, "2"), masked(fin|continuation, "c")),
		alive, frame{fin | pong, "1"}, frame{fin | pong, "2"}, frame{fin | text, "abc"})
	add("6455 5.5.2 soon", "a ping before a close frame", joined(masked(fin|ping, "a"), masked(fin|closing, closeBody(1000, ""))), 1000, frame{fin | pong, "a"})
	add("6455 5.5.2", "no pong to a ping behind a close frame", joined(masked(fin|closing, closeBody(1000, "")), masked(fin|ping, "late")), 1000)

	add("6455 5.5.1", "empty", masked(fin|closing, ""), 1005)
	add("6455 5.5.1", "of one byte", masked(fin|closing, "\x03"), 1002)
	add("6455 5.5.1", "with a code", masked(fin|closing, closeBody(1000, "")), 1000)
	add("6455 5.5.1", "with a reason", masked(fin|closing, closeBody(1000, "bye")), 1000)
	add("6455 5.5.1", "with a reason in UTF-8", masked(fin|closing, closeBody(1000, "Hello-µ@ßöäüàá-UTF-8!!")), 1000)
	add("6455 5.5.1", "with the longest reason", masked(fin|closing, closeBody(1000, strings.Repeat("x", 123))), 1000)
	add("6455 5.5.1", "with a reason too long by one", masked(fin|closing, closeBody(1000, strings.Repeat("x", 124))), 1002)
	add("6455 5.5.1", "network byte order", masked(fin|closing, string(binary.BigEndian.AppendUint16(nil, 3001))), 3001)
	add("6455 5.5.1", "messages before it are answered first", joined(masked(fin|text, "a"), masked(fin|binaryData, "b"), masked(fin|closing, closeBody(1000, ""))), 1000, frame{fin | text, "a"}, frame{fin | binaryData, "b"})
	for label, behind := range map[string][]byte{
		"a message":                  masked(fin|text, "late"),
		"a close frame":              masked(fin|closing, closeBody(1001, "")),
		"a fault":                    {0x7f, 0x7f, 0x7f},
		"64 KiB":                     masked(fin|binaryData, strings.Repeat("x", 65_536)),
		"a part of a message":        begun(fin|text, "late", 100),
		"text that is not UTF-8":     masked(fin|text, "\xff"),
		"the rest of a message":      masked(fin|continuation, "late"),
		"a message above the limit":  length64(fin|text, 1<<40),
		"a length with the top bit":  length64(fin|text, 1<<63),
		"a close frame of one byte":  masked(fin|closing, "\x03"),
		"a code that may not be":     masked(fin|closing, closeBody(1006, "")),
		"a frame that is not masked": {fin | text, 1, 'x'},
	} {
		add("6455 5.5.1 behind", label, joined(masked(fin|closing, closeBody(1000, "")), behind), 1000)
	}
	add("6455 5.5.1 behind", "in the middle of a message", joined(masked(text, "a"), masked(fin|closing, closeBody(1000, "")), masked(fin|continuation, "b")), 1000)

	for _, bad := range []string{"\xff", "a\x80", "caf\xe9", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xc0\xaf", "cut \xe2\x82", strings.Repeat("x", 122) + "\xc3", "\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xed\xa0\x80edited"} {
		add("6455 8.1 reason", fmt.Sprintf("%.20q", bad), masked(fin|closing, closeBody(1000, bad)), 1007)
	}
	add("6455 8.1 reason", "a bad code comes before a bad reason", masked(fin|closing, closeBody(999, "\xff")), 1002)
	return all
}

func TestControls(t *testing.T) { runExchanges(t, controls()) }
