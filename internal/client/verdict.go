package client

import (
	"errors"
	"net/http"
	"time"

	"github.com/gobwas/ws"
)

// stopError carries an error after which coming back is no use.
type stopError struct{ err error }

func (e *stopError) Error() string { return e.err.Error() }
func (e *stopError) Unwrap() error { return e.err }

func stop(err error) error { return &stopError{err} }

// closed judges the close code that a server ended a connection with. What is
// not named there (1000 and 1006 among it) may be temporary.
func (s *Subscriber) closed(err *CloseError, token string, welcomed bool) error {
	switch err.Code {
	case ws.StatusProtocolError, ws.StatusUnsupportedData, ws.StatusInvalidFramePayloadData,
		ws.StatusPolicyViolation, ws.StatusMessageTooBig, 4403, 4410:
		return stop(err)
	case 4401:
		return s.unauthorized(err, token, welcomed)
	}
	return err
}

// status judges an HTTP answer other than 101.
func (s *Subscriber) status(err *StatusError, token string) error {
	switch {
	case err.Status == http.StatusUnauthorized:
		return s.unauthorized(err, token, false)
	case err.Status == http.StatusRequestTimeout, err.Status == http.StatusTooManyRequests, err.Status >= 500:
		return err
	}
	return stop(err)
}

// unauthorized comes back for a renewed token. A token that was refused twice
// running without having been good for anything will not become better.
func (s *Subscriber) unauthorized(err error, token string, welcomed bool) error {
	if token == "" || !welcomed && token == s.refused {
		return stop(err)
	}
	s.refused = token
	return err
}

// refusal judges an {"op":"error"}.
func refusal(e *envelope) error {
	err := &ServerError{Code: e.Code, Message: e.Message, Topic: e.Topic}
	switch e.Code {
	case "queue_full", "overloaded", "draining", "rate_limited", "timeout":
		return err
	}
	return stop(err)
}

// askedFor is when the server wants to see us again, 0 where it does not say.
func askedFor(err error) time.Duration {
	var closed *CloseError
	if errors.As(err, &closed) {
		return closed.retryAfter()
	}
	var status *StatusError
	if errors.As(err, &status) {
		return status.RetryAfter
	}
	return 0
}
