package main

import (
	"bufio"
	"errors"
	"os/signal"
	"syscall"
	"time"

	"github.com/pushd/pushd/internal/client"
)

// outputBuffer is what may be printed with one write(2), in bytes. It is
// flushed whenever nothing more has arrived.
const outputBuffer = 256 << 10

type subscribeCmd struct {
	Topics []string `arg:"" name:"topic" help:"Topics to subscribe to."`

	URL       string  `name:"url" default:"ws://127.0.0.1:8080/ws" help:"The server's public door: HOST:PORT or URL."`
	TokenFile string  `placeholder:"FILE" help:"Holds the token; read again at each connection. PUSHD_TOKEN may hold the token itself."`
	Since     string  `placeholder:"POSITION" help:"Begin after this position."`
	MaxRate   float64 `placeholder:"N" help:"At most N values of each key a second, of topics that conflate; 0 is as many as come."`
	Count     int     `placeholder:"N" help:"End after N messages; 0 is never."`
	Format    string  `default:"data" enum:"data,json" help:"data prints payloads as they are, json whole messages."`
}

// Run is called by kong.
func (c *subscribeCmd) Run(w *world) error {
	if c.Count < 0 {
		return w.sources.bad("count", c.Count, "0 or more")
	}
	if c.MaxRate != 0 && !(c.MaxRate >= 0.1) {
		return w.sources.bad("max-rate", c.MaxRate, "0.1 or more, or 0")
	}
	ctx, stop := signal.NotifyContext(w.ctx, syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	out := bufio.NewWriterSize(w.stdout, outputBuffer)
	seen := 0
	subscriber, err := client.NewSubscriber(client.Config{
		URL:     c.URL,
		Topics:  c.Topics,
		Since:   c.Since,
		MaxRate: c.MaxRate,
		Token:   func() (string, error) { return w.secret(c.TokenFile, "PUSHD_TOKEN") },
		OnMessage: func(m *client.Message) error {
			if err := c.print(out, m); err != nil || m.Deleted {
				return err
			}
			if seen++; seen == c.Count {
				return errEnough
			}
			return nil
		},
		OnIdle: out.Flush,
		OnGap: func(g client.Gap) {
			out.Flush() // so that it stands where it belongs; an error comes again
			w.say("pushd: %v", g)
		},
		OnLost: func(err error, wait time.Duration) {
			out.Flush()
			w.say("pushd: %v; trying again in %v", err, wait.Round(10*time.Millisecond))
		},
	})
	if err != nil {
		return usagef("%s: %w", w.sources.where("url"), err)
	}
	err = subscriber.Run(ctx)
	if errors.Is(err, errEnough) {
		err = nil
	}
	return errors.Join(err, out.Flush())
}

// errEnough ends a subscription after --count messages.
var errEnough = errors.New("enough")

// print writes one message as one line. The format data has no way to say
// that a key was deleted.
func (c *subscribeCmd) print(out *bufio.Writer, m *client.Message) error {
	line := m.Envelope
	if c.Format == "data" {
		if m.Deleted {
			return nil
		}
		line = m.Payload
	}
	out.Write(line)
	return out.WriteByte('\n') // bufio keeps the first error
}
