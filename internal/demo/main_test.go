package demo_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A message is what a recorder was given, and when, counted from its beginning.
type message struct {
	at         time.Duration
	topic, key string
	json       string
}

// A recorder is a Publisher that keeps all messages, and answers the nth with f(n), if there is an f.
type recorder struct {
	begin time.Time
	f     func(n int) error

	mu   sync.Mutex
	msgs []message
}

func newRecorder(f func(n int) error) *recorder { return &recorder{begin: time.Now(), f: f} }

func (r *recorder) Publish(_ context.Context, topic, key string, json []byte) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.msgs = append(r.msgs, message{time.Since(r.begin), topic, key, string(json)})
	if r.f != nil {
		return r.f(len(r.msgs))
	}
	return nil
}
