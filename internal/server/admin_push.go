package server

import (
	"net/http"

	"github.com/pushd/pushd/broadcast"
	"github.com/pushd/pushd/conn"
	"github.com/pushd/pushd/internal/dialect"
)

// pushed is the answer to a message that is on its way to one connection.
type pushed struct {
	ID     string `json:"id"`
	Queued bool   `json:"queued"`
}

// pushOne sends the body as one message to the connection that the path names.
// It belongs to no topic and no log.
func (s *Server) pushOne(w http.ResponseWriter, r *http.Request) {
	h, err := parseID(r.PathValue("id"))
	if err != nil {
		refuseError(w, err)
		return
	}
	for _, name := range []string{positionHeader, idHeader} {
		if r.Header.Values(name) != nil {
			refuse(w, dialect.CodeBadRequest, name+" is for messages of topics: a connection has no log to look it up in")
			return
		}
	}
	var m broadcast.Message
	err = s.readMessage(r, &m)
	defer s.engine.Buffers().Put(m.Payload)
	if err != nil {
		refuseError(w, err)
		return
	}
	keepAlive(w)
	if err := s.push(r, h, &m); err != nil {
		refuseError(w, err)
		return
	}
	answer(w, http.StatusOK, pushed{h.String(), true})
}

// push puts m behind what the connection has been sent so far. The error is a
// *dialect.Error. m is not used any more when it returns.
func (s *Server) push(r *http.Request, h conn.Handle, m *broadcast.Message) error {
	var refused error = &dialect.Error{Code: dialect.CodeNotFound, Message: "no connection " + h.String()}
	if h.Shard() >= len(s.owners) {
		return refused
	}
	var frames [dialect.Count][]byte // made here: what the shard is to do may be done after we have gone
	for id, encoder := range dialect.Encoders() {
		frames[id] = encoder.AppendMessage(nil, m)
	}
	shard := s.owners[h.Shard()].shard
	err := visit(r.Context(), shard, func() {
		c := shard.Conn(h)
		switch {
		case c == nil || !c.Opened() || isEcho(c.Kind):
		case shard.Full(c):
			refused = &dialect.Error{Code: dialect.CodeQueueFull, Message: "connection " + h.String() + " has not taken what it was sent before"}
		default:
			refused = nil
			shard.Send(c, frames[c.Kind])
		}
	})
	if err != nil {
		return err
	}
	return refused
}
