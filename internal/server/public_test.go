package server_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/gobwas/ws"
	"github.com/stretchr/testify/require"

	"github.com/pushd/pushd/internal/dialect"
	"github.com/pushd/pushd/internal/server"
)

// upgrade is what asks for a WebSocket.
const upgrade = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"

// call opens a TCP connection to the public door and says something.
func (d *door) call(text string) *peer {
	d.t.Helper()
	c, err := net.Dial("tcp", d.Addr().String())
	require.NoError(d.t, err)
	d.t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(20 * time.Second))
	p := &peer{Conn: c, t: d.t, r: bufio.NewReader(c)}
	p.write(text)
	return p
}

// ask sends a request, with header lines that end in CRLF, and returns the head
// of the answer. Where that is a 101 frames follow.
func (d *door) ask(what, header string) (*http.Response, *peer) {
	d.t.Helper()
	p := d.call(what + " HTTP/1.1\r\nHost: a\r\n" + header + "\r\n")
	return p.response(), p
}

func (p *peer) write(text string) {
	p.t.Helper()
	_, err := io.WriteString(p, text)
	require.NoError(p.t, err)
}

func (p *peer) response() *http.Response {
	p.t.Helper()
	answer, err := http.ReadResponse(p.r.(*bufio.Reader), nil)
	require.NoError(p.t, err)
	return answer
}

// refused returns what the body of an answer says.
func (p *peer) refused(answer *http.Response) (r refusal) {
	p.t.Helper()
	require.Equal(p.t, "application/json", answer.Header.Get("Content-Type"))
	require.NoError(p.t, json.NewDecoder(answer.Body).Decode(&r))
	return r
}

// ended waits for the end of the connection, after so many bytes.
func (p *peer) ended(after int64) {
	p.t.Helper()
	n, err := io.Copy(io.Discard, p.r)
	require.NoError(p.t, err)
	require.Equal(p.t, after, n)
}

// open waits until the server has as many connections.
func (d *door) connected(n int) {
	d.t.Helper()
	d.until(d.base+"/metrics", fmt.Sprintf("%d connections", n), func(m map[string]float64) bool { return m["pushd_connections"] == float64(n) })
}

