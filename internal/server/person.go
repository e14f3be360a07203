package server

import (
	"net/netip"
	"time"

	"github.com/pushd/pushd/conn"
	"github.com/pushd/pushd/internal/auth"
	"github.com/pushd/pushd/internal/peers"
)

// person is whom a connection belongs to, as far as anybody knows.
type person struct {
	user    string
	tokenID string // the claim jti
	address netip.Addr
}

// addressOf is where the client of c is, as far as its address is counted: of an
// IPv6 address the first 64 bits.
func (s *Server) addressOf(c *conn.Conn) netip.Addr {
	if p := s.peers.Prefix(c.From); p.IsValid() {
		return p.Addr()
	}
	if peers.Mark(c.From).Named() {
		return netip.Addr{} // there was no room to count it
	}
	return c.Peer().Addr()
}

// banned returns the ban that holds for c with what its token says.
func (s *Server) banned(c *conn.Conn, g *auth.Grant) (ban, bool) {
	if !s.bans.any.Load() { // or every handshake would ask the kernel for an address
		return ban{}, false
	}
	return s.bans.find(s.personOf(c, g), time.Now())
}

// personOf is whom a connection belongs to.
func (s *Server) personOf(c *conn.Conn, g *auth.Grant) person {
	p := person{address: s.addressOf(c)}
	if g != nil {
		p.user, p.tokenID = g.Subject, g.ID
	}
	return p
}

// eachPerson calls f with the open connections in at most limit slots, beginning
// at from, and whom each belongs to. It returns the slot to go on with, and
// whether there are more.
func (o *owner) eachPerson(from uint32, limit int, f func(*conn.Conn, person)) (next uint32, more bool) {
	return o.shard.Each(from, limit, func(c *conn.Conn, _ conn.Info) { f(c, o.personOf(c, o.grants.of(c.Slot()))) })
}
