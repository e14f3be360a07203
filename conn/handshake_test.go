package conn_test

import (
	"bufio"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/gobwas/ws"
	"github.com/pushd/pushd/conn"
)

// sampleKey and sampleAccept are the example of RFC 6455 1.3.
const (
	sampleKey    = "dGhlIHNhbXBsZSBub25jZQ=="
	sampleAccept = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
)

// browserHead is what a browser sends.
const browserHead = "GET /ws?topic=quotes.AMZN&topic=news&since=k3f9:41 HTTP/1.1\r\n" +
	"Host: push.example.com\r\n" +
	"Connection: keep-alive, Upgrade\r\n" +
	"Pragma: no-cache\r\n" +
	"Cache-Control: no-cache\r\n" +
	"User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36\r\n" +
	"Upgrade: websocket\r\n" +
	"Origin: https://www.example.com\r\n" +
	"Sec-WebSocket-Version: 13\r\n" +
	"Accept-Encoding: gzip, deflate, br, zstd\r\n" +
	"Accept-Language: en-GB,en;q=0.9\r\n" +
	"Sec-WebSocket-Key: " + sampleKey + "\r\n" +
	"Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n" +
	"Sec-WebSocket-Protocol: pushd.v1, bearer.abc\r\n\r\n"

func TestCheckUpgrade(t *testing.T) {
	good := []string{"Host: h", "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: " + sampleKey}
	for _, test := range []struct {
		label   string
		request string   // "GET /ws HTTP/1.1" unless given
		drop    string   // the good headers to leave out: those that begin with one of its words
		add     []string // headers to put in
		status  int      // 0: accepted
		says    string
	}{
		{label: "as it should be"},
		{label: "lists, in any case", drop: "Upgrade Connection", add: []string{"upgrade: h2c, WebSocket", "connection: keep-alive ,UPGRADE,"}},
		{label: "lists over several headers", drop: "Upgrade Connection",
			add: []string{"Upgrade: websocket", "Upgrade: h2c", "Connection: Upgrade", "Connection: keep-alive"}},
		{label: "an absolute target", request: "GET ws://h/ws HTTP/1.1"},
		{label: "HTTP/1.2", request: "GET /ws HTTP/1.2"},
		{label: "a body of no bytes", add: []string{"Content-Length: 0"}},
		{label: "a key with bits to spare", drop: "Sec-WebSocket-Key", add: []string{"Sec-WebSocket-Key: ++++++++++//////////09=="}},
		{label: "a host with a port", drop: "Host", add: []string{"Host: [2001:db8::1]:8080"}},
		{label: "one origin", add: []string{"Origin: null"}},

		{label: "POST", request: "POST /ws HTTP/1.1", status: 405, says: "GET"},
		{label: "get", request: "get /ws HTTP/1.1", status: 405, says: "GET"},
		{label: "HTTP/1.0", request: "GET /ws HTTP/1.0", status: 505, says: "HTTP/1.1"},
		{label: "no Host", drop: "Host", status: 400, says: "Host header is missing"},
		{label: "no Host but an authority", request: "GET ws://h/ws HTTP/1.1", drop: "Host", status: 400, says: "Host header is missing"},
		{label: "two Hosts", add: []string{"Host: h"}, status: 400, says: "several Host"},
		{label: "two Hosts in one", drop: "Host", add: []string{"Host: a,b"}, status: 400, says: "not a host"},
		{label: "an empty Host", drop: "Host", add: []string{"Host:"}, status: 400, says: "not a host"},
		{label: "a Host with a path", drop: "Host", add: []string{"Host: h/ws"}, status: 400, says: "not a host"},
		{label: "a page's request", drop: "Upgrade Connection Sec-", status: 426, says: "Upgrade: websocket"},
		{label: "another upgrade", drop: "Upgrade", add: []string{"Upgrade: h2c"}, status: 426, says: "Upgrade: websocket"},
		{label: "a longer token", drop: "Upgrade", add: []string{"Upgrade: websockets, xwebsocket, web socket"}, status: 426, says: "Upgrade: websocket"},
		{label: "no Connection", drop: "Connection", status: 426, says: "Connection: Upgrade"},
		{label: "a Connection kept alive", drop: "Connection", add: []string{"Connection: keep-alive"}, status: 426, says: "Connection: Upgrade"},
		{label: "neither key nor version", drop: "Sec-", status: 426, says: "Sec-WebSocket-Key and Sec-WebSocket-Version"},
		{label: "no version", drop: "Sec-WebSocket-Version", status: 426, says: "13"},
		{label: "an old version", drop: "Sec-WebSocket-Version", add: []string{"Sec-WebSocket-Version: 8"}, status: 426, says: "13"},
		{label: "versions in a list", drop: "Sec-WebSocket-Version", add: []string{"Sec-WebSocket-Version: 13, 8"}, status: 426, says: "13"},
		{label: "two versions", add: []string{"Sec-WebSocket-Version: 13"}, status: 426, says: "several Sec-WebSocket-Version"},
		{label: "no key", drop: "Sec-WebSocket-Key", status: 400, says: "Sec-WebSocket-Key is missing"},
		{label: "two keys", add: []string{"Sec-WebSocket-Key: " + sampleKey}, status: 400, says: "several Sec-WebSocket-Key"},
		{label: "a key of 15 bytes", drop: "Sec-WebSocket-Key", add: []string{"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25j"}, status: 400, says: "16 bytes"},
		{label: "a key of 17 bytes", drop: "Sec-WebSocket-Key", add: []string{"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZWE="}, status: 400, says: "16 bytes"},
		{label: "a key that is no base64", drop: "Sec-WebSocket-Key", add: []string{"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25j-Q=="}, status: 400, says: "16 bytes"},
		{label: "an empty key", drop: "Sec-WebSocket-Key", add: []string{"Sec-WebSocket-Key:"}, status: 400, says: "16 bytes"},
		{label: "two origins", add: []string{"Origin: https://a", "Origin: https://b"}, status: 400, says: "several Origin"},
		{label: "a body", add: []string{"Content-Length: 5"}, status: 400, says: "no body"},
		{label: "a body, then none", add: []string{"Content-Length: 5", "Content-Length: 0"}, status: 400, says: "no body"},
		{label: "a length of another spelling", add: []string{"Content-Length: 00"}, status: 400, says: "no body"},
		{label: "a chunked body", add: []string{"Transfer-Encoding: chunked"}, status: 400, says: "no body"},
		{label: "an encoding of nothing", add: []string{"transfer-encoding:"}, status: 400, says: "no body"},
	} {
		t.Run(test.label, func(t *testing.T) {
			request := test.request
			if request == "" {
				request = "GET /ws HTTP/1.1"
			}
			lines := []string{request}
			for _, header := range good {
				if !slices.ContainsFunc(strings.Fields(test.drop), func(word string) bool { return strings.HasPrefix(header, word) }) {
					lines = append(lines, header)
				}
			}
			in := strings.Join(append(lines, test.add...), "\r\n") + "\r\n\r\n"
			got := parseEveryWay(t, in, len(in)).Check
			switch {
			case test.status == 0 && got != nil:
				t.Errorf("refused: %v", got)
			case test.status != 0 && got == nil:
				t.Errorf("accepted, want a %d", test.status)
			case got != nil && (got.Status != test.status || !strings.Contains(got.Message, test.says)):
				t.Errorf("got %v, want a %d that says %q", got, test.status, test.says)
			}
		})
	}
}

