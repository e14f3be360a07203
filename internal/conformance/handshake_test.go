package conformance_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The key of the example in RFC 6455 1.2, and what has to be answered to it.
const (
	exampleKey    = "dGhlIHNhbXBsZSBub25jZQ=="
	exampleAccept = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
)

// lines are the header lines of a handshake that nothing is wrong with.
const lines = "Host: example.com\r\n" +
	"Upgrade: websocket\r\n" +
	"Connection: Upgrade\r\n" +
	"Sec-WebSocket-Key: " + exampleKey + "\r\n" +
	"Sec-WebSocket-Version: 13\r\n"

// request is a handshake, with more header lines that end in CRLF.
func request(target string, more ...string) string {
	return "GET " + target + " HTTP/1.1\r\n" + lines + strings.Join(more, "") + "\r\n"
}

// but returns the good handshake with one part of it changed; "" takes it out.
func but(old, changed string) string {
	good := request("/echo")
	if strings.Count(good, old) != 1 {
		panic(old)
	}
	return strings.Replace(good, old, changed, 1)
}

// opening is a handshake and its answer.
type opening struct {
	rule, label string
	request     string
	status      int    // 101, or that of the refusal
	field       string // a header of the answer that is to be there once, "Name: value", or "Name" for none of it
}

const (
	host13     = "Host: example.com\r\n"
	upgradeTo  = "Upgrade: websocket\r\n"
	connection = "Connection: Upgrade\r\n"
	theKey     = "Sec-WebSocket-Key: " + exampleKey + "\r\n"
	version13  = "Sec-WebSocket-Version: 13\r\n"
	speaks13   = "Sec-WebSocket-Version: 13"
)

