package conn_test

import (
	"strings"

	"github.com/gobwas/ws"
)

// header returns a frame header byte by byte, masked with zeros, for what no library would write.
func header(bytes ...byte) string { return string(append(bytes, 0, 0, 0, 0)) }

// bye ends a stream that the server has no reason to end.
var bye = closing(ws.StatusNormalClosure, "")

const maxMessage = 300

func as(n int) string { return strings.Repeat("a", n) }

// streams are what a client may send once it is open, by the clause of RFC 6455 that says what follows from it.
var streams = []struct {
	clause, label, in string
	want              string // the frames that come back, and how the stream ends
}{
	{"5.6", "text", text("hello") + bye, "text hello, close 1000, EOF"},
	{"5.6", "an empty text", text("") + bye, "text , close 1000, EOF"},
	{"5.6", "binary", binaryMessage("\x00\xff\xfe") + bye, "binary \x00\xff\xfe, close 1000, EOF"},
	{"5.6", "two messages", text("one") + binaryMessage("two") + bye, "text one, binary two, close 1000, EOF"},
	{"5.2", "text of 125 bytes", text(as(125)) + bye, "text " + as(125) + ", close 1000, EOF"},
	{"5.2", "text of 126 bytes", text(as(126)) + bye, "text " + as(126) + ", close 1000, EOF"},
	{"10.4", "as long as allowed", text(as(maxMessage)) + bye, "text " + as(maxMessage) + ", close 1000, EOF"},
	{"5.4", "fragments", fragment(ws.OpText, false, "a") + fragment(ws.OpContinuation, false, "b") + fragment(ws.OpContinuation, true, "c") + bye,
		"text abc, close 1000, EOF"},
	{"5.4", "fragments of nothing", fragment(ws.OpBinary, false, "") + fragment(ws.OpContinuation, true, "") + bye, "binary , close 1000, EOF"},
	{"5.4", "empty fragments, and a last that has all", fragment(ws.OpText, false, "") + fragment(ws.OpContinuation, false, "") + fragment(ws.OpContinuation, true, "all") + bye,
		"text all, close 1000, EOF"},
	{"5.4", "control frames between fragments",
		fragment(ws.OpText, false, "a") + ping("x") + fragment(ws.OpContinuation, false, "b") + pong("y") + fragment(ws.OpContinuation, true, "c") + bye,
		"pong x, text abc, close 1000, EOF"},
	{"5.5.1", "a close between fragments", fragment(ws.OpText, false, "a") + bye, "close 1000, EOF"},
	{"5.4", "fragments, then a message", fragment(ws.OpText, false, "a") + fragment(ws.OpContinuation, true, "b") + binaryMessage("c") + bye,
		"text ab, binary c, close 1000, EOF"},
	{"5.6", "a character cut by a fragment", fragment(ws.OpText, false, "\xe2\x82") + fragment(ws.OpContinuation, true, "\xac") + bye, "text €, close 1000, EOF"},
	{"5.6", "a character cut by fragments, one of them empty",
		fragment(ws.OpText, false, "\xf0") + fragment(ws.OpContinuation, false, "\x9f\x98") + fragment(ws.OpContinuation, false, "") + fragment(ws.OpContinuation, true, "\x80") + bye,
		"text 😀, close 1000, EOF"},
	{"5.5.2", "a ping", ping("are you there?") + bye, "pong are you there?, close 1000, EOF"},
	{"5.5.2", "an empty ping", ping("") + bye, "pong , close 1000, EOF"},
	{"5.5", "a ping of 125 bytes", ping(strings.Repeat("p", 125)) + bye, "pong " + strings.Repeat("p", 125) + ", close 1000, EOF"},
	{"5.5.3", "a pong that nobody asked for", pong("x") + bye, "close 1000, EOF"},

	{"7.4.1", "close 1000", closing(1000, "done"), "close 1000, EOF"},
	{"7.4.1", "close 1001", closing(1001, ""), "close 1001, EOF"},
	{"7.4.1", "close 1002", closing(1002, ""), "close 1002, EOF"},
	{"7.4.1", "close 1003", closing(1003, ""), "close 1003, EOF"},
	{"7.4.1", "close 1007", closing(1007, ""), "close 1007, EOF"},
	{"7.4.1", "close 1008", closing(1008, ""), "close 1008, EOF"},
	{"7.4.1", "close 1009", closing(1009, ""), "close 1009, EOF"},
	{"7.4.1", "close 1010", closing(1010, ""), "close 1010, EOF"},
	{"7.4.1", "close 1011", closing(1011, ""), "close 1011, EOF"},
	{"11.7", "close 1012, registered later", closing(1012, ""), "close 1012, EOF"},
	{"11.7", "close 1013, registered later", closing(1013, ""), "close 1013, EOF"},
	{"11.7", "close 1014, registered later", closing(1014, ""), "close 1014, EOF"},
	{"7.4.2", "close 3000", closing(3000, ""), "close 3000, EOF"},
	{"7.4.2", "close 3999", closing(3999, ""), "close 3999, EOF"},
	{"7.4.2", "close 4000", closing(4000, ""), "close 4000, EOF"},
	{"7.4.2", "close 4999", closing(4999, ""), "close 4999, EOF"},
	{"5.5", "close with the longest reason", closing(1000, as(123)), "close 1000, EOF"},
	{"7.1.5", "close without a code", fragment(ws.OpClose, true, ""), "close, EOF"},
	{"5.5.1", "close of one byte", fragment(ws.OpClose, true, "x"), "close 1002, EOF"},
	{"7.4.2", "close 0", closing(0, ""), "close 1002, EOF"},
	{"7.4.2", "close 999", closing(999, ""), "close 1002, EOF"},
	{"7.4.1", "close 1004", closing(1004, ""), "close 1002, EOF"},
	{"7.4.1", "close 1005", closing(1005, ""), "close 1002, EOF"},
	{"7.4.1", "close 1006", closing(1006, ""), "close 1002, EOF"},
	{"7.4.1", "close 1015", closing(1015, ""), "close 1002, EOF"},
	{"7.4.2", "close 1016", closing(1016, ""), "close 1002, EOF"},
	{"7.4.2", "close 1100", closing(1100, ""), "close 1002, EOF"},
	{"7.4.2", "close 2000", closing(2000, ""), "close 1002, EOF"},
	{"7.4.2", "close 2999", closing(2999, ""), "close 1002, EOF"},
	{"7.4", "close 5000", closing(5000, ""), "close 1002, EOF"},
	{"7.4", "close 65535", closing(65535, ""), "close 1002, EOF"},
	{"5.5.1", "close with a reason that is no UTF-8", closing(1000, "\xff"), "close 1007, EOF"},
	{"5.5.1", "close with a reason that ends within a character", closing(1000, "\xe2\x82"), "close 1007, EOF"},
	{"5.5.1", "whatever follows a close", bye + text("and") + ping("!") + header(0xff, 0xff), "close 1000, EOF"},

	{"5.1", "no mask", string(serverFrame(ws.OpText, "hi")), "close 1002, EOF"},
	{"5.1", "no mask, by the second byte", "\x81\x05", "close 1002, EOF"},
	{"5.1", "a close without a mask", "\x88\x00", "close 1002, EOF"},
	{"5.2", "RSV1, by the first byte", "\xc1", "close 1002, EOF"},
	{"5.2", "RSV2", "\xa1", "close 1002, EOF"},
	{"5.2", "RSV3", "\x91", "close 1002, EOF"},
	{"5.2", "RSV1 of a ping", "\xc9", "close 1002, EOF"},
	{"5.2", "RSV1 of a continuation", fragment(ws.OpText, false, "a") + "\xc0", "close 1002, EOF"},
	{"5.2", "opcode 3", "\x83", "close 1002, EOF"},
	{"5.2", "opcode 7", "\x07", "close 1002, EOF"},
	{"5.2", "opcode 11", "\x8b", "close 1002, EOF"},
	{"5.2", "opcode 15", "\x8f", "close 1002, EOF"},
	{"5.5", "a ping of 126 bytes, by the second byte", "\x89\xfe", "close 1002, EOF"},
	{"5.5", "a pong with a length of 64 bits", "\x8a\xff", "close 1002, EOF"},
	{"5.5", "a close of 126 bytes", header(0x88, 0xfe, 0, 126), "close 1002, EOF"},
	{"5.5", "a fragmented ping", "\x09", "close 1002, EOF"},
	{"5.5", "a fragmented close", "\x08", "close 1002, EOF"},
	{"5.2", "a length with its top bit set", header(0x82, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 1), "close 1002, EOF"},
	{"5.2", "a length with its top bit set, by that byte", "\x82\xff\x80", "close 1002, EOF"},
	{"5.2", "5 in 16 bits", "\x82\xfe\x00\x05", "close 1002, EOF"},
	{"5.2", "125 in 16 bits", "\x82\xfe\x00\x7d", "close 1002, EOF"},
	{"5.2", "125 in 64 bits", "\x82\xff\x00\x00\x00\x00\x00\x00\x00\x7d", "close 1002, EOF"},
	{"5.2", "65535 in 64 bits", "\x82\xff\x00\x00\x00\x00\x00\x00\xff\xff", "close 1002, EOF"},
	{"5.4", "a continuation of nothing, by the first byte", "\x80", "close 1002, EOF"},
	{"5.4", "a continuation of what has ended", text("a") + "\x00", "text a, close 1002, EOF"},
	{"5.4", "a message inside a message, by the first byte", fragment(ws.OpText, false, "a") + "\x81", "close 1002, EOF"},
	{"5.4", "a fragment inside a message", fragment(ws.OpText, false, "a") + ping("x") + "\x02", "pong x, close 1002, EOF"},
	{"7.1.7", "a message, then a fault", text("a") + "\xc1", "text a, close 1002, EOF"},
	{"7.1.7", "a fault, then messages", header(0xc1, 0x80) + text("a") + text("b"), "close 1002, EOF"},

	{"10.4", "longer than allowed, by its length", "\x82\xfe\x01\x2d", "close 1009, EOF"},
	{"10.4", "much longer", header(0x81, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff), "close 1009, EOF"},
	{"10.4", "fragments longer than allowed together", fragment(ws.OpBinary, false, as(maxMessage)) + "\x00\x81", "close 1009, EOF"},
	{"10.4", "a last fragment beyond all numbers", fragment(ws.OpBinary, false, "a") + header(0x80, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff), "close 1009, EOF"},

	{"8.1", "text that is no UTF-8", text("a\xffb"), "close 1007, EOF"},
	{"8.1", "text that ends within a character", text("\xe2\x82"), "close 1007, EOF"},
	{"8.1", "fragments that end within a character", fragment(ws.OpText, false, "\xe2") + fragment(ws.OpContinuation, true, "\x82"), "close 1007, EOF"},
	{"8.1", "a character that an empty fragment ends", fragment(ws.OpText, false, "\xe2") + fragment(ws.OpContinuation, true, ""), "close 1007, EOF"},
	{"8.1", "a surrogate", text("\xed\xa0\x80"), "close 1007, EOF"},
	{"8.1", "beyond Unicode", text("\xf4\x90\x80\x80"), "close 1007, EOF"},
	{"8.1", "longer than need be", text("\xc0\xaf"), "close 1007, EOF"},
	{"8.1", "fragments that are no UTF-8", fragment(ws.OpText, false, "\xe2") + fragment(ws.OpContinuation, true, "a"), "close 1007, EOF"},
	{"8.1", "the first impossible byte of a frame that is not whole", text(as(100) + "\xff" + as(100))[:109], "close 1007, EOF"},
	{"8.1", "a second byte that is impossible after the first", text("\xf4\x90" + as(100))[:8], "close 1007, EOF"},
	{"8.1", "the first impossible byte of a fragment that is not whole",
		fragment(ws.OpText, false, "\xce\xba\xe1\xbd\xb9") + fragment(ws.OpContinuation, false, "\xf4\x90"+as(50))[:8], "close 1007, EOF"},
	{"5.6", "binary that is no UTF-8", binaryMessage("\xff") + bye, "binary \xff, close 1000, EOF"},
	{"5.6", "binary after text", text("a") + binaryMessage("\xff") + text("b") + bye, "text a, binary \xff, text b, close 1000, EOF"},
}