func TestAppendSwitching(t *testing.T) {
	const bare = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " + sampleAccept
	for _, test := range []struct{ label, protocol, want string }{
		{"no subprotocol", "", bare + "\r\n\r\n"},
		{"a subprotocol", "pushd.v1", bare + "\r\nSec-WebSocket-Protocol: pushd.v1\r\n\r\n"},
	} {
		t.Run(test.label, func(t *testing.T) {
			got := conn.AppendSwitching([]byte("before"), []byte(sampleKey), []byte(test.protocol), "")
			if string(got) != "before"+test.want {
				t.Errorf("got\n%q, want\n%q", got, "before"+test.want)
			}
			if size := 129; test.protocol == "" && len(test.want) != size || test.protocol != "" && len(test.want) != size+26+len(test.protocol) {
				t.Errorf("%d bytes: not what the documentation says", len(test.want))
			}
		})
	}
}

// What a client of the standard library makes of a refusal.
func TestRefusalAppend(t *testing.T) {
	for _, test := range []struct {
		label   string
		refusal conn.Refusal
		headers map[string]string
	}{
		{"a bad request", conn.Refusal{Status: 400, Code: "bad_request", Message: "so \"it\" is\\not\n…"},
			map[string]string{"Retry-After": "", "Allow": "", "Upgrade": ""}},
		{"a method", conn.Refusal{Status: 405, Code: "method", Message: "m"}, map[string]string{"Allow": "GET"}},
		{"an upgrade", conn.Refusal{Status: 426, Code: "upgrade_required", Message: "m"},
			map[string]string{"Upgrade": "websocket", "Sec-Websocket-Version": "13"}},
		{"too much", conn.Refusal{Status: 503, Code: "overloaded", Message: "m", RetryAfter: 12}, map[string]string{"Retry-After": "12"}},
		{"a long message", conn.Refusal{Status: 404, Code: "not_found", Message: strings.Repeat("long ", 200)}, nil},
		{"a status of no name", conn.Refusal{Status: 599, Code: "x", Message: "m"}, nil},
	} {
		t.Run(test.label, func(t *testing.T) {
			text := string(test.refusal.Append([]byte("before")))[len("before"):]
			connection := "\r\nConnection: close\r\n" // which net/http does not show
			if test.refusal.Status == 426 {
				connection = "\r\nConnection: close, Upgrade\r\n"
			}
			if !strings.Contains(text, connection) {
				t.Errorf("%q lacks %q", text, connection)
			}
			r := bufio.NewReader(strings.NewReader(text + "after"))
			res, err := http.ReadResponse(r, nil)
			if err != nil {
				t.Fatal(err)
			}
			var body struct{ Code, Message string }
			line, err := io.ReadAll(res.Body)
			if err != nil || json.Unmarshal(line, &body) != nil || !strings.HasSuffix(string(line), "}\n") {
				t.Fatalf("body %q, %v", line, err)
			}
			if body.Code != test.refusal.Code || body.Message != test.refusal.Message || res.StatusCode != test.refusal.Status {
				t.Errorf("%d %+v, want %+v", res.StatusCode, body, test.refusal)
			}
			if got := res.Header.Get("Content-Type"); got != "application/json" {
				t.Errorf("Content-Type: %s", got)
			}
			if !res.Close {
				t.Error("the response does not close the connection")
			}
			for name, want := range test.headers {
				if got := res.Header.Get(name); got != want {
					t.Errorf("%s: %q, want %q", name, got, want)
				}
			}
			if rest, _ := io.ReadAll(r); string(rest) != "after" {
				t.Errorf("the length is wrong: %q is left, want \"after\"", rest)
			}
		})
	}
}