// A refusal is HTTP's, but a browser cannot see that: where it is not the
// request's fault, whoever sends an Origin is let in, told, and closed.
func TestRefusals(t *testing.T) {
	anonymous, err := dialect.ParsePatternList([]string{"open.>", "a"})
	require.NoError(t, err)
	d := open(t, server.Config{Listen: "127.0.0.1:0", Admin: "127.0.0.1:0", Anonymous: anonymous, MaxSubscriptions: 2})
	long := strings.Repeat("x", 8<<10)
	for _, c := range []struct {
		label, what, header string
		status              int
		code, says          string
	}{
		{"echo is closed", "GET /echo", upgrade, 404, "not_found", "nothing is at /echo"},
		{"wrong path", "GET /other?topic=a", upgrade, 404, "not_found", "/ws"},
		{"path is not decoded", "GET /%77s?topic=a", upgrade, 404, "not_found", "/%77s"},
		{"no upgrade", "GET /ws?topic=a", "", 426, "upgrade_required", "Upgrade: websocket"},
		{"method", "POST /ws?topic=a", upgrade, 405, "method", "GET"},
		{"version", "GET /ws?topic=a", strings.Replace(upgrade, "13", "8", 1), 426, "upgrade_required", "expected 13"},
		{"key", "GET /ws?topic=a", strings.Replace(upgrade, "dGhl", "", 1), 400, "bad_request", "Sec-WebSocket-Key"},
		{"target", "GET /ws?topic=" + long, upgrade, 414, "too_large", "target"},
		{"header", "GET /ws?topic=a", upgrade + "X: " + long + long + "\r\n", 431, "headers_too_large", ""},
		{"unknown subprotocol", "GET /ws?topic=a", upgrade + "Sec-WebSocket-Protocol: pushd.v2, PUSHD.V1\r\n", 400, "bad_request", "pushd.raw.v1"},
		{"unknown subprotocol beside a token", "GET /ws?topic=a", upgrade + "Sec-WebSocket-Protocol: bearer.x, mqtt\r\n", 400, "bad_request", "pushd.v1"},
		{"raw without a topic", "GET /ws", upgrade, 400, "bad_request", "no topic"},
		{"raw with something else", "GET /ws?x=1&&topics=a", upgrade, 400, "bad_request", "no topic"},
		{"bad topic", "GET /ws?topic=a%20b", upgrade, 400, "bad_topic", "white space"},
		{"a plus is a space", "GET /ws?topic=a+b", upgrade, 400, "bad_topic", "white space"},
		{"empty topic", "GET /ws?topic=", upgrade, 400, "bad_topic", ""},
		{"reserved topic", "GET /ws?topic=$user.1", upgrade, 400, "bad_topic", "reserved"},
		{"bad topic behind a good one", "GET /ws?topic=a&topic=open.>", upgrade, 400, "bad_topic", "open.>"},
		{"bad escape", "GET /ws?topic=%zz", upgrade, 400, "bad_request", ""},
		{"user", "GET /ws?user=u&topic=a", upgrade, 400, "bad_request", "user= is not believed"},
		{"max_rate", "GET /ws?topic=a&max%5frate=x", upgrade, 400, "bad_request", "at least 0.1"},
		{"too many subscriptions", "GET /ws?topic=a&topic=open.1&topic=open.2", upgrade, 400, "bad_request", "more than 2"},
		{"forbidden", "GET /ws?topic=b", upgrade, 403, "forbidden", `topic "b" is not open`},
		{"one of two is forbidden", "GET /ws?topic=open.1&topic=open", upgrade, 403, "forbidden", `topic "open" is not open`},
		{"forbidden in JSON", "GET /ws?topic=b", upgrade + "Sec-WebSocket-Protocol: pushd.v1\r\n", 403, "forbidden", `topic "b" is not open`},
	} {
		t.Run(c.label, func(t *testing.T) {
			counted := func() float64 {
				return d.scrape(d.base + "/metrics")[`pushd_upgrades_total{result="`+c.code+`"}`]
			}
			before := counted()
			answer, p := d.ask(c.what, c.header)
			require.Equal(t, c.status, answer.StatusCode)
			got := p.refused(answer)
			require.Equal(t, c.code, got.Code)
			require.Contains(t, got.Message, c.says)
			p.ended(0)

			answer, p = d.ask(c.what, c.header+"Origin: http://a\r\n")
			if c.status == 403 {
				require.Equal(t, 101, answer.StatusCode)
				_, err := p.next()
				require.Equal(t, ws.StatusCode(4403), err.(closed).code, "the first frame is the close")
				require.Contains(t, err.(closed).reason, c.says)
				p.Close()
			} else {
				require.Equal(t, c.status, answer.StatusCode)
				p.refused(answer)
				p.ended(0)
			}
			require.Equal(t, before+2, counted())
		})
	}
	d.connected(0)
	m := d.scrape(d.base + "/metrics")
	require.Zero(t, m["pushd_subscriptions"])
	require.NotContains(t, m, `pushd_upgrades_total{result="ok"}`)
	require.EqualValues(t, 3, m[`pushd_closes_total{code="4403"}`])
}

// A topic's name may be longer than a close frame, and be cut in a character.
func TestForbiddenReasonIsCut(t *testing.T) {
	d := open(t, server.Config{Listen: "127.0.0.1:0", Admin: "127.0.0.1:0"})
	for _, name := range []string{"a", "aa", "aaa"} {
		name += strings.Repeat("€", 80)
		answer, p := d.ask("GET /ws?topic="+strings.ReplaceAll(name, "€", "%E2%82%AC"), upgrade+"Origin: http://a\r\n")
		require.Equal(t, 101, answer.StatusCode)
		_, err := p.next()
		require.Equal(t, ws.StatusCode(4403), err.(closed).code)
		reason := err.(closed).reason
		require.True(t, utf8.ValidString(reason), "%q", reason)
		require.Contains(t, reason, name[:100])
	}
}

func TestSubprotocols(t *testing.T) {
	d := open(t, server.Config{})
	for _, c := range []struct{ offered, echoed, first string }{
		{"", "", ""},
		{"pushd.raw.v1", "pushd.raw.v1", ""},
		{"mqtt, pushd.raw.v1, pushd.v1", "pushd.raw.v1", ""},
		{"bearer.x, pushd.v1, pushd.raw.v1", "pushd.v1", `"op":"welcome"`},
		{"bearer.x", "", ""},
	} {
		t.Run(c.offered, func(t *testing.T) {
			header := upgrade
			if c.offered != "" {
				header += "Sec-WebSocket-Protocol: " + c.offered + "\r\n"
			}
			answer, p := d.ask("GET /ws?topic=a", header)
			require.Equal(t, 101, answer.StatusCode)
			require.Equal(t, c.echoed, answer.Header.Get("Sec-WebSocket-Protocol"))
			require.Empty(t, answer.Header.Values("Sec-WebSocket-Extensions"))
			if c.first == "" {
				c.first = "hello"
				d.do(new(receipt), "POST /v1/topics/a/messages", "hello", "Content-Type", "text/plain")
			}
			got, err := p.next()
			require.NoError(t, err)
			require.Contains(t, got, c.first)
			p.Close()
			d.connected(0)
		})
	}
}

