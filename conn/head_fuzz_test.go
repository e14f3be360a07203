package conn_test

import (
	"bufio"
	"bytes"
	"errors"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"unsafe"

	"github.com/pushd/pushd/conn"
)

// FuzzHead cuts any bytes at any place: the result must not depend on it, and where net/http also takes the request, the
// two must have read the same.
func FuzzHead(f *testing.F) {
	for _, seed := range []string{
		browserHead,
		"\r\nGET http://h:80/ws?a=%41 HTTP/1.1\r\nHost: h\r\nSec-WebSocket-Protocol: a,b\r\nSec-WebSocket-Protocol: c\r\n\r\n\x81\x00",
		"OPTIONS * HTTP/1.0\r\nX:\t\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: a\r\n b\r\n\r\n",
		"GET / HTTP/1.1\nHost: a\n\n",
		"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
		"\x16\x03\x01\x02\x00",
		"GET /a#b HTTP/1.1\r\n\r\n",
		"POST /x HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n",
	} {
		f.Add([]byte(seed), uint16(len(seed)/2))
	}
	f.Fuzz(func(t *testing.T, data []byte, cut uint16) {
		in := string(data)
		whole, at := parseCut(t, in, len(in))
		if cut := int(cut) % (len(in) + 1); cut > 0 {
			if got, _ := parseCut(t, in, cut, len(in)); !reflect.DeepEqual(got, whole) {
				t.Fatalf("cut at %d:\n%+v, whole:\n%+v", cut, got, whole)
			}
		}

		var h conn.Head
		var err error
		n, i := 0, 0
		for n == 0 && err == nil && i < len(data) {
			i++
			n, err = h.Parse(data[:i:i])
		}
		var refusal *conn.Refusal
		if errors.As(err, &refusal); n != whole.N || refusal != whole.Err {
			t.Fatalf("byte by byte: %d, %v; whole: %d, %v", n, err, whole.N, whole.Err)
		}
		if n == 0 {
			if at > 0 && whole.Err == nil {
				t.Fatalf("neither done nor refused after %d bytes", at)
			}
			return
		}
		if n != i {
			t.Fatalf("a head of %d bytes was complete only with %d", n, i)
		}
		inside(t, &h, data[:n])
		agree(t, data, whole)
	})
}

// inside fails unless all that h returns lies in buf.
func inside(t *testing.T, h *conn.Head, buf []byte) {
	parts := [][]byte{h.Method(buf), h.Target(buf), h.Path(buf), h.Query(buf), h.Host(buf), h.Origin(buf), h.Key(buf), h.Version(buf)}
	for name, value, pos := h.NextHeader(buf, 0); name != nil; name, value, pos = h.NextHeader(buf, pos) {
		parts = append(parts, name, value)
	}
	for token, pos := h.NextProtocol(buf, 0); token != nil; token, pos = h.NextProtocol(buf, pos) {
		parts = append(parts, token)
	}
	low := uintptr(unsafe.Pointer(unsafe.SliceData(buf)))
	for i, part := range parts {
		begin := uintptr(unsafe.Pointer(unsafe.SliceData(part)))
		if begin < low || begin+uintptr(cap(part)) > low+uintptr(len(buf)) || cap(part) != len(part) {
			t.Fatalf("part %d, %q, is not inside the head", i, part)
		}
	}
}

// agree fails if net/http takes the request and reads it otherwise.
func agree(t *testing.T, data []byte, ours what) {
	req, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(data)))
	if err != nil {
		return // it has views on ports, lengths and escapes that are not for us to hold here
	}
	path, err := url.PathUnescape(ours.Path)
	if err != nil {
		t.Fatalf("net/http takes the path %q", ours.Path)
	}
	theirs := what{Method: req.Method, Target: req.RequestURI, Path: req.URL.Path, Query: req.URL.RawQuery, Host: req.Host,
		Origin: req.Header.Get("Origin"), Key: req.Header.Get("Sec-WebSocket-Key"), Version: req.Header.Get("Sec-WebSocket-Version"),
		Minor: req.ProtoMinor}
	if theirs.Path == "" {
		theirs.Path = "/"
	}
	got := what{Method: ours.Method, Target: ours.Target, Path: path, Query: ours.Query, Host: ours.Host, Origin: ours.Origin,
		Key: ours.Key, Version: ours.Version, Minor: ours.Minor}
	if !reflect.DeepEqual(got, theirs) {
		t.Fatalf("we read\n%+v, net/http\n%+v", got, theirs)
	}
	var protocols []string
	for _, value := range req.Header["Sec-Websocket-Protocol"] {
		for token := range strings.SplitSeq(value, ",") {
			if token = strings.Trim(token, " \t"); token != "" {
				protocols = append(protocols, token)
			}
		}
	}
	if !reflect.DeepEqual(ours.Protocols, protocols) {
		t.Fatalf("we read the subprotocols %q, net/http %q", ours.Protocols, protocols)
	}
}