var openings = []opening{
	{"6455 4.2.1", "the order of the header fields does not matter", "GET /echo HTTP/1.1\r\n" + version13 + theKey + connection + upgradeTo + host13 + "\r\n", 101, ""},
	{"6455 4.2.1", "names of fields in any case", strings.NewReplacer("Sec-WebSocket", "sEC-wEBSOCKET", "Host", "HOST", "Connection", "connection", "Upgrade:", "uPGRADE:").Replace(request("/echo")), 101, ""},
	{"6455 4.2.1", "no white space before a value", strings.ReplaceAll(request("/echo"), ": ", ":"), 101, ""},
	{"6455 4.2.1", "white space around a value", but(exampleKey, " \t"+exampleKey+" \t"), 101, "Sec-WebSocket-Accept: " + exampleAccept},
	{"6455 4.2.1", "white space before a colon", but("Upgrade: w", "Upgrade : w"), 400, ""},
	{"6455 4.2.1", "white space in a name", but("Upgrade: w", "Up grade: w"), 400, ""},
	{"6455 4.2.1", "a line without a colon", but(version13, version13+"Nothing\r\n"), 400, ""},
	{"6455 4.2.1", "a line without a name", but(version13, version13+": x\r\n"), 400, ""},
	{"6455 4.2.1", "a folded line", but(upgradeTo, "Upgrade:\r\n websocket\r\n"), 400, ""},
	{"6455 4.2.1", "NUL in a value", but(version13, version13+"X: a\x00b\r\n"), 400, ""},
	{"6455 4.2.1", "CR alone in a value", but(version13, version13+"X: a\rb\r\n"), 400, ""},
	{"6455 4.2.1", "LF alone at a line's end", but(upgradeTo, "Upgrade: websocket\n"), 400, ""},
	{"6455 4.2.1", "a body, which would pass for frames", but(version13, version13+"Content-Length: 5\r\n"), 400, ""},
	{"6455 4.2.1", "a chunked body", but(version13, version13+"Transfer-Encoding: chunked\r\n"), 400, ""},

	{"6455 4.2.1 (1)", "GET, HTTP/1.1", request("/echo"), 101, ""},
	{"6455 4.2.1 (1)", "an absolute http URI", request("http://example.com/echo"), 101, ""},
	{"6455 4.2.1 (1)", "an absolute https URI", request("https://example.com/echo"), 101, ""},
	{"6455 4.2.1 (1)", "a query", request("/echo?a=b&c"), 101, ""},
	{"6455 4.2.1 (1)", "POST", but("GET", "POST"), 405, "Allow: GET"},
	{"6455 4.2.1 (1)", "HEAD", but("GET", "HEAD"), 405, ""},
	{"6455 4.2.1 (1)", "a method that is none", but("GET", "GETS"), 405, ""},
	{"6455 4.2.1 (1)", "methods have their case", but("GET", "get"), 405, ""},
	{"6455 4.2.1 (1)", "HTTP/1.0", but("HTTP/1.1", "HTTP/1.0"), 505, ""},
	{"6455 4.2.1 (1)", "HTTP/0.9, without a version", but(" HTTP/1.1", ""), 400, ""},
	{"6455 4.2.1 (1)", "a version that is none", but("HTTP/1.1", "HTTP/1.x"), 400, ""},
	{"6455 4.2.1 (1)", "http/1.1", but("HTTP/1.1", "http/1.1"), 400, ""},
	{"6455 4.2.1 (1)", "a target with a space", request("/ec ho"), 400, ""},
	{"6455 4.2.1 (1)", "a target that is no path", request("echo"), 400, ""},
	{"6455 4.2.1 (1)", "a target with a fragment", request("/echo#a"), 400, ""},

	{"6455 4.2.1 (2)", "a host and a port", but("example.com", "example.com:8080"), 101, ""},
	{"6455 4.2.1 (2)", "an IPv6 address", but("example.com", "[::1]:80"), 101, ""},
	{"6455 4.2.1 (2)", "missing", but(host13, ""), 400, ""},
	{"6455 4.2.1 (2)", "twice", but(host13, host13+host13), 400, ""},
	{"6455 4.2.1 (2)", "empty", but("example.com", ""), 400, ""},
	{"6455 4.2.1 (2)", "not a host", but("example.com", "a b"), 400, ""},
	{"6455 4.2.1 (2)", "a URL", but("example.com", "http://example.com/"), 400, ""},

	{"6455 4.2.1 (3)", "in another case", but("websocket", "WebSocket"), 101, ""},
	{"6455 4.2.1 (3)", "in a list", but("websocket", "h2c, websocket"), 101, ""},
	{"6455 4.2.1 (3)", "in a second field", but(upgradeTo, "Upgrade: h2c\r\n"+upgradeTo), 101, ""},
	{"6455 4.2.1 (3)", "missing", but(upgradeTo, ""), 426, speaks13},
	{"6455 4.2.1 (3)", "empty", but(upgradeTo, "Upgrade:\r\n"), 426, speaks13},
	{"6455 4.2.1 (3)", "something else", but("websocket", "h2c"), 426, speaks13},
	{"6455 4.2.1 (3)", "something longer", but("websocket", "websockets"), 426, speaks13},
	{"6455 4.2.1 (3)", "two words", but("websocket", "web socket"), 426, speaks13},

	{"6455 4.2.1 (4)", "in other cases", but(connection, "Connection: uPGRADE\r\n"), 101, ""},
	{"6455 4.2.1 (4)", "in a list", but(connection, "Connection: keep-alive, Upgrade\r\n"), 101, ""},
	{"6455 4.2.1 (4)", "first in a list, without white space", but(connection, "Connection: upgrade,keep-alive\r\n"), 101, ""},
	{"6455 4.2.1 (4)", "in a list with empty elements", but(connection, "Connection: , ,\tUpgrade ,\r\n"), 101, ""},
	{"6455 4.2.1 (4)", "in a second field", but(connection, "Connection: keep-alive\r\n"+connection), 101, ""},
	{"6455 4.2.1 (4)", "missing", but(connection, ""), 426, speaks13},
	{"6455 4.2.1 (4)", "something else", but(connection, "Connection: keep-alive\r\n"), 426, speaks13},
	{"6455 4.2.1 (4)", "part of a token", but(connection, "Connection: no-upgrade, upgrade2\r\n"), 426, speaks13},
	{"6455 4.2.1 (4)", "two tokens without a comma", but(connection, "Connection: keep-alive Upgrade\r\n"), 426, speaks13},

	{"6455 4.2.1 (5)", "with + and /", but(exampleKey, "+/+/+/+/+/+/+/+/+/+/+w=="), 101, "Sec-WebSocket-Accept: M0DUs3om0SqzerhOhYSMM7WQuBQ="},
	{"6455 4.2.1 (5)", "missing", but(theKey, ""), 400, ""},
	{"6455 4.2.1 (5)", "empty", but(exampleKey, ""), 400, ""},
	{"6455 4.2.1 (5)", "twice", but(theKey, theKey+theKey), 400, ""},
	{"6455 4.2.1 (5)", "two that differ", but(theKey, theKey+"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"), 400, ""},
	{"6455 4.2.1 (5)", "two in a list", but(exampleKey, exampleKey+", "+exampleKey), 400, ""},
	{"6455 4.2.1 (5)", "15 bytes", but(exampleKey, "dGhlIHNhbXBsZSBub25j"), 400, ""},
	{"6455 4.2.1 (5)", "17 bytes", but(exampleKey, "dGhlIHNhbXBsZSBub25jZWU="), 400, ""},
	{"6455 4.2.1 (5)", "18 bytes", but(exampleKey, "dGhlIHNhbXBsZSBub25jZWVl"), 400, ""},
	{"6455 4.2.1 (5)", "without its padding", but(exampleKey, strings.TrimRight(exampleKey, "=")), 400, ""},
	{"6455 4.2.1 (5)", "the other alphabet of base64", but(exampleKey, "-_-_-_-_-_-_-_-_-_-_-w=="), 400, ""},
	{"6455 4.2.1 (5)", "not base64", but(exampleKey, "dGhlIHNhbXBsZSBub25j!Q=="), 400, ""},

	{"6455 4.2.1 (6)", "13", request("/echo"), 101, ""},
	{"6455 4.2.1 (6)", "missing", but(version13, ""), 426, speaks13},
	{"6455 4.2.1 (6)", "013", but(version13, "Sec-WebSocket-Version: 013\r\n"), 426, speaks13},

	{"6455 4.2.1 (7)", "no Origin, so no browser: let in", request("/echo"), 101, ""},
	{"6455 4.2.1 (7)", "two Origins", request("/echo", "Origin: http://example.com\r\n", "Origin: http://evil.example\r\n"), 400, ""},

	{"6455 4.2.1 (10)", "unknown fields, cookies", request("/echo", "X-Unknown: 1\r\n", "Cookie: a=b\r\n", "Sec-WebSocket-Nonsense: x\r\n"), 101, ""},
	{"6455 4.2.1 (10)", "fields with bytes above ASCII", request("/echo", "X-Name: \xe9\xff\r\n"), 101, ""},

	{"6455 4.2.2 (2)", "a token that is not good", request("/ws?topic=a", "Sec-WebSocket-Protocol: pushd.v1, bearer.x\r\n"), 401, "WWW-Authenticate: Bearer"},

	{"6455 4.2.2 (4) origin", "of the host itself", request("/echo", "Origin: http://example.com\r\n"), 101, ""},
	{"6455 4.2.2 (4) origin", "of another", request("/echo", "Origin: http://evil.example\r\n"), 403, ""},
	{"6455 4.2.2 (4) origin", "null", request("/echo", "Origin: null\r\n"), 403, ""},
	{"6455 4.2.2 (4) origin", "of another, on /ws", request("/ws?topic=a", "Origin: http://evil.example\r\n"), 403, ""},

	{"6455 4.2.2 (4) version", "12", but(": 13", ": 12"), 426, speaks13},
	{"6455 4.2.2 (4) version", "8", but(": 13", ": 8"), 426, speaks13},
	{"6455 4.2.2 (4) version", "0", but(": 13", ": 0"), 426, speaks13},
	{"6455 4.2.2 (4) version", "14", but(": 13", ": 14"), 426, speaks13},
	{"6455 4.2.2 (4) version", "255", but(": 13", ": 255"), 426, speaks13},
	{"6455 4.2.2 (4) version", "256, which is none", but(": 13", ": 256"), 426, speaks13},
	{"6455 4.2.2 (4) version", "no number", but(": 13", ": x"), 426, speaks13},
	{"6455 4.2.2 (4) version", "empty", but(": 13", ":"), 426, speaks13},
	{"6455 4.2.2 (4) version", "a list", but(": 13", ": 13, 8"), 426, speaks13},

	{"6455 4.2.2 (4) version", "twice", but(version13, version13+version13), 426, speaks13},
	{"6455 4.2.2 (4) version", "two that differ", but(version13, version13+"Sec-WebSocket-Version: 8\r\n"), 426, speaks13},

	{"6455 4.2.2 (4) resource", "another", request("/nothing"), 404, ""},
	{"6455 4.2.2 (4) resource", "that of a page", request("/healthz"), 404, ""},
	{"6455 4.2.2 (4) resource", "a longer one", request("/echo/"), 404, ""},
	{"6455 4.2.2 (4) resource", "in another case", request("/Echo"), 404, ""},
	{"6455 4.2.2 (4) resource", "the root", request("/"), 404, ""},

	{"6455 4.2.2 (4) subprotocol", "none asked for", request("/ws?topic=a"), 101, "Sec-WebSocket-Protocol"},
	{"6455 4.2.2 (4) subprotocol", "the only one", request("/ws?topic=a", "Sec-WebSocket-Protocol: pushd.v1\r\n"), 101, "Sec-WebSocket-Protocol: pushd.v1"},
	{"6455 4.2.2 (4) subprotocol", "the first that is spoken", request("/ws?topic=a", "Sec-WebSocket-Protocol: mqtt, pushd.raw.v1, pushd.v1\r\n"), 101, "Sec-WebSocket-Protocol: pushd.raw.v1"},
	{"6455 4.2.2 (4) subprotocol", "in a second field", request("/ws?topic=a", "Sec-WebSocket-Protocol: mqtt\r\n", "Sec-WebSocket-Protocol: pushd.v1\r\n"), 101, "Sec-WebSocket-Protocol: pushd.v1"},
	{"6455 4.2.2 (4) subprotocol", "without white space", request("/ws?topic=a", "Sec-WebSocket-Protocol: mqtt,pushd.v1\r\n"), 101, "Sec-WebSocket-Protocol: pushd.v1"},
	{"6455 4.2.2 (4) subprotocol", "one that is not spoken, where none is", request("/echo", "Sec-WebSocket-Protocol: chat\r\n"), 101, "Sec-WebSocket-Protocol"},
	{"6455 4.2.2 (4) subprotocol", "they have their case", request("/ws?topic=a", "Sec-WebSocket-Protocol: PUSHD.V1\r\n"), 400, "Sec-WebSocket-Protocol"},

	{"6455 4.2.2 (4) subprotocol", "none in the header field, against its grammar", request("/ws?topic=a", "Sec-WebSocket-Protocol:\r\n"), 400, ""},
	{"6455 4.2.2 (4) subprotocol", "what is no token", request("/ws?topic=a", "Sec-WebSocket-Protocol: pushd.v1, a@b\r\n"), 400, ""},
	{"6455 4.2.2 (4) subprotocol", "two without a comma", request("/ws?topic=a", "Sec-WebSocket-Protocol: pushd.v1 mqtt\r\n"), 400, ""},
	{"6455 4.2.2 (4) subprotocol", "what is no token, where none is spoken", request("/echo", "Sec-WebSocket-Protocol: a b\r\n"), 400, ""},

	{"6455 4.2.2 (4) extensions", "none asked for", request("/echo"), 101, "Sec-WebSocket-Extensions"},
	{"6455 4.2.2 (4) extensions", "only unknown ones", request("/echo", "Sec-WebSocket-Extensions: x-unknown; a=b, bbf\r\n"), 101, "Sec-WebSocket-Extensions"},

	{"6455 4.2.2 (5)", "the example of section 1.2", request("/echo"), 101, "Sec-WebSocket-Accept: " + exampleAccept},
	{"6455 4.2.2 (5)", "Upgrade", request("/echo"), 101, "Upgrade: websocket"},
	{"6455 4.2.2 (5)", "Connection", request("/echo"), 101, "Connection: Upgrade"},
	{"6455 4.2.2 (5)", "no length: frames follow", request("/echo"), 101, "Content-Length"},
	{"6455 4.2.2 (5)", "no version: it is the one asked for", request("/echo"), 101, "Sec-WebSocket-Version"},

	{"6455 4.4", "another version is told which one is spoken", but(": 13", ": 25"), 426, speaks13},
	{"6455 4.4", "so is none", but(version13, ""), 426, speaks13},
	{"6455 4.4", "and neither a version nor a key", strings.Replace(but(version13, ""), theKey, "", 1), 426, speaks13},

	{"6455 8.1", "a name that is not UTF-8 in the target", request("/ws?topic=%ff"), 400, ""},
}

