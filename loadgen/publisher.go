package loadgen

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/pushd/pushd/internal/client"
)

// Publishing says how messages are published. The zero value is a pushd's
// admin door on 127.0.0.1:8081.
type Publishing struct {
	URL     string   // where each message is posted to; may hold {topic}. "": to a pushd, as NDJSON lines
	Headers []string // NAME: VALUE, of each request
	Body    string   // of each request; {topic} and {payload} stand for the message's. "": {payload}
	Bytes   int      // of a payload; 0: 128
}

// outlet sends messages to a server.
type outlet struct {
	Publishing
	http  *http.Client
	lines bool
	topic func(int) string
	tag   uint32
}

// maxLines is how many messages one request to a pushd takes.
const maxLines = 500

func newOutlet(p Publishing, admin, token string, topic func(int) string, tag uint32) (*outlet, error) {
	o := &outlet{Publishing: p, topic: topic, tag: tag}
	if o.Bytes == 0 {
		o.Bytes = 128
	}
	if o.Bytes < markerSize {
		return nil, fmt.Errorf("payloads of %d bytes: expected at least %d, which loadgen's marker takes", o.Bytes, markerSize)
	}
	if o.Body == "" {
		o.Body = "{payload}"
	}
	if o.URL != "" {
		if u, err := url.Parse(o.URL); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			return nil, fmt.Errorf("%q is not where messages can be posted to: expected http://HOST:PORT/PATH, in which {topic} stands for the topic", o.URL)
		}
		if !strings.Contains(o.Body, "{payload}") {
			return nil, fmt.Errorf("%q: expected {payload} in the body of a publish", o.Body)
		}
		o.http = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 16, IdleConnTimeout: time.Minute}, Timeout: time.Minute}
		return o, nil
	}
	base, client, err := client.AdminHTTP(admin)
	if err != nil {
		return nil, err
	}
	client.Timeout = time.Minute
	o.http = client
	o.URL, o.lines = base+"/v1/messages", true
	o.Headers = append(o.Headers, "Content-Type: application/x-ndjson")
	if token != "" {
		o.Headers = append(o.Headers, "Authorization: Bearer "+token)
	}
	return o, nil
}

// letter is a message on its way to the server.
type letter struct {
	marker
	size int
}

// payload is m's, of its size or of the size that all have.
func (o *outlet) payload(l letter) []byte {
	size := max(markerSize, l.size)
	if l.size == 0 {
		size = o.Bytes
	}
	b := l.append(make([]byte, 0, size))
	for len(b) < size {
		b = append(b, 'x')
	}
	return b
}

// send publishes letters and returns how many of them the server did not take.
func (o *outlet) send(ctx context.Context, letters []letter) (refused int, err error) {
	if !o.lines {
		for i, l := range letters {
			fill := strings.NewReplacer("{topic}", o.topic(int(l.topic)), "{payload}", string(o.payload(l)))
			url := strings.ReplaceAll(o.URL, "{topic}", url.PathEscape(o.topic(int(l.topic))))
			if _, err := o.post(ctx, url, []byte(fill.Replace(o.Body))); err != nil {
				return len(letters) - i, err
			}
		}
		return 0, nil
	}
	var body bytes.Buffer
	for _, l := range letters {
		fmt.Fprintf(&body, "{\"topic\":%q,\"text\":%q}\n", o.topic(int(l.topic)), o.payload(l))
	}
	answer, err := o.post(ctx, o.URL, body.Bytes())
	if err != nil {
		return len(letters), err
	}
	var said struct {
		Accepted int
		Errors   []struct{ Code, Message string }
	}
	if err := json.Unmarshal(answer, &said); err != nil {
		return len(letters), fmt.Errorf("%s answered %.200q: expected the report of a pushd: %w", o.URL, answer, err)
	}
	if refused = len(letters) - said.Accepted; refused > 0 {
		err = errors.New("a message was not taken")
		if len(said.Errors) > 0 {
			err = fmt.Errorf("%s: %s", said.Errors[0].Code, said.Errors[0].Message)
		}
	}
	return refused, err
}

// post returns the answer to a request, which is an error where the status is not of success.
func (o *outlet) post(ctx context.Context, url string, body []byte) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	for _, h := range o.Headers {
		name, value, _ := strings.Cut(h, ":")
		r.Header.Add(strings.TrimSpace(name), strings.TrimSpace(value))
	}
	response, err := o.http.Do(r)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
	if err == nil && response.StatusCode/100 != 2 {
		err = fmt.Errorf("POST %s was answered %s: %.200s", url, response.Status, bytes.TrimSpace(answer))
	}
	return answer, err
}

