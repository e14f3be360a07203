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

	Key            *string `help:"Key, for topics that keep the newest message of each."`
	Event          string  `help:"Event name."`
	ID             string  `name:"id" help:"Id, by which the server knows a message that it has already."`
	Position       string  `placeholder:"EPOCH:OFFSET" help:"Position, where the publisher numbers the messages of the topic."`
	Delete         bool    `help:"Delete what the topic retains under --key, instead of publishing DATA."`
	Type           string  `default:"auto" enum:"auto,json,text,binary" help:"What the payload is: auto (JSON if it is JSON, else text), json, text or binary."`
	Ndjson         string  `placeholder:"FILE|-" help:"Publish each line, an object with topic and data, text or base64."`
	Pace           pace    `placeholder:"N" help:"Send lines when their own \"at\" (seconds) says, N times as fast; alone it is 1."`
	Admin          string  `default:"127.0.0.1:8081" help:"The server's admin door: HOST:PORT, URL or unix:PATH."`
	AdminTokenFile string  `placeholder:"FILE" help:"Holds the admin token. PUSHD_ADMIN_TOKEN may hold the token itself."`
	Format         string  `default:"text" enum:"text,json" help:"How to print what the server said: text or json."`
}

// Run is called by kong.
func (c *publishCmd) Run(w *world) error {
	switch {
	case c.Ndjson != "" && c.Topic != "":
		return usagef("--ndjson: the lines name their topics: expected no TOPIC beside it")
	case c.Ndjson != "" && (c.Key != nil || c.Event != "" || c.Type != "auto" || c.ID != "" || c.Position != "" || c.Delete):
		return usagef("--ndjson: the lines say all of themselves: expected no --key, --event, --type, --id, --position or --delete beside it")
	case c.Delete && (c.Topic == "" || c.Key == nil):
		return usagef("--delete: expected TOPIC and --key, which may be empty: --key=")
	case c.Delete && (c.Data != nil || c.Event != "" || c.Type != "auto"):
		return usagef("--delete: a key that is deleted has no value: expected no DATA, --event or --type beside it")
	case c.Data != nil && *c.Data == "-" && (c.ID != "" || c.Position != ""):
		return usagef("--id, --position: they are of one message, and - takes many: expected DATA, or --ndjson, whose lines have an id and a position each")
	case !c.Delete && c.Ndjson == "" && (c.Topic == "" || c.Data == nil):
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
	case !c.Delete && *c.Data == "-":
		return c.stream(w, publisher, w.stdin, client.StreamConfig{Wrap: c.wrap})
	}
	return c.one(w, publisher)
}

// draft returns a message of the flags, without a payload.
func (c *publishCmd) draft() client.Draft {
	d := client.Draft{Topic: c.Topic, Event: c.Event, ID: c.ID, Position: c.Position}
	if c.Key != nil {
		d.Key = *c.Key
	}
	return d
}

// one publishes the argument, or deletes the key.
func (c *publishCmd) one(w *world, publisher *client.Publisher) error {
	d, publish := c.draft(), publisher.Publish
	if c.Delete {
		publish = publisher.Delete
	} else {
		var err error
		d.Payload = []byte(*c.Data)
		if d.Kind, err = c.kind(d.Payload); err != nil {
			return usageError{err}
		}
	}
	receipt, err := publish(w.ctx, d)
	if err != nil {
		return err
	}
	if c.Format == "json" {
		return json.NewEncoder(w.stdout).Encode(struct {
			Topic       string `json:"topic"`
			Position    string `json:"position"`
			Subscribers int    `json:"subscribers"`
			Duplicate   bool   `json:"duplicate"`
		}{receipt.Topic, receipt.Position(), receipt.Subscribers, receipt.Duplicate})
	}
	before := ""
	if receipt.Duplicate {
		before = ", published before"
	}
	_, err = fmt.Fprintf(w.stdout, "%s is at %s, subscribers: %s%s\n", receipt.Topic, receipt.Position(), number(int64(receipt.Subscribers)), before)
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
	d := c.draft()
	d.Kind, d.Payload = kind, line
	return client.AppendLine(dst, d)
}

// stream publishes lines and sums up.
func (c *publishCmd) stream(w *world, publisher *client.Publisher, r io.Reader, cfg client.StreamConfig) error {
	cfg.OnReject = func(r client.Rejected) { w.say("line %d: %s: %s", r.Line, r.Code, r.Message) }
	sum, err := publisher.Stream(w.ctx, r, cfg)
	rate := 0.0
	if sum.Took > 0 {
		rate = float64(sum.Accepted) / sum.Took.Seconds()
	}
	before := ""
	if sum.Duplicates > 0 {
		before = " (" + number(int64(sum.Duplicates)) + " published before)"
	}
	w.say("%s lines, %s accepted%s, %s rejected, in %v: %s a second", number(int64(sum.Lines)), number(int64(sum.Accepted)), before,
		number(int64(sum.Rejected)), sum.Took.Round(time.Millisecond), number(int64(rate)))
	if err == nil && sum.Rejected > 0 {
		return errTold
	}
	return err
}
