package server

import (
	"crypto/sha256"
	"crypto/subtle"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync/atomic"
	"time"

	"github.com/pushd/pushd/internal/dialect"
)

const (
	maxAdminConns = 256         // connections of the admin door, and of the metrics door
	bodyTimeout   = time.Minute // how long a body may give nothing
)

// guarded puts h behind what keeps strangers out. address is where the door
// stands, tokens any of which it asks for.
func (s *Server) guarded(h http.Handler, address net.Addr, tokens []string) *http.Server {
	g := &guard{next: h, onlyLocal: isLoopback(address), patience: bodyTimeout}
	for _, t := range tokens {
		g.tokens = append(g.tokens, sha256.Sum256([]byte(t)))
	}
	return &http.Server{
		Handler:           g,
		ReadHeaderTimeout: 5 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    32 << 10,
		ConnState:         g.count,
		ErrorLog:          slog.NewLogLogger(s.cfg.Logger.Handler(), slog.LevelWarn),
	}
}

// guard lets through to next who may come in.
type guard struct {
	next      http.Handler
	onlyLocal bool // the door is on loopback: names of other hosts are not ours
	tokens    [][sha256.Size]byte
	patience  time.Duration // with a body that gives nothing
	origins   http.CrossOriginProtection
	conns     atomic.Int64
}

// ServeHTTP implements http.Handler.
func (g *guard) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-Content-Type-Options", "nosniff")
	if r.Body != http.NoBody {
		if r.ContentLength < 0 {
			// An answer that leaves the end of such a body unread does not wait
			// for it, but ends the connection. keepAlive takes it back.
			w.Header().Set("Connection", "close")
		}
		r = r.WithContext(r.Context()) // net/http looks at its own Body once more
		r.Body = newTimedBody(r.Body, http.NewResponseController(w), g.patience)
	}
	switch {
	case g.onlyLocal && !isLocal(r.Host):
		// A web page can have its own name resolved to 127.0.0.1 (DNS
		// rebinding), and is then of one origin with us.
		refuse(w, dialect.CodeForbidden, "host "+quote(r.Host)+" is not served here: expected localhost or a loopback address")
	case g.origins.Check(r) != nil:
		refuse(w, dialect.CodeForbidden, "a web page of another origin may not do this")
	case !g.authorized(r):
		w.Header().Set("WWW-Authenticate", "Bearer")
		refuse(w, dialect.CodeUnauthorized, "expected the admin token: Authorization: Bearer TOKEN")
	default:
		g.next.ServeHTTP(w, r)
	}
}

func (g *guard) authorized(r *http.Request) bool {
	if len(g.tokens) == 0 || r.URL.Path == "/healthz" || r.URL.Path == "/readyz" {
		return true
	}
	if r.TLS != nil && len(r.TLS.VerifiedChains) > 0 {
		return true
	}
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") { // RFC 9110, 11.1: in any case
		return false
	}
	// Hashed, so that the time does not depend on the length either.
	got, good := sha256.Sum256([]byte(strings.TrimSpace(token))), 0
	for _, want := range g.tokens {
		good |= subtle.ConstantTimeCompare(got[:], want[:])
	}
	return good == 1
}

// count closes what is one connection too many.
func (g *guard) count(c net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		if g.conns.Add(1) > maxAdminConns {
			c.Close()
		}
	case http.StateClosed, http.StateHijacked:
		g.conns.Add(-1)
	}
}

func isLoopback(address net.Addr) bool {
	tcp, ok := address.(*net.TCPAddr)
	return ok && tcp.IP.IsLoopback()
}

// isLocal reports whether the Host of a request names this machine by loopback.
func isLocal(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.IsLoopback() || strings.EqualFold(host, "localhost")
}

// timedBody is a body that may take as long as it likes, if only something
// comes now and then.
type timedBody struct {
	io.ReadCloser
	control  *http.ResponseController
	patience time.Duration
	renewed  time.Time
}

func newTimedBody(body io.ReadCloser, control *http.ResponseController, patience time.Duration) *timedBody {
	b := &timedBody{ReadCloser: body, control: control, patience: patience}
	b.renew(time.Now()) // also for who refuses it unread
	return b
}

func (b *timedBody) Read(p []byte) (int, error) {
	if now := time.Now(); now.Sub(b.renewed) > b.patience/64 {
		b.renew(now)
	}
	return b.ReadCloser.Read(p)
}

// renew fails only for what is no socket. net/http takes the deadline back at
// the end of the body.
func (b *timedBody) renew(now time.Time) {
	b.renewed = now
	b.control.SetReadDeadline(now.Add(b.patience))
}

// keepAlive says that the body was read to its end.
func keepAlive(w http.ResponseWriter) { w.Header().Del("Connection") }