func TestHandshake(t *testing.T) { runOpenings(t, openings) }

func runOpenings(t *testing.T, cases []opening) {
	h := open(t)
	for _, o := range cases {
		t.Run(o.rule+": "+o.label, func(t *testing.T) { o.run(t, h) })
	}
}

func (o opening) run(t *testing.T, h *host) {
	for _, cuts := range [][]int{{}, {len(o.request) / 2}, {1, len(o.request) - 1}} {
		p := h.dial(t)
		p.pieces([]byte(o.request), cuts...)
		a := p.head()
		require.Equal(t, o.status, a.code(t), "%v", a.fields)
		for _, name := range []string{"Upgrade", "Connection", "Sec-WebSocket-Accept", "Sec-WebSocket-Protocol", "Sec-WebSocket-Extensions"} {
			require.LessOrEqual(t, len(a.all(name)), 1, name)
		}
		if name, value, has := strings.Cut(o.field, ": "); has {
			require.Equal(t, []string{value}, a.all(name))
		} else if name != "" {
			require.Empty(t, a.all(name), name)
		}
		if o.status != 101 { // RFC 6455 7.2.2: and that is the end of it
			require.Empty(t, a.all("Sec-WebSocket-Accept"))
			p.drained(a, strings.HasPrefix(o.request, "HEAD "))
		} else if strings.Contains(o.request, "/echo") {
			p.lives()
		}
		p.leave()
	}
}

// code returns the status of a response whose first line is as it has to be.
func (a answer) code(t *testing.T) int {
	t.Helper()
	require.Regexp(t, `^HTTP/1\.1 [1-5]\d\d [\x20-\x7e]+$`, a.status)
	code := int(a.status[9]-'0')*100 + int(a.status[10]-'0')*10 + int(a.status[11]-'0')
	if code != http.StatusSwitchingProtocols {
		require.Contains(t, strings.Join(a.all("Connection"), ","), "close")
	}
	return code
}
