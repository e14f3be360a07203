package conn_test

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/pushd/pushd/conn"
)

// In the tables ‸ stands where Parse must decide: after a good head, before the byte that makes a bad one impossible.
const caret = "‸"

// what is all that a Head can tell.
type what struct {
	N                                                       int
	Err                                                     *conn.Refusal
	Method, Target, Path, Query, Host, Origin, Key, Version string
	Minor                                                   int
	Upgrade                                                 bool
	Headers, Protocols                                      []string
	Check                                                   *conn.Refusal
}

// parseCut gives Parse the prefixes of in that end at cuts, each in a buffer of its own without a byte to spare, until it
// decides. at is the length of the prefix that decided, 0 if none did.
func parseCut(tb testing.TB, in string, cuts ...int) (w what, at int) {
	tb.Helper()
	var h conn.Head
	for _, cut := range cuts {
		buf := []byte(in[:cut])
		buf = buf[:cut:cut]
		n, err := h.Parse(buf)
		if n == 0 && err == nil {
			continue
		}
		if again, err2 := h.Parse(buf); again != n || err2 != err {
			tb.Fatalf("Parse says %d, %v and then of the same bytes %d, %v", n, err, again, err2)
		}
		w.N = n
		if err != nil {
			if !errors.As(err, &w.Err) || n != 0 {
				tb.Fatalf("Parse = %d, %T; want 0 and a *Refusal", n, err)
			}
			return w, cut
		}
		describe(&h, buf, &w)
		return w, cut
	}
	return w, 0
}

func describe(h *conn.Head, buf []byte, w *what) {
	w.Method, w.Target, w.Path, w.Query = string(h.Method(buf)), string(h.Target(buf)), string(h.Path(buf)), string(h.Query(buf))
	w.Host, w.Origin, w.Key, w.Version = string(h.Host(buf)), string(h.Origin(buf)), string(h.Key(buf)), string(h.Version(buf))
	w.Minor, w.Upgrade, w.Check = h.Minor(), h.Upgrade(), h.CheckUpgrade(buf)
	for name, value, pos := h.NextHeader(buf, 0); name != nil; name, value, pos = h.NextHeader(buf, pos) {
		w.Headers = append(w.Headers, string(name)+"="+string(value))
	}
	for token, pos := h.NextProtocol(buf, 0); token != nil; token, pos = h.NextProtocol(buf, pos) {
		w.Protocols = append(w.Protocols, string(token))
	}
}

// cuts are all lengths up to n. Of large heads, one in a hundred and those near the byte decide.
func cuts(n, decide int) (lengths []int) {
	for i := 1; i <= n; i++ {
		if n < 2048 || i%100 == 0 || i >= decide-30 && i <= decide+1 || i == n {
			lengths = append(lengths, i)
		}
	}
	return lengths
}

// parseEveryWay parses in whole, cut in two at every byte and byte by byte, and fails unless the result is always the same
// and falls when decide bytes have come.
func parseEveryWay(t *testing.T, in string, decide int) what {
	t.Helper()
	whole, at := parseCut(t, in, len(in))
	if at == 0 {
		t.Fatal("Parse wants more")
	}
	for _, i := range cuts(len(in), decide) {
		if got, _ := parseCut(t, in, i, len(in)); !reflect.DeepEqual(got, whole) {
			t.Fatalf("cut at byte %d:\n%+v, whole:\n%+v", i, got, whole)
		}
	}
	got, at := parseCut(t, in, cuts(len(in), decide)...)
	if !reflect.DeepEqual(got, whole) {
		t.Fatalf("byte by byte:\n%+v, whole:\n%+v", got, whole)
	}
	if at != decide {
		t.Errorf("decided after %d bytes, want %d", at, decide)
	}
	return whole
}