// publisher publishes by a schedule. A topic belongs to one of its lanes, in
// which one request follows the other, so that the order is the server's to keep.
type publisher struct {
	out   *outlet
	lanes []*lane

	mu        sync.Mutex // over what was counted
	published int
	refused   int
	causes    causes
	heads     []uint32     // by topic, the number of its last message
	answers   distribution // from the request to its answer
	lateness  distribution // from when a message was due until it was handed to its lane
}

// lane holds what is due and not sent.
type lane struct {
	mu    sync.Mutex
	ready sync.Cond
	queue []letter
	ended bool
}

// maxQueue bounds what may wait in one lane: a server that takes nothing for so long
// has failed.
const maxQueue = 1 << 20

func newPublisher(out *outlet, topics int) *publisher {
	p := &publisher{out: out, causes: causes{}, heads: make([]uint32, topics), answers: newDistribution(), lateness: newDistribution()}
	lanes := 16
	if out.lines {
		lanes = 4
	}
	for range min(lanes, topics) {
		l := new(lane)
		l.ready.L = &l.mu
		p.lanes = append(p.lanes, l)
	}
	return p
}

// run publishes what is due until there is no more, and waits for the answers.
func (p *publisher) run(ctx context.Context, dues iter.Seq[due]) error {
	var sending sync.WaitGroup
	for _, l := range p.lanes {
		sending.Go(func() { p.serve(ctx, l) })
	}
	err := p.keepTime(ctx, dues)
	for _, l := range p.lanes {
		l.mu.Lock()
		l.ended = true
		l.mu.Unlock()
		l.ready.Signal()
	}
	sending.Wait()
	return err
}

// keepTime hands each message to its lane when it is due.
func (p *publisher) keepTime(ctx context.Context, dues iter.Seq[due]) error {
	began := time.Now()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for d := range dues {
		at := began.Add(d.at)
		if wait := time.Until(at); wait > 0 {
			timer.Reset(wait)
			select {
			case <-timer.C:
			case <-ctx.Done():
				return ctx.Err()
			}
		} else if ctx.Err() != nil {
			return ctx.Err()
		}
		p.mu.Lock()
		p.lateness.add(int64(time.Since(at)))
		p.mu.Unlock()
		if !p.lanes[d.topic%len(p.lanes)].put(letter{marker{at: at.UnixNano(), tag: p.out.tag, topic: uint32(d.topic)}, d.size}) {
			return fmt.Errorf("%d messages wait to be taken by the server: expected it to take them as they come", maxQueue)
		}
	}
	return nil
}

func (l *lane) put(m letter) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.queue) >= maxQueue {
		return false
	}
	l.queue = append(l.queue, m)
	l.ready.Signal()
	return true
}

// take returns what is due, at most n; none when there will be no more.
func (l *lane) take(n int) (letters []letter) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for len(l.queue) == 0 && !l.ended {
		l.ready.Wait()
	}
	n = min(n, len(l.queue))
	letters = append(letters, l.queue[:n]...)
	l.queue = l.queue[n:]
	return letters
}

// serve sends what comes into a lane.
func (p *publisher) serve(ctx context.Context, l *lane) {
	n := 1
	if p.out.lines {
		n = maxLines
	}
	for letters := l.take(n); len(letters) > 0; letters = l.take(n) {
		if ctx.Err() != nil {
			return
		}
		p.mu.Lock()
		for i := range letters {
			topic := letters[i].topic
			p.heads[topic]++
			letters[i].seq = p.heads[topic]
		}
		p.mu.Unlock()
		began := time.Now()
		refused, err := p.out.send(ctx, letters)
		p.mu.Lock()
		p.answers.add(int64(time.Since(began)))
		p.published += len(letters) - refused
		p.refused += refused
		if err != nil && ctx.Err() == nil {
			p.causes.add(cause{Kind: "message not taken", N: max(1, refused), Example: err.Error()})
		}
		if refused == len(letters) { // none of them is there: their numbers are free
			for _, m := range letters {
				p.heads[m.topic]--
			}
		}
		p.mu.Unlock()
	}
}

// counts are what was published and what the server did not take.
func (p *publisher) counts() (published, refused int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.published, p.refused
}

// last are the numbers of the topics' last messages.
func (p *publisher) last() []uint32 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.heads)
}
