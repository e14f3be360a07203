package conn

import (
	"net/netip"

	"github.com/pushd/pushd/netpoll"
)

// Peers counts connections by where they come from. It is called by the acceptor
// and by every shard's goroutine, and must not wait.
type Peers interface {
	// Arrive is told of a connection from there; of the zero Addr, from a unix
	// socket. ok is whether it may be heard, if only to be refused: else it is
	// closed at once. mark becomes the connection's From.
	Arrive(from netip.Addr) (mark uint32, ok bool)
	// Leave is told, once for each that was heard, that its socket is closed or
	// handed over. mark is its From then, which may be 0 by then.
	Leave(mark uint32)
}

// anybody counts nobody.
type anybody struct{}

var _ Peers = anybody{}

func (anybody) Arrive(netip.Addr) (uint32, bool) { return 0, true }
func (anybody) Leave(uint32)                     {}

// Peer returns where the other end of c's socket is, or the zero AddrPort where
// it has just gone. It is a system call. The goroutine that c was passed to may
// call it.
func (c *Conn) Peer() netip.AddrPort {
	peer, _ := netpoll.Peer(int(c.fd)) // ENOTCONN: it has gone
	return peer
}

// Preface reads what may stand before the request head, at the start of b, which
// is all that has come of c so far and is valid during the call. It returns the
// length of the preface and whom it says the connection is from: 0 where there
// is to be none, and -1 to be called again when more has come. A worker calls
// it, anew with each piece, until the head is whole too.
type Preface func(c *Conn, b []byte) (n int, from netip.Addr, refusal *Refusal)

func noPreface(*Conn, []byte) (int, netip.Addr, *Refusal) { return 0, netip.Addr{}, nil }