func TestParseGood(t *testing.T) {
	const host = "Host: h\r\n"
	for _, test := range []struct {
		label, in string
		want      what
	}{
		{"no headers", "GET / HTTP/1.1\r\n\r\n‸", what{Method: "GET", Target: "/", Path: "/"}},
		{"what follows is not ours", "GET / HTTP/1.1\r\n\r\n‸\x81\x05hello\r\n\r\n", what{Method: "GET", Target: "/", Path: "/"}},
		{"an empty line first", "\r\nGET / HTTP/1.1\r\n\r\n‸", what{Method: "GET", Target: "/", Path: "/"}},
		{"HTTP/1.0", "GET / HTTP/1.0\r\n\r\n‸", what{Method: "GET", Target: "/", Path: "/"}},
		{"HTTP/1.9 is read as 1.1", "GET / HTTP/1.9\r\n\r\n‸", what{Method: "GET", Target: "/", Path: "/"}},
		{"any method that is a token", "M-SEARCH! / HTTP/1.1\r\n\r\n‸", what{Method: "M-SEARCH!", Target: "/", Path: "/"}},
		{"asterisk form", "OPTIONS * HTTP/1.1\r\n\r\n‸", what{Method: "OPTIONS", Target: "*", Path: "*"}},
		{"a query", "GET /ws?topic=A&topic=B HTTP/1.1\r\n\r\n‸",
			what{Method: "GET", Target: "/ws?topic=A&topic=B", Path: "/ws", Query: "topic=A&topic=B"}},
		{"an empty query", "GET /ws? HTTP/1.1\r\n\r\n‸", what{Method: "GET", Target: "/ws?", Path: "/ws"}},
		{"a second question mark", "GET /ws?a?b HTTP/1.1\r\n\r\n‸", what{Method: "GET", Target: "/ws?a?b", Path: "/ws", Query: "a?b"}},
		{"two slashes are a path", "GET //h/ws HTTP/1.1\r\n\r\n‸", what{Method: "GET", Target: "//h/ws", Path: "//h/ws"}},
		{"what browsers leave bare", "GET /{a}|^`?[\"] HTTP/1.1\r\n\r\n‸",
			what{Method: "GET", Target: "/{a}|^`?[\"]", Path: "/{a}|^`", Query: "[\"]"}},
		{"absolute form", "GET http://h:80/ws?x HTTP/1.1\r\nHost: other\r\n\r\n‸",
			what{Method: "GET", Target: "http://h:80/ws?x", Path: "/ws", Query: "x", Host: "h:80", Headers: []string{"Host=other"}}},
		{"absolute form without path", "GET ws://h HTTP/1.1\r\n\r\n‸", what{Method: "GET", Target: "ws://h", Path: "/", Host: "h"}},
		{"absolute form, query alone", "GET WSS://[::1]:8?x=/ HTTP/1.1\r\n\r\n‸",
			what{Method: "GET", Target: "WSS://[::1]:8?x=/", Path: "/", Query: "x=/", Host: "[::1]:8"}},
		{"absolute form, longest scheme", "GET https://h/ HTTP/1.1\r\n\r\n‸", what{Method: "GET", Target: "https://h/", Path: "/", Host: "h"}},
		{"a URL in the query is no authority", "GET /?u=http://x/y HTTP/1.1\r\n" + host + "\r\n‸",
			what{Method: "GET", Target: "/?u=http://x/y", Path: "/", Query: "u=http://x/y", Host: "h", Headers: []string{"Host=h"}}},
		{"names in any case", "GET / HTTP/1.1\r\nhOST: h\r\nORIGIN: o\r\nsec-websocket-KEY: k\r\nSEC-websocket-VERSION: 8\r\nupgrade: WebSocket\r\n\r\n‸",
			what{Method: "GET", Target: "/", Path: "/", Host: "h", Origin: "o", Key: "k", Version: "8", Upgrade: true,
				Headers: []string{"hOST=h", "ORIGIN=o", "sec-websocket-KEY=k", "SEC-websocket-VERSION=8", "upgrade=WebSocket"}}},
		{"white space around values", "GET / HTTP/1.1\r\nHost:h\r\nOrigin: \t o p\t \r\nX: \t \r\nY:\r\n\r\n‸",
			what{Method: "GET", Target: "/", Path: "/", Host: "h", Origin: "o p", Headers: []string{"Host=h", "Origin=o p", "X=", "Y="}}},
		{"tabs and obs-text in a value", "GET / HTTP/1.1\r\nX: a\tb\tcdefghijkl\tmno\xffp\x80qrstuv\r\n\r\n‸",
			what{Method: "GET", Target: "/", Path: "/", Headers: []string{"X=a\tb\tcdefghijkl\tmno\xffp\x80qrstuv"}}},
		{"the first of several", "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n‸",
			what{Method: "GET", Target: "/", Path: "/", Host: "a", Headers: []string{"Host=a", "Host=b"}}},
		{"names as long as known ones", "GET / HTTP/1.1\r\nFrom: h\r\nSec-WebSocket-Kez: k\r\nTransfer-Encodinh: x\r\n\r\n‸",
			what{Method: "GET", Target: "/", Path: "/", Headers: []string{"From=h", "Sec-WebSocket-Kez=k", "Transfer-Encodinh=x"}}},
		{"subprotocols over several headers", "GET / HTTP/1.1\r\nSec-WebSocket-Protocol: a, ,b,\t\r\nX: y\r\nsec-websocket-protocol:\r\nSec-WebSocket-Protocol:  c\r\n\r\n‸",
			what{Method: "GET", Target: "/", Path: "/", Protocols: []string{"a", "b", "c"},
				Headers: []string{"Sec-WebSocket-Protocol=a, ,b,", "X=y", "sec-websocket-protocol=", "Sec-WebSocket-Protocol=c"}}},
		{"a list names websocket last", "GET / HTTP/1.1\r\nUpgrade: h2c ,WEBSOCKET\r\n\r\n‸",
			what{Method: "GET", Target: "/", Path: "/", Upgrade: true, Headers: []string{"Upgrade=h2c ,WEBSOCKET"}}},
		{"the longest target", "GET /" + strings.Repeat("a", conn.MaxTarget-1) + " HTTP/1.1\r\n\r\n‸",
			what{Method: "GET", Target: "/" + strings.Repeat("a", conn.MaxTarget-1), Path: "/" + strings.Repeat("a", conn.MaxTarget-1)}},
		{"the longest head", "GET / HTTP/1.1\r\nX: " + strings.Repeat("a", conn.MaxHead-23) + "\r\n\r\n‸",
			what{Method: "GET", Target: "/", Path: "/", Headers: []string{"X=" + strings.Repeat("a", conn.MaxHead-23)}}},
		{"the most headers", "GET / HTTP/1.1\r\n" + strings.Repeat("A:\r\n", conn.MaxHeaders) + "\r\n‸",
			what{Method: "GET", Target: "/", Path: "/", Headers: strings.Split(strings.Repeat("A= ", conn.MaxHeaders)[:3*conn.MaxHeaders-1], " ")}},
	} {
		t.Run(test.label, func(t *testing.T) {
			head, rest, _ := strings.Cut(test.in, caret)
			got := parseEveryWay(t, head+rest, len(head))
			want := test.want
			want.N = len(head)
			want.Minor = int(head[strings.Index(head, "HTTP/1.")+len("HTTP/1.")] - '0')
			got.Check = nil // TestCheckUpgrade
			if !reflect.DeepEqual(got, want) {
				t.Errorf("got\n%+v, want\n%+v", got, want)
			}
		})
	}
}

