package client

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/gobwas/ws"
)

// UnreachableError says that no server answered, and what was tried.
type UnreachableError struct {
	Address string
	Err     error
}

func (e *UnreachableError) Error() string {
	return fmt.Sprintf("no server answers at %s: %v", e.Address, e.Err)
}

func (e *UnreachableError) Unwrap() error { return e.Err }

// StatusError is an HTTP answer other than the one hoped for.
type StatusError struct {
	Status     int
	Code       string        // the server's error code, "" where it gave none
	Message    string        // "" where it gave none
	RetryAfter time.Duration // 0 where it gave none
}

func (e *StatusError) Error() string {
	s := "the server answered " + strconv.Itoa(e.Status)
	if e.Code != "" {
		s += " " + e.Code
	}
	if e.Message != "" {
		s += ": " + e.Message
	}
	return s
}

// ServerError is an {"op":"error"} of pushd.v1.
type ServerError struct {
	Code    string
	Message string
	Topic   string // "" where the error is not about one topic
}

func (e *ServerError) Error() string { return e.Code + ": " + e.Message }

// CloseError is the close frame that a server ended a connection with.
type CloseError struct {
	Code   ws.StatusCode
	Reason string
}

func (e *CloseError) Error() string {
	s := "the server closed with " + strconv.Itoa(int(e.Code))
	if e.Reason != "" {
		s += " (" + e.Reason + ")"
	}
	return s
}

// retryAfter reads the reason's retry_ms=N, 0 where it has none.
func (e *CloseError) retryAfter() time.Duration {
	_, after, ok := strings.Cut(e.Reason, "retry_ms=")
	if !ok {
		return 0
	}
	digits := after[:len(after)-len(strings.TrimLeft(after, "0123456789"))]
	ms, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || ms > maxRetryAfter.Milliseconds() {
		return 0
	}
	return time.Duration(ms) * time.Millisecond
}
