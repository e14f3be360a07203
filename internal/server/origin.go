package server

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"

	"github.com/pushd/pushd/conn"
	"github.com/pushd/pushd/internal/dialect"
)

// OriginPattern is whose web pages may connect: one origin, such as
// https://app.example.com, those of all hosts below one, https://*.example.com,
// null, or * for all.
type OriginPattern struct{ scheme, host, port string }

// ParseOriginPattern reads one. The port may be left out where it is the
// scheme's own.
func ParseOriginPattern(s string) (OriginPattern, error) {
	if s == "*" || s == "null" {
		return OriginPattern{host: s}, nil
	}
	scheme, host, port, ok := cutOrigin(strings.ToLower(s))
	name := strings.TrimPrefix(host, "*.")
	if !ok || name == "" || strings.ContainsAny(name, "*@?# ") {
		return OriginPattern{}, fmt.Errorf("%q: expected an origin such as https://app.example.com, https://*.example.com, null or *", s)
	}
	return OriginPattern{scheme, host, port}, nil
}

// cutOrigin takes the serialization of an origin apart (RFC 6454, 6.2). The port
// is "" where it is the scheme's own.
func cutOrigin(s string) (scheme, host, port string, ok bool) {
	scheme, rest, ok := strings.Cut(s, "://")
	if !ok || scheme == "" || rest == "" || strings.ContainsAny(rest, "/\\") {
		return "", "", "", false
	}
	host, port = cutPort(scheme, rest)
	return scheme, host, port, host != ""
}

// cutPort takes the port off an authority; it is "" where it is the scheme's own.
func cutPort(scheme, authority string) (host, port string) {
	host = authority
	if colon := strings.LastIndexByte(authority, ':'); colon > strings.LastIndexByte(authority, ']') {
		host, port = authority[:colon], authority[colon+1:]
	}
	if scheme == "http" && port == "80" || scheme == "https" && port == "443" {
		port = ""
	}
	return host, port
}

func (p OriginPattern) match(scheme, host, port string) bool {
	if p.host == "*" {
		return true
	}
	if p.scheme != scheme || p.port != port {
		return false
	}
	if below, ok := strings.CutPrefix(p.host, "*"); ok {
		return strings.HasSuffix(host, below) && len(host) > len(below)
	}
	return p.host == host
}

// origins says which web pages may connect.
type origins struct {
	allowed []OriginPattern
	local   bool // of those that are of our own host only pages of loopback are ours
	log     *slog.Logger

	mu   sync.Mutex
	told map[string]bool // refused, and logged
}

// maxTold is how many refused origins are logged: whoever makes them up is not to
// fill the log.
const (
	maxTold   = 64
	maxOrigin = 128 // bytes of one that are told
)

var refuseOrigin = &conn.Refusal{Status: http.StatusForbidden, Code: dialect.CodeForbidden,
	Message: "pages of this origin may not connect here: expected one of this host, or one that the server's allow-origin names"}

// check says whether the page that a request comes from may connect. A request
// without an Origin comes from no page (RFC 6455, 10.2). The page of the host
// that is asked is ours.
func (o *origins) check(r *conn.Request) *conn.Refusal {
	origin := r.Origin(r.Bytes)
	if len(origin) == 0 || o.ours(string(bytes.ToLower(origin)), strings.ToLower(string(r.Host(r.Bytes)))) {
		return nil
	}
	o.tell(string(origin), string(r.Host(r.Bytes)))
	return refuseOrigin
}

func (o *origins) ours(origin, host string) bool {
	scheme, name, port, ok := cutOrigin(origin)
	if ok && o.local && isLocal(name) {
		return true
	}
	if ok && !o.local {
		if asked, at := cutPort(scheme, host); asked == name && at == port {
			return true
		}
	}
	for _, p := range o.allowed {
		if ok && p.match(scheme, name, port) || p.host == "*" || p.host == "null" && origin == "null" {
			return true
		}
	}
	return false
}

// tell logs an origin when it is refused for the first time.
func (o *origins) tell(origin, host string) {
	if len(origin) > maxOrigin {
		origin = strings.ToValidUTF8(origin[:maxOrigin], "") + "…"
	}
	o.mu.Lock()
	known := o.told[origin] || len(o.told) == maxTold
	if !known {
		if o.told == nil {
			o.told = make(map[string]bool)
		}
		o.told[origin] = true
	}
	o.mu.Unlock()
	if !known {
		o.log.Warn("a web page may not connect: its origin is not of this host", "origin", origin, "host", host, "hint", "--allow-origin "+origin)
	}
}
