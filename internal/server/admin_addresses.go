package server

import (
	"net/http"
	"net/netip"

	"github.com/pushd/pushd/internal/peers"
	"github.com/pushd/pushd/netpoll"
)

type addressBody struct {
	Address     string `json:"address"` // or a /64
	Connections int    `json:"connections"`
	Refused     int    `json:"refused"`
}

// listAddresses answers with the addresses that have the most connections.
func (s *Server) listAddresses(w http.ResponseWriter, r *http.Request) {
	limit, err := limitOf(r)
	if err != nil {
		refuseError(w, err)
		return
	}
	page := struct {
		Addresses []addressBody `json:"addresses"`
		Known     int           `json:"known"`
		Uncounted int           `json:"uncounted"`
	}{Addresses: []addressBody{}}
	for _, c := range s.peers.Top(limit) {
		page.Addresses = append(page.Addresses, addressBody{prefixText(c.Prefix), c.Connections, c.Refused})
	}
	stats := s.peers.Stats()
	page.Known, page.Uncounted = stats.Addresses, stats.Uncounted
	answer(w, http.StatusOK, page)
}

// address returns where a connection is from: the other end of its socket, with
// the port; of one that a proxy has named, only what it is counted for; "" where
// nobody knows. It is called within inspect.
func (s *Server) address(i connInfo) string {
	if peers.Mark(i.From).Named() {
		return prefixText(s.peers.Prefix(i.From))
	}
	peer, err := netpoll.Peer(i.FD)
	if err != nil || !peer.IsValid() { // it has just gone
		return ""
	}
	return peer.String()
}

// prefixText writes one address as such, and a network with its length.
func prefixText(p netip.Prefix) string {
	switch {
	case !p.IsValid():
		return ""
	case p.IsSingleIP():
		return p.Addr().String()
	}
	return p.String()
}