func TestParseBad(t *testing.T) {
	const line = "GET / HTTP/1.1\r\n"
	for _, test := range []struct {
		label, in string
		status    int
		says      string
	}{
		{"TLS", "‸\x16\x03\x01\x02\x00\x01", 400, "plain HTTP"},
		{"TLS after an empty line", "\r\n‸\x16\x03\x01", 400, "plain HTTP"},
		{"a WebSocket frame", "‸\x81\x85\x01\x02\x03\x04", 400, "method"},
		{"a NUL", "‸\x00", 400, "method"},
		{"a space first", "‸ GET / HTTP/1.1\r\n", 400, "method"},
		{"a bare LF first", "‸\nGET / HTTP/1.1\r\n", 400, "method"},
		{"a CR alone first", "\r‸GET / HTTP/1.1\r\n", 400, "CR stands"},
		{"two empty lines first", "\r\n‸\r\nGET / HTTP/1.1\r\n", 400, "method"},
		{"a method that is no token", "G‸(T / HTTP/1.1\r\n", 400, "method"},
		{"a tab after the method", "GET‸\t/ HTTP/1.1\r\n", 400, "one space"},
		{"a method alone", "GET‸\r\n", 400, "method"},
		{"another protocol's banner", "SSH-2.0-x‸\r\n", 400, "method"},
		{"two spaces", "GET ‸ / HTTP/1.1\r\n", 400, "target"},
		{"no target", "GET ‸\r\n", 400, "target"},
		{"a relative target", "GET ‸?x HTTP/1.1\r\n", 400, "target"},
		{"a word for a target", "GET ws‸ HTTP/1.1\r\n", 400, "slash"},
		{"a scheme without authority", "GET http:/ws‸ HTTP/1.1\r\n", 400, "slash"},
		{"a scheme that is none of ours", "GET ftp://h/‸ HTTP/1.1\r\n", 400, "http or ws"},
		{"an asterisk and more", "GET */‸ HTTP/1.1\r\n", 400, "slash"},
		{"an authority that is empty", "GET http:///ws‸ HTTP/1.1\r\n", 400, "host"},
		{"an authority with a user", "GET http://u@h/‸ HTTP/1.1\r\n", 400, "host"},
		{"CONNECT", "CONNECT h:443‸ HTTP/1.1\r\n", 405, "prox"},
		{"a fragment", "GET /a‸#b HTTP/1.1\r\n", 400, "%23"},
		{"a control in the target", "GET /a‸\x01 HTTP/1.1\r\n", 400, "percent-encoded"},
		{"a DEL in the target", "GET /a‸\x7f HTTP/1.1\r\n", 400, "percent-encoded"},
		{"raw UTF-8 in the target", "GET /ws?topic=‸é HTTP/1.1\r\n", 400, "percent-encoded"},
		{"HTTP/0.9", "GET /ws‸\r\n", 400, "HTTP/1.1"},
		{"HTTP/0.9 with a bare LF", "GET /ws‸\n", 400, "HTTP/1.1"},
		{"a space in the target", "GET /a ‸b HTTP/1.1\r\n", 400, "without spaces"},
		{"no version", "GET / ‸\r\n", 400, "HTTP/1.1"},
		{"a version in lower case", "GET / ‸http/1.1\r\n", 400, "HTTP/1.1"},
		{"a version cut short", "GET / HTTP/1‸\r\n", 400, "HTTP/1.1"},
		{"no minor version", "GET / HTTP/1.‸\r\n", 400, "HTTP/1.1"},
		{"two digits of minor version", "GET / HTTP/1.1‸0\r\n", 400, "end there"},
		{"a space after the version", "GET / HTTP/1.1‸ \r\n", 400, "end there"},
		{"a bare LF after the version", "GET / HTTP/1.1‸\n\r\n", 400, "CR LF"},
		{"a CR alone after the version", "GET / HTTP/1.1\r‸Host: h\r\n", 400, "CR stands"},
		{"HTTP/2 preface", "PRI * HTTP/‸2.0\r\n\r\nSM\r\n\r\n", 505, "prior knowledge"},
		{"HTTP/3.0", "GET / HTTP/‸3.0\r\n", 505, "HTTP/1.1"},
		{"HTTP/x", "GET / HTTP/‸x.0\r\n", 400, "HTTP/1.1"},
		{"the target too long", "GET /" + strings.Repeat("a", conn.MaxTarget-1) + "‸a HTTP/1.1\r\n", 414, "8 KiB"},
		{"white space before the first header", line + "‸ Host: h\r\n", 400, "folding"},
		{"a folded header", line + "X: a\r\n‸\tb\r\n", 400, "folding"},
		{"no name", line + "‸: a\r\n", 400, "colon"},
		{"a line of no header", line + "Host‸\r\n", 400, "without a colon"},
		{"a space before the colon", line + "Host‸ : h\r\n", 400, "white space"},
		{"a tab before the colon", line + "Host‸\t: h\r\n", 400, "white space"},
		{"a name with a NUL", line + "Ho‸\x00st: h\r\n", 400, "name"},
		{"a name with a letter beyond ASCII", line + "H‸öst: h\r\n", 400, "name"},
		{"a name with a bracket", line + "‸[Host]: h\r\n", 400, "name"},
		{"a bare LF for the blank line", line + "‸\n", 400, "bare LF"},
		{"a bare LF after a value", line + "Host: h‸\nX: y\r\n", 400, "bare LF"},
		{"a bare LF before a value", line + "Host:‸\nX: y\r\n", 400, "bare LF"},
		{"a CR alone in a value", line + "Host: a\r‸b\r\n", 400, "CR stands"},
		{"a NUL in a value", line + "X: a‸\x00b\r\n", 400, "control"},
		{"a NUL far into a value", line + "X: 0123456789abcdef‸\x00b\r\n", 400, "control"},
		{"a DEL in a value", line + "X: \xff\x80abcdefg\xff‸\x7fhijklmnop\r\n", 400, "control"},
		{"an escape before a value", line + "X:‸\x1b\r\n", 400, "control"},
		{"a CR alone for the blank line", line + "\r‸X", 400, "CR stands"},
		{"one header too many", line + strings.Repeat("A:\r\n", conn.MaxHeaders) + "‸A:\r\n", 431, "100"},
		{"one byte too many", line + "X: " + strings.Repeat("a", conn.MaxHead-22) + "\r\n‸\r\n", 431, "16 KiB"},
		{"a value without end", line + "X: " + strings.Repeat("a", conn.MaxHead-20) + "‸aaaa", 431, "16 KiB"},
	} {
		t.Run(test.label, func(t *testing.T) {
			head, rest, _ := strings.Cut(test.in, caret)
			got := parseEveryWay(t, head+rest, len(head)+1).Err
			if got == nil || got.Status != test.status {
				t.Fatalf("got %v, want a %d", got, test.status)
			}
			if !strings.Contains(got.Message, test.says) {
				t.Errorf("%q does not say %q", got.Message, test.says)
			}
		})
	}
}

