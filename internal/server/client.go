package server

import (
	"bytes"
	"math/rand/v2"
	"net/netip"

	"github.com/pushd/pushd/conn"
	"github.com/pushd/pushd/internal/dialect"
	"github.com/pushd/pushd/internal/peers"
)

// client returns whom a request is from: where the socket leads, or, as far as
// those who say so are trusted, whom a PROXY header or X-Forwarded-For and
// Forwarded name. It is the zero Addr where the peer has just gone. It makes a
// system call.
func (h handler) client(c *conn.Conn, r *conn.Request) netip.Addr {
	peer := r.From
	if !peer.IsValid() {
		peer = c.Peer().Addr()
	}
	if !h.cfg.TrustProxy.Contain(peer) {
		return peer
	}
	var room [4][]byte
	xForwardedFor := headers(r, "x-forwarded-for", room[:0])
	if len(xForwardedFor) > 0 {
		return h.cfg.TrustProxy.Client(peer, xForwardedFor, nil)
	}
	return h.cfg.TrustProxy.Client(peer, nil, headers(r, "forwarded", room[:0]))
}

// headers appends the values of all headers of a name to dst.
func headers(r *conn.Request, name string, dst [][]byte) [][]byte {
	for key, value, at := r.NextHeader(r.Bytes, 0); key != nil; key, value, at = r.NextHeader(r.Bytes, at) {
		if len(key) == len(name) && bytes.EqualFold(key, []byte(name)) {
			dst = append(dst, value)
		}
	}
	return dst
}

// countClient has what a proxy's connection is for counted for the client.
func (h handler) countClient(c *conn.Conn, r *conn.Request) {
	if !peers.Mark(c.From).Trusted() {
		return
	}
	if client := h.client(c, r); client != c.Peer().Addr() {
		c.From = h.peers.Named(c.From, client)
	}
}

// preface reads the PROXY header that those who are trusted begin with. The
// protocol forbids to guess whether one is there: from them it must come, and
// from all others come requests.
func (s *Server) preface() conn.Preface {
	if !s.cfg.ProxyProtocol {
		return nil
	}
	return func(c *conn.Conn, b []byte) (int, netip.Addr, *conn.Refusal) {
		if !peers.Mark(c.From).Trusted() {
			return 0, netip.Addr{}, nil
		}
		n, client, err := peers.ParseProxy(b)
		switch {
		case err != nil:
			return 0, client, &conn.Refusal{Status: 400, Code: dialect.CodeBadRequest, Message: err.Error()}
		case n == 0:
			return -1, client, nil
		}
		return n, client, nil
	}
}

// tooManyFromThere returns the refusal of one whose address has all that it may,
// or nil.
func tooManyFromThere(c *conn.Conn) *conn.Refusal {
	switch m := peers.Mark(c.From); {
	case m.Crowded():
		return later(dialect.CodeRateLimited, "as many are connected from this address as may be", crowdedRetry)
	case m.Hasty():
		return later(dialect.CodeRateLimited, "too many come at once from this address", rand.N(rushSpread))
	}
	return nil
}
