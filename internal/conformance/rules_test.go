package conformance_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// rule is one of an RFC's. One that binds no server, or that nobody can see from
// outside, has no case: unseen says why.
type rule struct{ clause, says, unseen string }

// rules are all of RFC 6455 sections 4 to 8 and of RFC 7692 section 7, with what
// these refer to, in the order in which they stand there.
var rules = []rule{
	{"6455 4.1", "how a client opens, and what it makes of the answer", "the client's; what comes of its faults is 4.2.1"},
	{"6455 4.2", "others MAY manage the connection", "a choice of who operates it: docs/PROXIES.md"},
	{"6455 4.2.1", "a handshake that breaks the grammar MUST be answered with an HTTP error", ""},
	{"6455 4.2.1 (1)", "a GET of HTTP/1.1 or higher, of a path or an absolute URI", ""},
	{"6455 4.2.1 (2)", "Host", ""},
	{"6455 4.2.1 (3)", "Upgrade with websocket, in any case", ""},
	{"6455 4.2.1 (4)", "Connection with the token Upgrade, in any case", ""},
	{"6455 4.2.1 (5)", "Sec-WebSocket-Key: 16 bytes in base64, once (11.3.1)", ""},
	{"6455 4.2.1 (6)", "Sec-WebSocket-Version: 13", ""},
	{"6455 4.2.1 (7)", "who sends no Origin SHOULD NOT be taken for a browser", ""},
	{"6455 4.2.1 (8)", "Sec-WebSocket-Protocol is optional, in order of preference", "what comes of it is 4.2.2 (4) subprotocol"},
	{"6455 4.2.1 (9)", "Sec-WebSocket-Extensions is optional", "what comes of it is 4.2.2 (4) extensions"},
	{"6455 4.2.1 (10)", "other header fields are for others, unknown ones are ignored", ""},
	{"6455 4.2.2 (1)", "on an HTTPS port TLS comes first", "the public door does not speak TLS: whoever does stands before it"},
	{"6455 4.2.2 (2)", "a server may ask for authentication: 401 with WWW-Authenticate", ""},
	{"6455 4.2.2 (3)", "a server MAY redirect", "it never does"},
	{"6455 4.2.2 (4) origin", "an origin that is not welcome MUST get an HTTP error", ""},
	{"6455 4.2.2 (4) version", "another version MUST get an HTTP error and Sec-WebSocket-Version", ""},
	{"6455 4.2.2 (4) resource", "a service that is not there MUST get an HTTP error", ""},
	{"6455 4.2.2 (4) subprotocol", "MUST be one that was asked for, or no header field", ""},
	{"6455 4.2.2 (4) extensions", "none that was not asked for", ""},
	{"6455 4.2.2 (5)", "101, Upgrade, Connection, Sec-WebSocket-Accept; the connection is open behind it", ""},
	{"6455 4.3", "the grammar of the header fields; a response has each at most once", "part of every handshake here"},
	{"6455 4.4", "who does not speak the version asked for MUST say which it speaks", ""},

	{"6455 5.1 mask", "a frame that is not masked MUST end the connection; 1002 MAY be said", ""},
	{"6455 5.1 server", "a server MUST NOT mask", ""},
	{"6455 5.2 RSV", "reserved bits that were not negotiated MUST fail the connection", ""},
	{"6455 5.2 opcode", "so MUST opcodes that are reserved", ""},
	{"6455 5.2 length", "7, 7+16 or 7+64 bits, in network byte order", ""},
	{"6455 5.2 minimal", "in as few bytes as it takes", ""},
	{"6455 5.2 top bit", "the top bit of 64 MUST be 0", ""},
	{"6455 5.3", "octet i is masked by octet i mod 4 of the key, and the server takes that off", ""},
	{"6455 5.3 key", "the key MUST NOT be predictable", "the client's"},
	{"6455 5.4", "messages MUST be taken whole and in fragments of any size, which are put together in order", ""},
	{"6455 5.4 interjected", "control frames MAY stand between fragments and MUST be handled there", ""},
	{"6455 5.4 interleaved", "fragments of two messages MUST NOT be mixed", ""},
	{"6455 5.4 continuation", "a continuation continues something", ""},
	{"6455 5.4 intermediary", "MUST NOT change the fragmentation where it does not know what bits mean", "an intermediary's"},
	{"6455 5.5 length", "control frames MUST have 125 bytes or less", ""},
	{"6455 5.5 fragmented", "and MUST NOT be fragmented", ""},
	{"6455 5.5.1", "a close frame MUST be answered, typically with its code, and TCP ended immediately; its body begins with two bytes of code", ""},
	{"6455 5.5.1 behind", "no data frames behind a close frame, and no heed to them", ""},
	{"6455 5.5.2", "a ping MUST be answered by a pong with the same data, unless a close frame has come", ""},
	{"6455 5.5.2 soon", "as soon as is practical (SHOULD): before what comes of later frames", ""},
	{"6455 5.5.3", "a pong that nobody asked for MAY come and needs no answer", ""},
	{"6455 5.5.3 newest", "a pong MAY stand for pings before it", ""},
	{"6455 5.6", "text is UTF-8, in whole messages; binary is anything", ""},
	{"6455 5.7", "the examples", ""},
	{"6455 5.8", "extensions MUST be negotiated", "its faults are those of 5.2 RSV and 5.2 opcode"},

	{"6455 6.1", "what is sent is in frames, with the opcode of its kind and FIN on the last", ""},
	{"6455 6.1 open", "and MUST stop where the connection's state changes; frames go out whole", ""},
	{"6455 6.2", "type and data of a message are those of its fragments; what follows is another message", ""},

	{"6455 7.1.1", "TCP is ended cleanly, by the server first, and by any means where that does not come about", ""},
	{"6455 7.1.2", "who starts the closing handshake MUST send a close frame; when both have come TCP is ended", ""},
	{"6455 7.1.3", "when the closing handshake is started", "a definition, as are 7.1.4, 7.1.5 and 7.1.6"},
	{"6455 7.1.7", "failing: a close frame with the right code SHOULD be sent, TCP ended, and nothing more be processed, a close frame neither", ""},
	{"6455 7.1.7 log", "the problem SHOULD be logged", "counted by code instead, in /metrics: a log line for each is what an attacker would like"},
	{"6455 7.2.1", "a client fails when the handshake or the transport does", "the client's"},
	{"6455 7.2.2", "an aborted handshake is the end of the connection", ""},
	{"6455 7.2.3", "clients SHOULD back off before they come back", "the client's; docs/PROTOCOL.md tells them how"},
	{"6455 7.3", "servers MAY close whenever they like, by the closing handshake", ""},
	{"6455 7.4.1 codes", "1000 to 1003 and 1007 to 1011 may come", ""},
	{"6455 7.4.1 1003", "data of a kind that is not accepted", ""},
	{"6455 7.4.1 1004", "is reserved", ""},
	{"6455 7.4.1 1005", "MUST NOT be in a close frame", ""},
	{"6455 7.4.1 1006", "MUST NOT be in a close frame", ""},
	{"6455 7.4.1 1009", "a message too big to be processed, as 10.4 recommends to have a limit", ""},
	{"6455 7.4.1 1015", "MUST NOT be in a close frame", ""},
	{"6455 7.4.2 0-999", "are not used", ""},
	{"6455 7.4.2 1000-2999", "are for this protocol, its revisions and extensions", ""},
	{"6455 7.4.2 3000-4999", "are for libraries and applications", ""},
	{"6455 7.4.2 above", "there are no others", ""},

	{"6455 8.1", "what is not UTF-8 where it has to be MUST fail the connection, during the handshake too", ""},
	{"6455 8.1 valid", "and what is must not", ""},
	{"6455 8.1 invalid", "in a message, whole or in fragments", ""},
	{"6455 8.1 at once", "when its first impossible byte has come", ""},
	{"6455 8.1 reason", "in the reason of a close frame (5.5.1)", ""},

	{"6455 9.1", "a list of extensions that breaks the grammar MUST fail the connection", ""},
	{"7692 5.1", "offers in order of preference, of which a server accepts one or none", ""},
	{"7692 5.2", "what a client does with an answer that it did not ask for", "the client's"},
	{"7692 6.1", "RSV1 on control frames and on continuations MUST fail the connection", ""},
	{"7692 6.2", "a message without RSV1 is not compressed", ""},
	{"7692 7", "permessage-deflate", ""},
	{"7692 7.1 undefined", "an offer with a parameter that is none MUST be declined", ""},
	{"7692 7.1 twice", "so MUST one with a parameter twice", ""},
	{"7692 7.1.1.1", "server_no_context_takeover has no value; accepted by the same", ""},
	{"7692 7.1.1.2", "client_no_context_takeover has no value; MAY be answered unasked", ""},
	{"7692 7.1.2.1", "server_max_window_bits: 8 to 15; accepted by that or less, or declined", ""},
	{"7692 7.1.2.2", "client_max_window_bits: none or 8 to 15; need not be answered", ""},
	{"7692 7.1.3", "the examples of offers", ""},
	{"7692 7.2.1", "compressed by itself, without the last four bytes", ""},
	{"7692 7.2.2", "put together and inflated, however it was cut into blocks and fragments", ""},
	{"7692 7.2.2 bad", "what is not deflate fails the connection", ""},
	{"7692 7.2.3.1", "example: one block", ""},
	{"7692 7.2.3.2", "example: a shared window, refused after client_no_context_takeover", ""},
	{"7692 7.2.3.3", "example: a stored block", ""},
	{"7692 7.2.3.4", "example: BFINAL", ""},
	{"7692 7.2.3.5", "example: two blocks", ""},
	{"7692 7.2.3.6", "example: an empty message", ""},
	{"7692 8", "an intermediary MAY change compression", "an intermediary's"},
}

// TestRules: every rule that binds a server and can be seen has a case, no other
// has, and no case is about anything else.
func TestRules(t *testing.T) {
	cases := make(map[string]int)
	for _, exchanges := range [][]exchange{frames(), fragments(), controls(), texts()} {
		for _, x := range exchanges {
			cases[x.rule]++
		}
	}
	for _, x := range deflations() {
		cases[x.rule]++
	}
	for _, o := range slices.Concat(openings, offers) {
		cases[o.rule]++
	}
	for _, stories := range [][]story{around, bytePairs, ranges(), closings, sendings} {
		for _, s := range stories {
			cases[s.rule]++
		}
	}
	for _, r := range rules {
		if r.unseen == "" {
			require.NotZero(t, cases[r.clause], "no case of RFC %s: %s", r.clause, r.says)
			t.Logf("RFC %s: %s: %d cases", r.clause, r.says, cases[r.clause])
		} else {
			require.Zero(t, cases[r.clause], "RFC %s is said to have no case", r.clause)
			t.Logf("RFC %s: %s: no case: %s", r.clause, r.says, r.unseen)
		}
		delete(cases, r.clause)
	}
	require.Empty(t, cases, "cases of what is no rule")
}
