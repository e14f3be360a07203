package server_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/gobwas/ws"

	"github.com/pushd/pushd/broadcast"
)

// stressPublisher publishes to one topic, by every door there is.
type stressPublisher struct {
	*stressed
	*stressTopic
	rng  *rand.Rand
	n    uint64 // the newest message
	slow int    // how many milliseconds it may wait between
}

// run publishes until the time is over.
func (p *stressPublisher) run() {
	for !p.over.Load() && !p.failed.Load() {
		if err := p.step(); err != nil {
			p.failf("publishing %s %d: %v", p.name, p.n, err)
		}
		time.Sleep(time.Duration(p.rng.IntN(p.slow)) * time.Millisecond)
	}
}

func (p *stressPublisher) step() error {
	switch k := p.rng.IntN(20); {
	case k < 3 && (p.retain || !p.steady):
		return p.delete()
	case k < 6:
		return p.many(1 + p.rng.IntN(80))
	case k < 12 && !p.given:
		return p.command()
	case k == 12:
		return p.conflict()
	default:
		return p.one(p.rng.IntN(6) == 0)
	}
}

// post sends a request that is answered in JSON.
func (p *stressPublisher) post(v any, what, body string, header ...string) (status int, err error) {
	answer, err := p.publishing.Do(p.request(what, strings.NewReader(body), header...))
	if err != nil {
		return 0, err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return 0, err
	}
	return answer.StatusCode, json.Unmarshal(text, v)
}

// header returns those of message n.
func (p *stressPublisher) header(n uint64) []string {
	kind := map[broadcast.Kind]string{broadcast.JSON: "application/json", broadcast.Text: "text/plain", broadcast.Binary: "application/octet-stream"}[p.kind(n)]
	header := []string{"Content-Type", kind, "Pushd-Key", keyName(p.keyOf(n)), "Idempotency-Key", fmt.Sprint(n)}
	if p.given {
		header = append(header, "Pushd-Position", p.position(n))
	}
	return header
}

// check checks a receipt of message n.
func (p *stressPublisher) check(r *receipt, n uint64, duplicate bool) error {
	if got := fmt.Sprintf("%s:%d", r.Epoch, r.Offset); got != p.position(n) || r.Duplicate == nil || *r.Duplicate != duplicate {
		return fmt.Errorf("message %d is at %s, expected %s, duplicate %t", n, got, p.position(n), duplicate)
	}
	return nil
}

// one publishes a message by itself, and perhaps once more, which changes nothing.
func (p *stressPublisher) one(again bool) error {
	n := p.n + 1
	p.issue(n, false)
	var r receipt
	for {
		status, err := p.post(&r, "POST /v1/topics/"+p.name+"/messages", p.payload(n), p.header(n)...)
		if err == nil && status == 200 {
			break
		}
		if err != nil || status != 503 {
			return fmt.Errorf("POST was answered %d %w", status, err)
		}
		p.happened("503")
	}
	p.ack(n)
	p.n = n
	if err := p.check(&r, n, false); err != nil || !again {
		return err
	}
	status, err := p.post(&r, "POST /v1/topics/"+p.name+"/messages", p.payload(n), p.header(n)...)
	if err != nil || status != 200 {
		return fmt.Errorf("the duplicate was answered %d %w", status, err)
	}
	p.happened("duplicate")
	return p.check(&r, n, true)
}

// delete publishes that the key of the next message is gone, where it is there.
func (p *stressPublisher) delete() error {
	n := p.n + 1
	p.issue(n, true)
	what := "DELETE /v1/topics/" + p.name + "/messages?key=" + url.QueryEscape(keyName(p.keyOf(n)))
	var header []string
	if p.given {
		header = []string{"Pushd-Position", p.position(n)}
	}
	for {
		var r receipt
		switch status, err := p.post(&r, what, "", header...); {
		case err == nil && status == 200:
			p.ack(n)
			p.n = n
			return p.check(&r, n, false)
		case err == nil && status == 404:
			p.revoke(n)
			p.happened("nothing to delete")
			return p.one(false)
		case err != nil || status != 503:
			return fmt.Errorf("DELETE was answered %d %w", status, err)
		}
		p.happened("503")
	}
}

// many publishes count messages in one request, and what was refused again.
func (p *stressPublisher) many(count int) error {
	last := p.n + uint64(count)
	p.issue(last, false)
	for p.n < last {
		var lines strings.Builder
		for n := p.n + 1; n <= last; n++ {
			fmt.Fprintf(&lines, `{"topic":"%s","key":"%s",%s`, p.name, keyName(p.keyOf(n)), p.field(n))
			if p.given {
				fmt.Fprintf(&lines, `,"position":"%s"`, p.position(n))
			}
			lines.WriteString("}\n")
		}
		var r report
		status, err := p.post(&r, "POST /v1/messages", lines.String(), "Content-Type", "application/x-ndjson")
		if err != nil || status != 200 && status != 503 || r.Lines != r.Accepted || r.Rejected > 0 {
			return fmt.Errorf("%d lines were answered %d %+v %w", last-p.n, status, r, err)
		}
		if status == 503 {
			p.happened("503 of lines")
		}
		p.n += uint64(r.Lines)
		p.ack(p.n)
	}
	return nil
}

// field returns the payload of message n as a field of an envelope.
func (p *stressPublisher) field(n uint64) string {
	switch payload := p.payload(n); p.kind(n) {
	case broadcast.JSON:
		return `"data":` + payload
	case broadcast.Text:
		text, _ := json.Marshal(payload)
		return `"text":` + string(text)
	default:
		return `"base64":"` + base64.StdEncoding.EncodeToString([]byte(payload)) + `"`
	}
}

// command publishes a message on a WebSocket.
func (p *stressPublisher) command() error {
	n := p.n + 1
	p.issue(n, false)
	w := p.wires[p.rng.IntN(len(p.wires))]
	for {
		h, err := w.publish(fmt.Sprintf(`{"op":"publish","id":%d,"topic":"%s","key":"%s",%s}`, n, p.name, keyName(p.keyOf(n)), p.field(n)))
		switch {
		case err != nil || h.ID == nil || *h.ID != int(n) || h.Topic != p.name:
			return fmt.Errorf("the command was answered %+v %w", h, err)
		case h.Op == "error" && h.Code == "queue_full":
			p.happened("queue_full")
			continue
		case h.Op != "published" || h.Position != p.position(n):
			return fmt.Errorf("the command was answered %+v", h)
		}
		p.happened("published by command")
		p.ack(n)
		p.n = n
		return nil
	}
}

// conflict publishes in the way in which the topic is not numbered.
func (p *stressPublisher) conflict() error {
	header := []string{"Content-Type", "text/plain"}
	if !p.given {
		header = append(header, "Pushd-Position", "feed:1")
	}
	for {
		switch status, err := p.post(new(refusal), "POST /v1/topics/"+p.name+"/messages", "conflict", header...); {
		case err == nil && status == 409:
			p.happened("409")
			return nil
		case err != nil || status != 503:
			return fmt.Errorf("what is numbered in another way was answered %d %w", status, err)
		}
	}
}

// commandWire is a WebSocket for publishers, one at a time.
type commandWire struct {
	mu sync.Mutex
	w  *wire
}

func (c *commandWire) publish(command string) (h said, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err = c.w.say(ws.OpText, command); err != nil {
		return h, err
	}
	for {
		h = said{}
		_, payload, err := c.w.hear()
		if err == nil {
			err = json.Unmarshal(payload, &h)
		}
		if err != nil || h.Op != "ping" && h.Op != "welcome" {
			return h, err
		}
	}
}
