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
	var m broadcast.Message
	err := s.readMessage(r, &m)
	defer s.engine.Buffers().Put(m.Payload)
	if err != nil {
		refuseError(w, err)
		return
	}
	keepAlive(w)
	s.publish(w, r, topic, m)
}

// deleteKey publishes that what a topic retains under a key is gone.
func (s *Server) deleteKey(w http.ResponseWriter, r *http.Request) {
	topic, ok := s.topic(w, r) // publishing would begin it
	if !ok {
		return
	}
	query := r.URL.Query()
	m := broadcast.Message{Kind: broadcast.Delete, Key: query.Get("key")}
	err := readNumbering(r, &m)
	switch {
	case !query.Has("key"):
		err = &dialect.Error{Code: dialect.CodeBadRequest, Message: "no key: expected ?key=KEY, which may be empty"}
	case s.leaving.at(left):
		err = errDraining
	}
	if err != nil {
		refuseError(w, err)
		return
	}
	s.publish(w, r, topic.Name, m)
}

// publish publishes m, waiting for room, and answers.
func (s *Server) publish(w http.ResponseWriter, r *http.Request, topic string, m broadcast.Message) {
	ctx, cancel := context.WithTimeout(r.Context(), s.cfg.PublishTimeout)
	defer cancel()
	got, err := s.hub.Publish(ctx, topic, m)
	if err != nil {
		refuseError(w, errorOf(err)) // also where nobody may be there any more: the peer may only have closed its side
		return
	}
	answer(w, http.StatusOK, receipt{topic, got.Position.Epoch, got.Position.Offset, got.Subscribers, got.Duplicate})
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
	m.Key, m.Event = r.Header.Get("Pushd-Key"), r.Header.Get("Pushd-Event")
	if err = dialect.CheckKey(m.Key); err != nil {
		return err
	}
	if err = dialect.CheckEvent(m.Event); err != nil {
		return err
	}
	if err = readNumbering(r, m); err != nil {
		return err
	}
	if m.Payload, err = s.readBody(r); err != nil {
		return err
	}
	return dialect.CheckPayload(m.Kind, m.Payload)
}

const (
	positionHeader = "Pushd-Position"
	idHeader       = "Idempotency-Key"
)

// readNumbering reads the position and the id that the publisher gives a message,
// if it does. The error is a *dialect.Error.
func readNumbering(r *http.Request, m *broadcast.Message) error {
	position, given, err := onlyHeader(r, positionHeader)
	if err == nil && given {
		m.Position, err = dialect.ParseMessagePosition(position)
	}
	if err != nil {
		return err
	}
	id, given, err := onlyHeader(r, idHeader)
	if err == nil && given {
		m.ID, err = dialect.ParseIdempotencyKey(id)
	}
	return err
}

// onlyHeader returns a header that may be given once.
func onlyHeader(r *http.Request, name string) (value string, given bool, err error) {
	switch values := r.Header.Values(name); len(values) {
	case 0:
		return "", false, nil
	case 1:
		return values[0], true, nil
	default:
		return "", false, &dialect.Error{Code: dialect.CodeBadRequest, Message: name + " is given " + itoa(len(values)) + " times, expected once"}
	}
}

var errDraining = &dialect.Error{Code: dialect.CodeDraining, Message: "the server is going away"}
