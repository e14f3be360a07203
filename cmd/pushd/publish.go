package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"time"
	"unicode/utf8"

	"github.com/pushd/pushd/internal/client"
)

type publishCmd struct {
	Topic string  `arg:"" optional:"" help:"Topic to publish to."`
	Data  *string `arg:"" optional:"" help:"The payload; - takes each line of standard input for a message."`

	Key            string `help:"Key, for topics that keep the newest message of each."`
	Event          string `help:"Event name."`
	Type           string `default:"auto" enum:"auto,json,text,binary" help:"What the payload is: auto (JSON if it is JSON, else text), json, text or binary."`
	Ndjson         string `placeholder:"FILE|-" help:"Publish each line, an object with topic and data, text or base64."`
	Pace           pace   `placeholder:"N" help:"Send lines when their own \"at\" (seconds) says, N times as fast; alone it is 1."`
	Admin          string `default:"127.0.0.1:8081" help:"The server's admin door: HOST:PORT, URL or unix:PATH."`
	AdminTokenFile string `placeholder:"FILE" help:"Holds the admin token. PUSHD_ADMIN_TOKEN may hold the token itself."`
	Format         string `default:"text" enum:"text,json" help:"How to print what the server said: text or json."`
}

// Run is called by kong.
func (c *publishCmd) Run(w *world) error {
	switch {
	case c.Ndjson != "" && c.Topic != "":
		return usagef("--ndjson: the lines name their topics: expected no TOPIC beside it")
	case c.Ndjson != "" && (c.Key != "" || c.Event != "" || c.Type != "auto"):
		return usagef("--ndjson: the lines say all of themselves: expected no --key, --event or --type beside it")
	case c.Ndjson == "" && (c.Topic == "" || c.Data == nil):
		return usagef("nothing to publish: expected TOPIC DATA, TOPIC - or --ndjson FILE")
	case c.Ndjson == "" && c.Pace != 0:
		return usagef("--pace: expected --ndjson with it, whose lines say when they are due")
	}
	token, err := w.secret(c.AdminTokenFile, "PUSHD_ADMIN_TOKEN")
	if err != nil {
		return err
	}
	publisher, err := client.NewPublisher(client.PublisherConfig{Admin: c.Admin, Token: token})
	if err != nil {
		return usagef("%s: %w", w.sources.where("admin"), err)
	}
	defer publisher.Close()
	switch {
	case c.Ndjson == "-":
		return c.stream(w, publisher, w.stdin, client.StreamConfig{Pace: float64(c.Pace)})
	case c.Ndjson != "":
		file, err := os.Open(c.Ndjson)
		if err != nil {
			return usagef("--ndjson: %w", err)
		}
		defer file.Close()
		return c.stream(w, publisher, file, client.StreamConfig{Pace: float64(c.Pace)})
	case *c.Data == "-":
		return c.stream(w, publisher, w.stdin, client.StreamConfig{Wrap: c.wrap})
	}
	return c.one(w, publisher)
}

// one publishes the argument.
func (c *publishCmd) one(w *world, publisher *client.Publisher) error {
	payload := []byte(*c.Data)
	kind, err := c.kind(payload)
	if err != nil {
		return usageError{err}
	}
	receipt, err := publisher.Publish(w.ctx, client.Draft{Topic: c.Topic, Key: c.Key, Event: c.Event, Kind: kind, Payload: payload})
	if err != nil {
		return err
	}
	if c.Format == "json" {
		return json.NewEncoder(w.stdout).Encode(struct {
			Topic       string `json:"topic"`
			Position    string `json:"position"`
			Subscribers int    `json:"subscribers"`
		}{receipt.Topic, receipt.Position(), receipt.Subscribers})
	}
	_, err = fmt.Fprintf(w.stdout, "%s is at %s, subscribers: %s\n", receipt.Topic, receipt.Position(), number(int64(receipt.Subscribers)))
	return err
}

// kind judges a payload by --type.
func (c *publishCmd) kind(payload []byte) (client.Kind, error) {
	switch {
	case c.Type == "json" && client.KindOf(payload) != client.JSON:
		return 0, fmt.Errorf("--type json: %.60q is not JSON", payload)
	case c.Type == "text" && !utf8.Valid(payload):
		return 0, fmt.Errorf("--type text: %.60q is not UTF-8", payload)
	}
	switch c.Type {
	case "json":
		return client.JSON, nil
	case "text":
		return client.Text, nil
	case "binary":
		return client.Binary, nil
	}
	return client.KindOf(payload), nil
}

// wrap makes a line of NDJSON of a line of payload.
func (c *publishCmd) wrap(dst, line []byte) ([]byte, error) {
	kind, err := c.kind(line)
	if err != nil {
		return nil, err
	}
	return client.AppendLine(dst, client.Draft{Topic: c.Topic, Key: c.Key, Event: c.Event, Kind: kind, Payload: line})
}

// stream publishes lines and sums up.
func (c *publishCmd) stream(w *world, publisher *client.Publisher, r io.Reader, cfg client.StreamConfig) error {
	cfg.OnReject = func(r client.Rejected) { w.say("line %d: %s: %s", r.Line, r.Code, r.Message) }
	sum, err := publisher.Stream(w.ctx, r, cfg)
	rate := 0.0
	if sum.Took > 0 {
		rate = float64(sum.Accepted) / sum.Took.Seconds()
	}
	w.say("%s lines, %s accepted, %s rejected, in %v: %s a second", number(int64(sum.Lines)), number(int64(sum.Accepted)),
		number(int64(sum.Rejected)), sum.Took.Round(time.Millisecond), number(int64(rate)))
	if err == nil && sum.Rejected > 0 {
		return errTold
	}
	return err
}
