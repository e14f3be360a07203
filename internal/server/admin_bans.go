package server

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/netip"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/gobwas/ws"

	"github.com/pushd/pushd/conn"
	"github.com/pushd/pushd/internal/dialect"
)

const (
	maxBanFor    = 365 * 24 * time.Hour
	maxBanReason = 64 // bytes, so that it fits a close frame
	maxBanBody   = 4 << 10
)

// banAsk is what the body of POST /v1/bans says.
type banAsk struct {
	User       *string `json:"user"`
	TokenID    *string `json:"token_id"`
	Address    *string `json:"address"`
	Connection *string `json:"connection"`
	For        *string `json:"for"`
	Reason     string  `json:"reason"`
}

// banBody is how a ban is shown.
type banBody struct {
	ID        string `json:"id"`
	ExpiresMS int64  `json:"expires_in_ms"`
	Reason    string `json:"reason,omitempty"`
}

func banBodyOf(x ban) banBody { return banBody{x.ID, time.Until(x.Until).Milliseconds(), x.Reason} }

// putBan bans somebody and closes what connections they have.
func (s *Server) putBan(w http.ResponseWriter, r *http.Request) {
	x, only, err := s.readBan(r)
	if err != nil {
		refuseError(w, err)
		return
	}
	keepAlive(w)
	if only == nil && !s.bans.put(x, time.Now()) {
		refuse(w, dialect.CodeOverloaded, "there are "+itoa(maxBans)+" bans already")
		return
	}
	// Who asked may go away: what was begun is done. Whoever is on the way in meets
	// the ban on the shard, which looks once more.
	closed, err := s.closeBanned(context.WithoutCancel(r.Context()), x, only)
	if err != nil {
		refuse(w, dialect.CodeOverloaded, "the ban holds, but not all connections were closed: "+err.(*dialect.Error).Message+"; ask again")
		return
	}
	s.cfg.Logger.Info("banned", "ban", x.ID, "for", time.Until(x.Until).Round(time.Second), "closed", closed)
	answer(w, http.StatusOK, struct {
		banBody
		Closed int `json:"closed"`
	}{banBodyOf(x), closed})
}

// readBan reads what is asked for. only is the one connection that is to be
// closed, if it is not a ban. The error is a *dialect.Error.
func (s *Server) readBan(r *http.Request) (x ban, only *conn.Handle, err error) {
	bad := func(message string) (ban, *conn.Handle, error) {
		return ban{}, nil, &dialect.Error{Code: dialect.CodeBadRequest, Message: message}
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBanBody+1))
	if err != nil {
		return bad("the body could not be read")
	}
	var ask banAsk
	d := json.NewDecoder(strings.NewReader(string(body)))
	d.DisallowUnknownFields()
	if err := d.Decode(&ask); err != nil || d.Decode(&struct{}{}) != io.EOF || len(body) > maxBanBody {
		return bad(`expected one JSON object of at most 4 KiB with one of user, token_id, address and connection, and with for and maybe reason, such as {"user":"42","for":"1h"}`)
	}
	if len(ask.Reason) > maxBanReason || !utf8.ValidString(ask.Reason) {
		return bad("reason: expected at most " + itoa(maxBanReason) + " bytes")
	}
	x.Reason = ask.Reason
	named := 0
	for _, f := range []struct {
		value *string
		read  func(string) error
	}{
		{ask.User, func(v string) error { x.ID = banUser + v; return dialect.CheckUser(v) }},
		{ask.TokenID, func(v string) error {
			x.ID = banToken + v
			if v == "" {
				return errors.New("token_id: expected the claim jti of a token")
			}
			return nil
		}},
		{ask.Address, func(v string) (err error) { x.ID, err = banOfAddress(v); return err }},
		{ask.Connection, func(v string) error {
			h, err := parseID(v)
			x.ID, only = "connection:"+v, &h
			return err
		}},
	} {
		if f.value == nil {
			continue
		}
		named++
		if err := f.read(*f.value); err != nil {
			return bad(message(err))
		}
	}
	switch {
	case named != 1:
		return bad("expected one of user, token_id, address and connection")
	case only != nil && ask.For != nil:
		return bad("a connection that was closed never comes back under its id: expected no for; ban its user, token_id or address")
	case only != nil:
		return x, only, nil
	case ask.For == nil:
		return bad(`expected for, such as "1h"`)
	}
	d2, err := time.ParseDuration(*ask.For)
	if err != nil || d2 < time.Second || d2 > maxBanFor {
		return bad("for " + quote(*ask.For) + ": expected a duration from 1s to 8760h")
	}
	x.Until = time.Now().Add(d2)
	return x, nil, nil
}