// Lines that are complete are not looked at again: the test wipes them out between calls.
func TestParseNeverRescans(t *testing.T) {
	const in = "\r\nGET /ws?a=b HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nX: y\r\n\r\n"
	var h conn.Head
	buf := []byte(in)
	for i := 1; i <= len(in); i++ {
		n, err := h.Parse(buf[:i])
		if err != nil || n != 0 != (i == len(in)) {
			t.Fatalf("after %d bytes: %d, %v", i, n, err)
		}
		if in[i-1] == '\n' {
			clear(buf[:i])
		}
	}
	if !h.Upgrade() {
		t.Error("the Upgrade header was not noted")
	}
}

// A storm of handshakes has one Head each.
func TestHeadSize(t *testing.T) {
	if size := reflect.TypeFor[conn.Head]().Size(); size > 88 {
		t.Errorf("a Head takes %d bytes, want 88 at most", size)
	}
}

func TestReset(t *testing.T) {
	var h conn.Head
	if _, err := h.Parse([]byte("GET http://a/b?c HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nbad line\r\n")); err == nil {
		t.Fatal("a bad head was taken")
	}
	h.Reset()
	if h != (conn.Head{}) {
		t.Errorf("Reset leaves %+v", h)
	}
}

func TestHeader(t *testing.T) {
	var h conn.Head
	buf := []byte("GET / HTTP/1.1\r\nUser-Agent: x/1\r\nAuthorization:  Bearer t \r\nX-Empty:\r\n\r\n")
	if _, err := h.Parse(buf); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"user-agent": `"x/1"`, "authorization": `"Bearer t"`, "x-empty": `""`, "host": "nil"} {
		got := "nil"
		if v := h.Header(buf, name); v != nil {
			got = fmt.Sprintf("%q", v)
		}
		if got != want {
			t.Errorf("Header(%q) = %s, want %s", name, got, want)
		}
	}
}
