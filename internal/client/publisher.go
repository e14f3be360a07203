package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// PublisherConfig says where to publish.
type PublisherConfig struct {
	Admin string // HOST:PORT, URL or unix:PATH of the admin door
	Token string // bearer token; "" means none

	now   func() time.Time                           // for tests
	sleep func(context.Context, time.Duration) error // for tests
}

// Publisher posts messages to the admin door. Its methods may be called from
// several goroutines. Close it when done.
type Publisher struct {
	cfg  PublisherConfig
	base string
	http *http.Client
}

// Draft is one message to publish. Payload is not kept.
type Draft struct {
	Topic   string
	Key     string
	Event   string
	Kind    Kind
	Payload []byte

	ID       string // by which the server knows a repetition; "" means none
	Position string // EPOCH:OFFSET, where the publisher numbers the topic's messages; "" where the server does
}

// Receipt is what the server acknowledges a message with.
type Receipt struct {
	Topic       string `json:"topic"`
	Epoch       string `json:"epoch"`
	Offset      uint64 `json:"offset"`
	Subscribers int    `json:"subscribers"`
	Duplicate   bool   `json:"duplicate"`
}

// Position is the message's place, as subscribers see it.
func (r Receipt) Position() string { return r.Epoch + ":" + strconv.FormatUint(r.Offset, 10) }

// NewPublisher checks the address. It does not connect yet.
func NewPublisher(cfg PublisherConfig) (*Publisher, error) {
	base, door, err := AdminHTTP(cfg.Admin)
	if err != nil {
		return nil, err
	}
	if cfg.now == nil {
		cfg.now = time.Now
	}
	if cfg.sleep == nil {
		cfg.sleep = sleep
	}
	return &Publisher{cfg: cfg, base: base, http: door}, nil
}

// Close closes idle connections. It may be called twice.
func (p *Publisher) Close() { p.http.CloseIdleConnections() }

// Publish posts one message. The error is an *UnreachableError where no server
// answered and a *StatusError where it refused.
func (p *Publisher) Publish(ctx context.Context, d Draft) (Receipt, error) {
	header := d.numbering()
	header.Set("Content-Type", d.Kind.contentType())
	if d.Key != "" {
		header.Set("Pushd-Key", d.Key)
	}
	if d.Event != "" {
		header.Set("Pushd-Event", d.Event)
	}
	var receipt Receipt
	err := p.ask(ctx, http.MethodPost, messagesPath(d.Topic), header, d.Payload, &receipt)
	return receipt, err
}

// Delete deletes what d.Topic retains under d.Key. The errors are those of
// Publish; where nothing is retained it is a *StatusError of 404.
func (p *Publisher) Delete(ctx context.Context, d Draft) (Receipt, error) {
	var receipt Receipt
	err := p.ask(ctx, http.MethodDelete, messagesPath(d.Topic)+"?key="+url.QueryEscape(d.Key), d.numbering(), nil, &receipt)
	return receipt, err
}

func messagesPath(topic string) string { return "/v1/topics/" + url.PathEscape(topic) + "/messages" }

// numbering returns the headers that say where d stands and what it is called.
func (d Draft) numbering() http.Header {
	header := make(http.Header)
	if d.Position != "" {
		header.Set("Pushd-Position", d.Position)
	}
	if d.ID != "" { // a string of a structured field: RFC 9651, 3.3.3
		header.Set("Idempotency-Key", `"`+strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(d.ID)+`"`)
	}
	return header
}

// ask sends body and decodes the answer's JSON into answer, also where the
// status is not 200: then the error is a *StatusError.
func (p *Publisher) ask(ctx context.Context, method, path string, header http.Header, body []byte, answer any) error {
	request, err := http.NewRequestWithContext(ctx, method, p.base+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header = header
	if p.cfg.Token != "" {
		request.Header.Set("Authorization", "Bearer "+p.cfg.Token)
	}
	response, err := p.http.Do(request)
	if err != nil {
		return p.failed(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return newStatusError(response, answer)
	}
	if err := json.NewDecoder(response.Body).Decode(answer); err != nil {
		return fmt.Errorf("the server's answer to %s: %w", path, err)
	}
	return nil
}

// failed tells a server that is not there from one that went away during a
// request, of which nobody can say whether it was heard.
func (p *Publisher) failed(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	var op *net.OpError
	if errors.As(err, &op) && (op.Op == "dial" || op.Op == "proxyconnect") {
		return &UnreachableError{p.cfg.Admin, err}
	}
	return err
}
