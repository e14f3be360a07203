package server

import (
	"bytes"

	"github.com/pushd/pushd/conn"
	"github.com/pushd/pushd/internal/auth"
	"github.com/pushd/pushd/internal/dialect"
)

// errNoKeys is for who brings a token where there is nothing to check it by.
var errNoKeys = &dialect.Error{Code: dialect.CodeUnauthorized, Message: "this server has no keys to check tokens by: expected none, or a server with auth-key or auth-jwks"}

// authenticate finds a request's token and returns what it allows, nil where there
// is none. The error is a *dialect.Error. scratch is for decoding.
func (h handler) authenticate(r *conn.Request, bearer, scratch []byte) (*auth.Grant, error) {
	token, err := h.credential(r, bearer, scratch)
	if token == nil || err != nil {
		return nil, err
	}
	return h.verify(token)
}

// verify returns what a token allows. The error is a *dialect.Error, and does not
// show the token.
func (h handler) verify(token []byte) (*auth.Grant, error) {
	switch {
	case h.cfg.Auth != nil:
	case h.cfg.Dev: // all is open: who brings a token can be served as well as who brings none
		return new(auth.Grant), nil
	default:
		return nil, errNoKeys
	}
	g, err := h.cfg.Auth.Verify(token)
	if err == nil {
		return g, nil
	}
	e := err.(*auth.Error)
	h.counts.badTokens.add(string(e.Reason))
	return nil, &dialect.Error{Code: dialect.CodeUnauthorized, Message: e.Message}
}

// credential returns the token that a request brings, or nil: that of its
// Authorization header (RFC 6750, 2.1), else of the subprotocol bearer.TOKEN, of
// ?token=, of its cookie. An Authorization of another scheme is for a proxy.
func (h handler) credential(r *conn.Request, bearer, scratch []byte) ([]byte, error) {
	if h.cfg.Auth != nil {
		if token, ok := bearerOf(r.Header(r.Bytes, "authorization")); ok {
			return token, nil
		}
	}
	if bearer != nil {
		return bearer, nil
	}
	for query := r.Query(r.Bytes); ; {
		key, value, rest, more, err := conn.NextQuery(query, scratch)
		if err != nil {
			return nil, refuseQuery(err.Error())
		}
		if !more {
			break
		}
		if query = rest; string(key) == "token" {
			return value, nil
		}
	}
	if h.cfg.Auth == nil { // a cookie comes by itself, and may be meant for somebody else on this host
		return nil, nil
	}
	return cookie(r, h.cfg.AuthCookie), nil
}

// bearerOf returns the token of an Authorization header.
func bearerOf(value []byte) (token []byte, ok bool) {
	scheme, token, ok := bytes.Cut(value, []byte{' '})
	return bytes.TrimSpace(token), ok && bytes.EqualFold(scheme, []byte("Bearer"))
}

// cookie returns the value of the first cookie of that name (RFC 6265, 4.2.1), or
// nil.
func cookie(r *conn.Request, name string) []byte {
	var room [1][]byte
	for _, value := range headers(r, "cookie", room[:0]) {
		for pair := range bytes.SplitSeq(value, []byte{';'}) {
			if k, v, ok := bytes.Cut(bytes.TrimSpace(pair), []byte{'='}); ok && string(k) == name {
				return bytes.Trim(v, `"`)
			}
		}
	}
	return nil
}