func TestRefusalReason(t *testing.T) {
	for _, status := range []int{400, 401, 403, 404, 405, 408, 409, 413, 414, 415, 426, 429, 431, 500, 503, 505} {
		refusal := conn.Refusal{Status: status, Code: "c", Message: "m"}
		want := "HTTP/1.1 " + strconv.Itoa(status) + " " + http.StatusText(status) + "\r\n"
		if got := string(refusal.Append(nil)); !strings.HasPrefix(got, want) {
			t.Errorf("got %q, want it to begin with %q", got, want)
		}
	}
}

func TestRefusalError(t *testing.T) {
	err := error(&conn.Refusal{Status: 404, Code: "not_found", Message: "there is nothing here"})
	if got, want := err.Error(), "404 not_found: there is nothing here"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// upgradeOnce does all that a door does with a head, and fails unless it is accepted.
func upgradeOnce(tb testing.TB, h *conn.Head, buf, dst, scratch []byte) []byte {
	h.Reset()
	if n, err := h.Parse(buf); n != len(buf) || err != nil {
		tb.Fatalf("Parse = %d, %v", n, err)
	}
	if r := h.CheckUpgrade(buf); r != nil {
		tb.Fatal(r)
	}
	var protocol []byte
	for token, pos := h.NextProtocol(buf, 0); token != nil; token, pos = h.NextProtocol(buf, pos) {
		if string(token) == "pushd.v1" {
			protocol = token
		}
	}
	for query := h.Query(buf); ; {
		_, _, rest, ok, err := conn.NextQuery(query, scratch)
		if err != nil {
			tb.Fatal(err)
		}
		if query = rest; !ok {
			break
		}
	}
	return conn.AppendSwitching(dst, h.Key(buf), protocol, h.Deflate())
}

func TestNothingIsAllocated(t *testing.T) {
	var h conn.Head
	buf, dst, scratch := []byte(browserHead), make([]byte, 0, 1024), make([]byte, 0, 256)
	bad := []byte(strings.Replace(browserHead, "Host:", "Host :", 1))
	for label, f := range map[string]func(){
		"an upgrade": func() { upgradeOnce(t, &h, buf, dst, scratch) },
		"a refusal": func() {
			h.Reset()
			_, err := h.Parse(bad)
			if refusal, ok := err.(*conn.Refusal); !ok || len(refusal.Append(dst)) == 0 {
				t.Fatalf("a bad head gives %v", err)
			}
		},
	} {
		if n := testing.AllocsPerRun(200, f); n != 0 {
			t.Errorf("%s allocates %v times", label, n)
		}
	}
}

func BenchmarkUpgrade(b *testing.B) {
	b.Run("conn", func(b *testing.B) {
		var h conn.Head
		buf, dst, scratch := []byte(browserHead), make([]byte, 0, 1024), make([]byte, 0, 256)
		b.ReportAllocs()
		b.SetBytes(int64(len(buf)))
		for b.Loop() {
			upgradeOnce(b, &h, buf, dst, scratch)
		}
	})
	b.Run("gobwas", func(b *testing.B) {
		var in strings.Reader
		upgrader := ws.Upgrader{Protocol: func(p []byte) bool { return string(p) == "pushd.v1" }}
		rw := struct {
			io.Reader
			io.Writer
		}{&in, io.Discard}
		b.ReportAllocs()
		b.SetBytes(int64(len(browserHead)))
		for b.Loop() {
			in.Reset(browserHead)
			if _, err := upgrader.Upgrade(rw); err != nil {
				b.Fatal(err)
			}
		}
	})
}
