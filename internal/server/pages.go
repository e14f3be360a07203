package server

import (
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pushd/pushd/client/js"
	"github.com/pushd/pushd/conn"
	"github.com/pushd/pushd/internal/demo"
	"github.com/pushd/pushd/internal/dialect"
)

// pages answers ordinary requests on the public door. conn reads the head of
// each, and hands the connection over, one way, with the bytes read so far;
// net/http answers and closes. It is the net.Listener that net/http accepts
// from. Their number is bounded.
type pages struct {
	server *http.Server
	live   atomic.Int64
	max    int64
	given  chan given

	refused func() // counts one that was given and could not be taken

	closeOnce sync.Once
	closed    chan struct{}
}

type given struct {
	fd   int
	read []byte
	done func() // to be called when it is closed
}

func newPages(s *Server) (*pages, error) {
	p := &pages{max: int64(s.cfg.MaxPages), given: make(chan given, s.cfg.MaxPages), closed: make(chan struct{}),
		refused: func() { s.counts.upgrades.add(refusePage.Code) }}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, r *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /readyz", s.ready)
	if s.cfg.Demo {
		if err := s.readDemo(); err != nil {
			return nil, err
		}
		mux.Handle("/", demo.Handler(s.demo))
	} else {
		mux.HandleFunc("GET /pushd.js", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/javascript; charset=utf-8")
			w.Header().Set("X-Content-Type-Options", "nosniff")
			w.Write(js.Source)
		})
	}
	p.server = &http.Server{Handler: route(mux), ReadTimeout: 10 * time.Second, WriteTimeout: 30 * time.Second, MaxHeaderBytes: 16 << 10,
		ErrorLog: slog.NewLogLogger(s.cfg.Logger.Handler(), slog.LevelWarn)}
	p.server.SetKeepAlivesEnabled(false)
	return p, nil
}

// ready says, with its status only, whether new connections are welcome.
func (s *Server) ready(w http.ResponseWriter, r *http.Request) {
	if s.leaving.at(draining) {
		http.Error(w, "draining", http.StatusServiceUnavailable)
		return
	}
	fmt.Fprintln(w, "ready")
}

// refusePage answers those for whom there is no place.
var refusePage = &conn.Refusal{Status: http.StatusServiceUnavailable, Code: dialect.CodeOverloaded, Message: "too many pages are being fetched", RetryAfter: 1}

// full reports whether the next page would be one too many.
func (p *pages) full() bool { return p.live.Load() >= p.max }

// take takes a connection, unless there are as many as may be. It does not wait:
// given has room for all of them.
func (p *pages) take(g given) bool {
	if p.live.Add(1) > p.max {
		p.live.Add(-1)
		return false
	}
	p.given <- g
	select {
	case <-p.closed: // perhaps after Close has looked
		p.empty()
	default:
	}
	return true
}

// Accept implements net.Listener.
func (p *pages) Accept() (net.Conn, error) {
	for {
		select {
		case <-p.closed:
			return nil, net.ErrClosed
		case g := <-p.given:
			f := os.NewFile(uintptr(g.fd), "")
			c, err := net.FileConn(f) // a duplicate
			if err != nil {           // most likely for want of a descriptor
				p.refused()
				unix.Write(g.fd, refusePage.Append(nil)) // the first that is written: there is room
			}
			f.Close()
			if err != nil {
				p.leave(g)
				continue
			}
			return &pageConn{Conn: c, given: g, pages: p}, nil
		}
	}
}

// leave frees the place of what has been closed.
func (p *pages) leave(g given) {
	p.live.Add(-1)
	g.done()
}

// empty closes what nobody will accept any more.
func (p *pages) empty() {
	for {
		select {
		case g := <-p.given:
			unix.Close(g.fd)
			p.leave(g)
		default:
			return
		}
	}
}

// Close implements net.Listener.
func (p *pages) Close() error {
	p.closeOnce.Do(func() { close(p.closed) })
	p.empty()
	return nil
}

// Addr implements net.Listener.
func (p *pages) Addr() net.Addr { return &net.TCPAddr{} }

// pageConn is a connection of which a part was read already.
type pageConn struct {
	net.Conn
	given
	pages *pages
	once  sync.Once
}

func (c *pageConn) Read(b []byte) (int, error) {
	if len(c.read) > 0 {
		n := copy(b, c.read)
		c.read = c.read[n:]
		return n, nil
	}
	return c.Conn.Read(b)
}

// CloseWrite lets net/http end an answer before it closes, so that a request
// that was not read to its end does not reset it.
func (c *pageConn) CloseWrite() error { return c.Conn.(*net.TCPConn).CloseWrite() }

func (c *pageConn) Close() error {
	err := c.Conn.Close()
	c.once.Do(func() { c.pages.leave(c.given) })
	return err
}
