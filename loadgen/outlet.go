package loadgen

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
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