func message(err error) string {
	if e, ok := err.(*dialect.Error); ok {
		return e.Message
	}
	return err.Error()
}

// banOfAddress returns the id of the ban of an address or a network. Whoever has
// one IPv6 address has as a rule all of its /64.
func banOfAddress(s string) (id string, err error) {
	p, err := netip.ParsePrefix(s)
	if addr, single := netip.ParseAddr(s); single == nil && addr.Zone() == "" {
		addr = addr.Unmap()
		p, err = netip.PrefixFrom(addr, min(addr.BitLen(), 64)), nil
	}
	if err != nil || p.Addr().Is4In6() || p.Bits() > 64 {
		return "", errors.New("address " + quote(s) + ": expected an address or a network such as 192.0.2.0/24 or 2001:db8::/64")
	}
	return banAddress + p.Masked().String(), nil
}

// closeBanned closes who is banned by x, or only one connection.
func (s *Server) closeBanned(ctx context.Context, x ban, only *conn.Handle) (closed int, err error) {
	why := x.refusal()
	code := closeOfRefusal(why.Code)
	if only != nil {
		if only.Shard() >= len(s.owners) {
			return 0, nil
		}
		o := s.owners[only.Shard()]
		err = visit(ctx, o.shard, func() {
			if c := o.shard.Conn(*only); c != nil {
				o.shard.End(c, code, why.Message)
				closed = 1
			}
		})
		return closed, err
	}
	one := bans{m: map[string]ban{x.ID: x}}
	one.any.Store(true)
	one.count(x.ID, 1)
	for _, o := range s.owners {
		for from, more := uint32(0), true; more; {
			n := 0
			err := visit(ctx, o.shard, func() {
				from, more = o.eachPerson(from, visitSlots, func(c *conn.Conn, p person) {
					if _, banned := one.find(p, time.Now()); banned {
						o.shard.End(c, code, why.Message)
						n++
					}
				})
			})
			if err != nil {
				return closed, err
			}
			closed += n
		}
	}
	return closed, nil
}

// closeOfRefusal is the close code that says what a refusal's code does.
func closeOfRefusal(code string) ws.StatusCode {
	if code == dialect.CodeUnauthorized {
		return dialect.CloseUnauthorized
	}
	return dialect.CloseForbidden
}

func (s *Server) listBans(w http.ResponseWriter, r *http.Request) {
	limit, err := limitOf(r)
	if err != nil {
		refuseError(w, err)
		return
	}
	var page struct {
		Bans []banBody `json:"bans"`
		Next string    `json:"next,omitempty"`
	}
	page.Bans = []banBody{}
	for _, x := range s.bans.list(r.URL.Query().Get("after"), limit+1, time.Now()) {
		if len(page.Bans) == limit {
			page.Next = page.Bans[limit-1].ID
			break
		}
		page.Bans = append(page.Bans, banBodyOf(x))
	}
	answer(w, http.StatusOK, page)
}

func (s *Server) liftBan(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	if !s.bans.lift(id) {
		refuse(w, dialect.CodeNotFound, "no ban "+quote(id))
		return
	}
	s.cfg.Logger.Info("ban lifted", "ban", id)
	answer(w, http.StatusOK, struct {
		ID string `json:"id"`
	}{id})
}
