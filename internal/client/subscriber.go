package client

import (
	"context"
	"crypto/tls"
	"errors"
	"net/http"
	"net/url"
	"time"
)

// Config says what to subscribe to and who hears of it.
type Config struct {
	URL    string   // of the WebSocket door, as SubscribeURL gives it
	Topics []string // at least one
	Since  string   // the position to begin after, in each topic; "" means now

	// MaxRate is how many values of each key a second are wanted at most, of
	// topics that conflate: 0.1 or more, or 0 for as many as come.
	MaxRate float64

	// Token gives the bearer token. It is asked before each attempt, so that
	// a renewed token is used. nil means none.
	Token func() (string, error)

	// OnMessage gets each message. An error from it ends Run, which returns it.
	OnMessage func(*Message) error
	OnGap     func(Gap)
	// OnLost hears why a connection was lost, and the wait until the next try.
	OnLost func(err error, wait time.Duration)
	// OnIdle is called before the socket is read, when all that has arrived
	// is handed on: the moment to flush what OnMessage has buffered.
	OnIdle func() error

	TLS   *tls.Config                           // for wss; nil means the defaults
	Proxy func(*http.Request) (*url.URL, error) // nil means http.ProxyFromEnvironment

	sleep  func(context.Context, time.Duration) error // for tests
	random func() float64                             // for tests
}

// Subscriber reads topics until it is told to stop.
type Subscriber struct {
	cfg    Config
	topics map[string]*topicState
	order  []string

	reached  bool      // a server has welcomed us once
	welcomed time.Time // when the connection under way was welcomed
	refused  string    // the last token that a server would not have
}

// NewSubscriber checks cfg. Topics named twice are subscribed to once.
func NewSubscriber(cfg Config) (*Subscriber, error) {
	if len(cfg.Topics) == 0 {
		return nil, errors.New("no topic to subscribe to: expected at least one")
	}
	address, err := SubscribeURL(cfg.URL)
	if err != nil {
		return nil, err
	}
	cfg.URL = address
	if cfg.Proxy == nil {
		cfg.Proxy = http.ProxyFromEnvironment
	}
	if cfg.sleep == nil {
		cfg.sleep = sleep
	}
	s := &Subscriber{cfg: cfg, topics: make(map[string]*topicState)}
	for _, name := range cfg.Topics {
		if s.topics[name] == nil {
			s.topics[name] = &topicState{resume: cfg.Since}
			s.order = append(s.order, name)
		}
	}
	return s, nil
}

// Run subscribes and comes back for as long as that is of use. It returns nil
// when ctx ends; OnMessage's error; an *UnreachableError where no server was
// ever reached; else what the server gave as its reason. It is called once.
func (s *Subscriber) Run(ctx context.Context) error {
	wait := backoff{random: s.cfg.random}
	for {
		s.welcomed = time.Time{}
		err := s.session(ctx)
		if ctx.Err() != nil {
			return nil
		}
		var stop *stopError
		if errors.As(err, &stop) {
			return stop.err
		}
		var unreachable *UnreachableError
		if errors.As(err, &unreachable) && !s.reached {
			return unreachable
		}
		if !s.welcomed.IsZero() && time.Since(s.welcomed) >= stableAfter {
			wait.reset()
		}
		pause := wait.next(askedFor(err))
		if s.cfg.OnLost != nil {
			s.cfg.OnLost(err, pause)
		}
		if s.cfg.sleep(ctx, pause) != nil {
			return nil
		}
	}
}

// sleep waits for d and returns early, with an error, when ctx ends.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
