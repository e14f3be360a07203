package conformance_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// mayBeSent reports whether a close frame may have a code: RFC 6455 7.4.1 and
// 7.4.2, and what IANA has registered since (1012 to 1014).
func mayBeSent(code int) bool {
	switch {
	case code >= 1000 && code <= 1003, code >= 1007 && code <= 1014, code >= 3000 && code <= 4999:
		return true
	}
	return false
}

// closeWith sends a close frame with the code and expects the right answer.
func closeWith(t *testing.T, h *host, code int) {
	t.Helper()
	p := h.echo(t)
	defer p.leave()
	p.send(masked(fin|closing, closeBody(code, "")))
	if mayBeSent(code) {
		p.closed(code)
	} else {
		p.closed(1002)
	}
}

// ranges returns a case for each class of codes.
func ranges() (all []story) {
	for _, r := range []struct {
		rule, label        string
		first, last, every int
	}{
		{"6455 7.4.2 0-999", "not used", 0, 999, 1},
		{"6455 7.4.1 codes", "1000 to 1003", 1000, 1003, 1},
		{"6455 7.4.1 1004", "reserved", 1004, 1004, 1},
		{"6455 7.4.1 1005", "not to be set", 1005, 1005, 1},
		{"6455 7.4.1 1006", "not to be set", 1006, 1006, 1},
		{"6455 7.4.1 codes", "1007 to 1011", 1007, 1011, 1},
		{"6455 7.4.2 1000-2999", "registered since: 1012 to 1014", 1012, 1014, 1},
		{"6455 7.4.1 1015", "not to be set", 1015, 1015, 1},
		{"6455 7.4.2 1000-2999", "reserved", 1016, 2999, 1},
		{"6455 7.4.2 3000-4999", "registered at IANA", 3000, 3999, 1},
		{"6455 7.4.2 3000-4999", "private", 4000, 4999, 1},
		{"6455 7.4.2 above", "5000", 5000, 5000, 1},
		{"6455 7.4.2 above", "those near", 5001, 5100, 1},
		{"6455 7.4.2 above", "every 61st", 5101, 65_534, 61},
		{"6455 7.4.2 above", "whose second byte would be good", 0xffe8, 0xffff, 1},
		{"6455 7.4.2 above", "65535", 65_535, 65_535, 1},
	} {
		all = append(all, story{r.rule, fmt.Sprintf("%d to %d, %s", r.first, r.last, r.label), func(t *testing.T, h *host) {
			for code := r.first; code <= r.last; code += r.every {
				closeWith(t, h, code)
			}
		}})
	}
	return all
}

func TestCloseCodes(t *testing.T) { runStories(t, ranges()) }

// subscriber is a WebSocket on /ws that is open.
func (h *host) subscriber(t testing.TB, topic string) *peer {
	t.Helper()
	p := h.dial(t)
	p.send([]byte(request("/ws?topic=" + topic)))
	require.Equal(t, "HTTP/1.1 101 Switching Protocols", p.head().status)
	return p
}

// admin asks the admin door for something that has to succeed.
func (h *host) admin(t testing.TB, method, path, media, body string) string {
	t.Helper()
	r, err := http.NewRequest(method, "http://"+h.AdminAddr().String()+path, strings.NewReader(body))
	require.NoError(t, err)
	r.Close = true
	if media != "" {
		r.Header.Set("Content-Type", media)
	}
	answer, err := http.DefaultTransport.RoundTrip(r)
	require.NoError(t, err)
	defer answer.Body.Close()
	said, err := io.ReadAll(answer.Body)
	require.NoError(t, err)
	require.Equal(t, 200, answer.StatusCode, "%s", said)
	return string(said)
}

// end has the server start the closing handshake with whoever subscribes to topic.
func (h *host) end(t testing.TB, topic, query string) {
	t.Helper()
	_, id, _ := strings.Cut(h.admin(t, "GET", "/v1/connections?topic="+topic, "", ""), `"id":"`)
	id, _, _ = strings.Cut(id, `"`)
	h.admin(t, "DELETE", "/v1/connections/"+id+"?"+query, "", "")
}

// hears expects the close frame of a closing handshake that the server starts.
func (p *peer) hears(code int, reason string) {
	p.t.Helper()
	p.gets(frame{fin | closing, closeBody(code, reason)})
}