func TestConnectionLimit(t *testing.T) {
	const headroom = 64 // conn's
	d := open(t, server.Config{Listen: "127.0.0.1:0", Admin: "127.0.0.1:0", Dev: true, MaxConnections: 2})
	inside := []*peer{d.subscribe("pushd.raw.v1", "a"), d.subscribe("pushd.raw.v1", "a")}
	for _, target := range []string{"GET /ws?topic=a", "GET /ws?topic=a%20b"} {
		answer, p := d.ask(target, upgrade)
		require.Equal(t, 503, answer.StatusCode)
		require.Equal(t, "5", answer.Header.Get("Retry-After"))
		require.Equal(t, "overloaded", p.refused(answer).Code)
		p.Close()
		d.connected(2)
	}
	answer, p := d.ask("GET /ws?topic=a", upgrade+"Origin: http://localhost\r\nSec-WebSocket-Protocol: pushd.v1\r\n")
	require.Equal(t, 101, answer.StatusCode)
	require.Equal(t, "pushd.v1", answer.Header.Get("Sec-WebSocket-Protocol"))
	_, err := p.next()
	require.Equal(t, ws.StatusCode(1013), err.(closed).code)
	require.Regexp(t, `^retry_ms=(4\d{3}|5000)$`, err.(closed).reason, "in the last of the seconds that Retry-After says")
	p.Close()
	d.connected(2)
	answer, _ = d.ask("GET /healthz", "")
	require.Equal(t, 200, answer.StatusCode, "whoever watches us may still ask")
	d.connected(2)

	for range headroom {
		d.call("GET /ws")
	}
	d.connected(2 + headroom)
	beyond, err := net.Dial("tcp", d.Addr().String())
	require.NoError(t, err)
	defer beyond.Close()
	beyond.SetDeadline(time.Now().Add(10 * time.Second))
	_, err = beyond.Read(make([]byte, 1))
	require.ErrorIs(t, err, io.EOF, "closed at once")

	d.do(new(receipt), "POST /v1/topics/a/messages", "still here", "Content-Type", "text/plain")
	for _, p := range inside {
		got, err := p.next()
		require.NoError(t, err)
		require.Equal(t, "still here", got)
	}
	m := d.scrape(d.base + "/metrics")
	require.EqualValues(t, 1, m["pushd_connections_turned_away_total"])
	require.EqualValues(t, 2, m[`pushd_upgrades_total{result="ok"}`])
	require.EqualValues(t, 3, m[`pushd_upgrades_total{result="overloaded"}`])
}

// A place is free again when one leaves.
func TestConnectionLimitIsOfThoseWhoAreThere(t *testing.T) {
	d := open(t, server.Config{Listen: "127.0.0.1:0", Admin: "127.0.0.1:0", Dev: true, MaxConnections: 1})
	for range 3 {
		p := d.subscribe("pushd.raw.v1", "a")
		answer, q := d.ask("GET /ws?topic=a", upgrade)
		require.Equal(t, 503, answer.StatusCode)
		p.Close()
		q.Close()
		d.connected(0)
	}
}

func TestSlowHead(t *testing.T) {
	d := open(t, server.Config{Listen: "127.0.0.1:0", Admin: "127.0.0.1:0", Dev: true, HandshakeTimeout: 200 * time.Millisecond})
	for _, said := range []string{"", "GET /ws?topic=a HTTP/1.1\r\nHost: a\r\n" + upgrade, "POST /v1 HTTP/1.1\r\n"} {
		p := d.call(said)
		answer := p.response()
		require.Equal(t, 408, answer.StatusCode)
		require.Equal(t, "timeout", p.refused(answer).Code)
		p.ended(0)
		p.Close()
	}
	d.connected(0)
	require.EqualValues(t, 3, d.scrape(d.base + "/metrics")[`pushd_upgrades_total{result="timeout"}`])
}
