package server

import (
	"context"
	"net/http"

	"github.com/pushd/pushd/broadcast"
	"github.com/pushd/pushd/internal/dialect"
)

// receipt is the answer to a message that was published.
type receipt struct {
	Topic       string `json:"topic"`
	Epoch       string `json:"epoch"`
	Offset      uint64 `json:"offset"`
	Subscribers int    `json:"subscribers"`
	Duplicate   bool   `json:"duplicate"`
}

// publishOne publishes the body as one message.
func (s *Server) publishOne(w http.ResponseWriter, r *http.Request) {
	topic, ok := topicOf(w, r)
	if !ok {
		return
	}
	m := broadcast.Message{Key: r.Header.Get("Pushd-Key"), Event: r.Header.Get("Pushd-Event")}
	err := s.readMessage(r, &m)
	defer s.engine.Buffers().Put(m.Payload)
	if err != nil {
		refuseError(w, err)
		return
	}
	keepAlive(w)
	ctx, cancel := context.WithTimeout(r.Context(), s.cfg.PublishTimeout)
	defer cancel()
	got, err := s.hub.Publish(ctx, topic, m)
	if err != nil {
		refuseError(w, errorOf(err)) // also where nobody may be there any more: the peer may only have closed its side
		return
	}
	answer(w, http.StatusOK, receipt{topic, got.Position.Epoch, got.Position.Offset, got.Subscribers, false})
}

// readMessage reads and checks what is to be published. m.Payload goes back to
// the engine's buffers, also after an error, which is a *dialect.Error.
func (s *Server) readMessage(r *http.Request, m *broadcast.Message) (err error) {
	if s.leaving.at(left) {
		return errDraining
	}
	if m.Kind, err = kindOf(r); err != nil {
		return err
	}
	if err = dialect.CheckKey(m.Key); err != nil {
		return err
	}
	if err = dialect.CheckEvent(m.Event); err != nil {
		return err
	}
	if m.Payload, err = s.readBody(r); err != nil {
		return err
	}
	return dialect.CheckPayload(m.Kind, m.Payload)
}

var errDraining = &dialect.Error{Code: dialect.CodeDraining, Message: "the server is going away"}
