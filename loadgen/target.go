package loadgen

import (
	"crypto/rand"
	"crypto/sha1"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net"
	"net/netip"
	"net/textproto"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/gobwas/ws"
)

// Target is a server's address and what is asked of it.
type Target struct {
	Addr   netip.AddrPort
	Host   string // as the Host field has it
	Path   string // with query; may hold {topic} and {client}
	Events bool   // server-sent events in place of a WebSocket
}

// ParseTarget reads a URL: ws://HOST:PORT/PATH for a WebSocket, or
// http://HOST:PORT/PATH for server-sent events. A host name is looked up.
//
// {topic} in the URL stands for a client's topic, and a parameter of the query
// that holds it is repeated for each of them; {client} for the client's number.
func ParseTarget(s string) (Target, error) {
	u, err := url.Parse(strings.NewReplacer("{", "%7B", "}", "%7D").Replace(s))
	if err != nil || u.Host == "" {
		return Target{}, fmt.Errorf("%q is not a URL: expected ws://HOST:PORT/PATH, or http://HOST:PORT/PATH for server-sent events", s)
	}
	t := Target{Host: u.Host, Events: u.Scheme == "http"}
	switch u.Scheme {
	case "ws", "http":
	case "wss", "https":
		return t, fmt.Errorf("%q asks for TLS, which loadgen does not speak: measure the server behind its TLS proxy, with ws:// or http://", s)
	default:
		return t, fmt.Errorf("%q has the scheme %s: expected ws, or http for server-sent events", s, u.Scheme)
	}
	addr, err := net.ResolveTCPAddr("tcp", net.JoinHostPort(u.Hostname(), or(u.Port(), "80")))
	if err != nil {
		return t, fmt.Errorf("%q: %w", s, err)
	}
	t.Addr = netip.AddrPortFrom(addr.AddrPort().Addr().Unmap(), addr.AddrPort().Port())
	t.Path = strings.NewReplacer("%7B", "{", "%7D", "}").Replace(u.RequestURI())
	return t, nil
}

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

// script is what a client says: its request, and its first frames.
type script struct {
	target  Target
	headers []string // whole lines, without CRLF
	frames  []string
	topic   func(i int) string // a topic's name
	key     string             // of all WebSocket handshakes; a nonce (RFC 6455 section 4.1) each would prove nothing more
	accept  string
}

func newScript(t Target, headers, frames []string, topic func(int) string) *script {
	nonce := make([]byte, 16)
	rand.Read(nonce)
	key := base64.StdEncoding.EncodeToString(nonce)
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11")) // RFC 6455 section 4.2.2
	return &script{t, headers, frames, topic, key, base64.StdEncoding.EncodeToString(sum[:])}
}

// request is client i's request; topics are the numbers of its topics.
func (s *script) request(i int, topics []int) []byte {
	var b strings.Builder
	fmt.Fprintf(&b, "GET %s HTTP/1.1\r\nHost: %s\r\n", s.path(i, topics), s.target.Host)
	if s.target.Events {
		b.WriteString("Accept: text/event-stream\r\nCache-Control: no-cache\r\n")
	} else {
		b.WriteString("Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " + s.key + "\r\n")
	}
	for _, h := range s.headers {
		b.WriteString(s.fill(h, i, 0, topics) + "\r\n")
	}
	b.WriteString("\r\n")
	return []byte(b.String())
}

// path repeats the parameters of the query that name a topic.
func (s *script) path(i int, topics []int) string {
	path, query, has := strings.Cut(s.target.Path, "?")
	path = s.fill(path, i, 0, topics)
	if !has {
		return path
	}
	var all []string
	for parameter := range strings.SplitSeq(query, "&") {
		if !strings.Contains(parameter, "{topic}") {
			all = append(all, s.fill(parameter, i, 0, topics))
			continue
		}
		for _, t := range topics {
			all = append(all, s.fill(parameter, i, 0, []int{t}))
		}
	}
	return path + "?" + strings.Join(all, "&")
}

// first are client i's first frames, in one piece. One that names a topic is
// sent once for each of the client's.
func (s *script) first(i int, topics []int) (b []byte) {
	n := 0
	add := func(text string, topics []int) {
		n++
		b = append(b, maskedFrame(ws.OpText, []byte(s.fill(text, i, n, topics)))...)
	}
	for _, f := range s.frames {
		if !strings.Contains(f, "{topic}") {
			add(f, topics)
			continue
		}
		for _, t := range topics {
			add(f, []int{t})
		}
	}
	return b
}

// fill replaces {topic}, {topics}, {client} and {n}.
func (s *script) fill(text string, i, n int, topics []int) string {
	if !strings.Contains(text, "{") {
		return text
	}
	first, names := "", make([]string, 0, len(topics))
	for _, t := range topics {
		names = append(names, s.topic(t))
	}
	if len(names) > 0 {
		first = names[0]
	}
	list, _ := json.Marshal(names) // strings always can be
	return strings.NewReplacer("{topic}", first, "{topics}", string(list), "{client}", strconv.Itoa(i), "{n}", strconv.Itoa(n)).Replace(text)
}

func maskedFrame(op ws.OpCode, payload []byte) []byte {
	b, _ := ws.CompileFrame(ws.MaskFrame(ws.NewFrame(op, true, payload))) // writes to memory
	return b
}

// answer is the answer to a handshake.
type answer struct {
	status  int
	line    string // the status line
	header  textproto.MIMEHeader
	rest    []byte // what has come behind the header
	refusal string // why it is no good, or ""
}

// parse reads the answer that b begins with; whole is false where its header
// has not come yet.
func (s *script) parse(b []byte) (a answer, whole bool) {
	head, rest, whole := strings.Cut(string(b), "\r\n\r\n")
	if !whole {
		return a, false
	}
	a.rest = b[len(b)-len(rest):]
	lines := strings.Split(head, "\r\n")
	a.line, a.header = lines[0], make(textproto.MIMEHeader)
	for _, line := range lines[1:] {
		name, value, _ := strings.Cut(line, ":")
		a.header.Add(name, strings.TrimSpace(value))
	}
	if _, err := fmt.Sscanf(a.line, "HTTP/1.1 %d", &a.status); err != nil {
		a.refusal = "not HTTP"
		return a, true
	}
	want := 101
	if s.target.Events {
		want = 200
	}
	switch {
	case a.status != want:
		a.refusal = "HTTP " + strings.TrimPrefix(a.line, "HTTP/1.1 ")
	case s.target.Events && !strings.HasPrefix(a.header.Get("Content-Type"), "text/event-stream"):
		a.refusal = fmt.Sprintf("Content-Type is %q, not text/event-stream", a.header.Get("Content-Type"))
	case !s.target.Events && a.header.Get("Sec-WebSocket-Accept") != s.accept:
		a.refusal = "Sec-WebSocket-Accept does not answer the key (RFC 6455 section 4.2.2)"
	case !s.target.Events && a.header.Get("Sec-WebSocket-Extensions") != "":
		a.refusal = "the server chose an extension that was not offered"
	}
	return a, true
}

func (a *answer) chunked() bool {
	return slices.ContainsFunc(a.header["Transfer-Encoding"], func(v string) bool { return strings.EqualFold(v, "chunked") })
}