// closings are the cases of who closes what, and when.
var closings = []story{
	{"6455 7.1.2", "the server starts, the client answers, the server ends TCP", func(t *testing.T, h *host) {
		p := h.subscriber(t, "a1")
		h.end(t, "a1", "code=4410&reason=gone")
		p.hears(4410, "gone")
		p.send(masked(fin|closing, closeBody(4410, "")))
		p.ended()
	}},
	{"6455 7.3", "the server starts, and nothing but its close frame comes", func(t *testing.T, h *host) {
		p := h.subscriber(t, "a2")
		h.end(t, "a2", "code=1001")
		p.hears(1001, "")
		h.admin(t, "POST", "/v1/topics/a2/messages", "text/plain", "late")
		p.send(masked(fin|ping, "too late"))
		p.send(masked(fin|closing, ""))
		p.ended()
	}},
	{"6455 7.1.2", "the client's close frame crosses the server's", func(t *testing.T, h *host) {
		p := h.subscriber(t, "a3")
		h.end(t, "a3", "code=1001")
		p.send(masked(fin|closing, closeBody(1000, "bye")))
		p.hears(1001, "")
		p.ended()
	}},
	{"6455 7.1.1", "a client that answers nothing is cut off all the same", func(t *testing.T, h *host) {
		t.Parallel() // it takes 5 s
		p := h.subscriber(t, "a4")
		h.end(t, "a4", "code=1001")
		p.hears(1001, "")
		p.cutOff()
	}},
	{"6455 7.1.1", "one that is closed for a fault and goes on is cut off as well", func(t *testing.T, h *host) {
		t.Parallel()
		p := h.echo(t)
		p.send([]byte{fin | 3})
		p.closed(1002)
		p.cutOff()
	}},
	{"6455 7.1.7", "a close frame behind a fault is not answered", func(t *testing.T, h *host) {
		for _, fault := range [][]byte{{fin | 3}, {fin | text, 0}, {fin | continuation}, {0xff}, length64(fin|text, 1<<63), masked(fin|text, "\xff"), masked(fin|closing, "\x03")} {
			p := h.echo(t)
			p.send(joined(fault, masked(fin|closing, closeBody(1000, ""))))
			f := p.next()
			require.Equal(t, byte(fin|closing), f.first)
			require.NotEqual(t, closeBody(1000, ""), f.payload)
			p.ended()
		}
	}},
	{"6455 7.1.7", "nothing behind a fault is answered", func(t *testing.T, h *host) {
		p := h.echo(t)
		p.send(joined(masked(fin|text, "before"), []byte{fin | 3, 0x80, 0, 0, 0, 0}, masked(fin|ping, "behind"), masked(fin|text, "behind")))
		p.gets(frame{fin | text, "before"})
		p.closed(1002)
	}},
	{"6455 7.1.7", "a fault is answered with a close frame that says what it was, and not by TCP alone", func(t *testing.T, h *host) {
		for fault, code := range map[string]int{
			"\xbf": 1002, "\x81\x05": 1002, "\x80": 1002, "\x09": 1002, "\x89\xfe": 1002, "\x82\xff\x80": 1002,
			string(masked(fin|text, "\xff")): 1007, string(header(fin|text, most+1)): 1009,
		} {
			p := h.echo(t)
			p.send([]byte(fault))
			require.NotEmpty(t, p.closed(code), "%q", fault)
		}
	}},
	{"6455 7.1.7", "a client that is gone without a close frame is no trouble", func(t *testing.T, h *host) {
		p := h.echo(t)
		p.send(begun(text, "half", 100))
		p.leave()
		h.echo(t).lives()
	}},
	{"6455 7.4.1 1003", "raw takes no messages, found before their payload", func(t *testing.T, h *host) {
		for _, op := range []byte{text, binaryData} {
			p := h.subscriber(t, "a5")
			p.send(header(fin|op, 100))
			p.closed(1003)
		}
	}},
	{"6455 7.4.1 1003", "JSON takes text only", func(t *testing.T, h *host) {
		p := h.dial(t)
		p.send([]byte(request("/ws", "Sec-WebSocket-Protocol: pushd.v1\r\n")))
		require.Equal(t, 101, p.head().code(t))
		require.Contains(t, p.next().payload, `"welcome"`)
		p.send(header(fin|binaryData, 1))
		p.closed(1003)
	}},
}

// cutOff expects that the server does not wait for ever: what is sent is refused
// by TCP, at the latest after the 5 s that it gives to a peer.
func (p *peer) cutOff() {
	p.t.Helper()
	require.Eventually(p.t, func() bool {
		p.SetWriteDeadline(time.Now().Add(patience))
		_, err := p.Write(masked(fin|ping, ""))
		return err != nil
	}, 15*time.Second, 50*time.Millisecond)
}

func TestClosing(t *testing.T) { runStories(t, closings) }
