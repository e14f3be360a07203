package server_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pushd/pushd/internal/server"
)

// door is a server's admin door, and a client of it.
type door struct {
	*server.Server
	t    testing.TB
	http *http.Client
	base string

	token string // of the admin door
}

// open runs a server until the test ends.
func open(t testing.TB, cfg server.Config) *door {
	t.Helper()
	if cfg.Listen == "" {
		cfg.Listen, cfg.Admin, cfg.Dev = "127.0.0.1:0", "127.0.0.1:0", true
	}
	s, err := server.New(cfg)
	require.NoError(t, err)
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	d := &door{Server: s, t: t, http: &http.Client{Transport: &http.Transport{}, Timeout: 20 * time.Second}, base: "http://" + s.AdminAddr().String()}
	t.Cleanup(func() {
		d.http.CloseIdleConnections()
		stop()
		require.NoError(t, <-ended)
	})
	return d
}

// request makes one of "METHOD /path" and headers in pairs.
func (d *door) request(what string, body io.Reader, header ...string) *http.Request {
	d.t.Helper()
	method, path, _ := strings.Cut(what, " ")
	r, err := http.NewRequest(method, d.base+path, body)
	require.NoError(d.t, err)
	if d.token != "" {
		r.Header.Set("Authorization", "Bearer "+d.token)
	}
	for i := 0; i+1 < len(header); i += 2 {
		if header[i] == "Host" {
			r.Host = header[i+1]
		} else {
			r.Header.Add(header[i], header[i+1])
		}
	}
	return r
}

// do sends a request and reads the answer, which is JSON, into v.
func (d *door) do(v any, what, body string, header ...string) *http.Response {
	d.t.Helper()
	return d.send(v, d.request(what, strings.NewReader(body), header...))
}

func (d *door) send(v any, r *http.Request) *http.Response {
	d.t.Helper()
	answer, err := d.http.Do(r)
	require.NoError(d.t, err)
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	require.NoError(d.t, err)
	require.Equal(d.t, "application/json", answer.Header.Get("Content-Type"), "%s", text)
	require.Equal(d.t, "nosniff", answer.Header.Get("X-Content-Type-Options"))
	require.NoError(d.t, json.Unmarshal(text, v), "%s", text)
	return answer
}

type refusal struct{ Code, Message string }

type receipt struct {
	Topic       string
	Epoch       string
	Offset      uint64
	Subscribers int
	Duplicate   *bool
}

func TestAdminErrors(t *testing.T) {
	d := open(t, server.Config{Listen: "127.0.0.1:0", Admin: "127.0.0.1:0", Dev: true, MaxMessage: 100, LogLimit: 4096, MaxTopics: 2})
	one, two := "POST /v1/topics/a/messages", "POST /v1/messages"
	d.do(new(receipt), one, "1", "Content-Type", "text/plain")
	d.do(new(receipt), "POST /v1/topics/b/messages", "1", "Content-Type", "text/plain")
	for _, c := range []struct {
		label  string
		what   string
		body   string
		header []string
		status int
		code   string
		says   string
	}{
		{"unknown path", "GET /v2", "", nil, 404, "not_found", "/v2"},
		{"root", "GET /", "", nil, 404, "not_found", "/"},
		{"no topic in the path", "POST /v1/topics//messages", "", nil, 404, "not_found", "topics//messages"},
		{"dots in the path", "POST /v1/topics/../messages", "{}", nil, 404, "not_found", ".."},
		{"method", "PUT /v1/messages", "", nil, 405, "method", "POST"},
		{"method of a listing", "POST /v1/topics", "", nil, 405, "method", "GET, HEAD"},
		{"method of metrics", "POST /metrics", "", nil, 405, "method", "GET, HEAD"},
		{"topic with a space", "POST /v1/topics/a%20b/messages", "", nil, 400, "bad_topic", "white space"},
		{"topic with a slash", "POST /v1/topics/a%2Fb/messages", "", nil, 400, "bad_topic", "a/b"},
		{"reserved topic", "GET /v1/topics/$users.1", "", nil, 400, "bad_topic", "reserved"},
		{"bad user", "GET /v1/topics/$user.1.2", "", nil, 400, "bad_topic", "dot"},
		{"position", one, "1", []string{"Content-Type", "text/plain", "Pushd-Position", "e:0"}, 400, "bad_request", "at least 1"},
		{"two positions", one, "1", []string{"Content-Type", "text/plain", "Pushd-Position", "e:1", "Pushd-Position", "e:2"}, 400, "bad_request", "Pushd-Position is given 2 times"},
		{"position of a topic that numbers itself", one, "1", []string{"Content-Type", "text/plain", "Pushd-Position", "e:1"}, 409, "position_conflict", "numbered in another way"},
		{"idempotency", one, "1", []string{"Content-Type", "text/plain", "Idempotency-Key", `"`}, 400, "bad_request", "in quotes"},
		{"two ids", one, "1", []string{"Content-Type", "text/plain", "Idempotency-Key", "a", "Idempotency-Key", "a"}, 400, "bad_request", "Idempotency-Key is given 2 times"},
		{"position of lines", two, "", []string{"Content-Type", "application/x-ndjson", "Pushd-Position", "e:1"}, 400, "bad_request", "the field position"},
		{"id of lines", two, "", []string{"Content-Type", "application/x-ndjson", "Idempotency-Key", "1"}, 400, "bad_request", "the field id"},
		{"deleting no key", "DELETE /v1/topics/a/messages", "", nil, 400, "bad_request", "?key="},
		{"deleting what is not retained", "DELETE /v1/topics/a/messages?key=1", "", nil, 404, "not_found", "retains no such key"},
		{"deleting where nothing is", "DELETE /v1/topics/none/messages?key=1", "", nil, 404, "not_found", `"none"`},
		{"deleting at no position", "DELETE /v1/topics/a/messages?key=1", "", []string{"Pushd-Position", "e"}, 400, "bad_request", "EPOCH:OFFSET"},
		{"no content type", one, "1", nil, 415, "media_type", "application/octet-stream"},
		{"no content type of lines", two, "1", nil, 415, "media_type", "application/x-ndjson"},
		{"content type", one, "1", []string{"Content-Type", "image/png"}, 415, "media_type", `"image/png"`},
		{"content type of lines", two, "1", []string{"Content-Type", "text/plain"}, 415, "media_type", `"text/plain"`},
		{"content type that is none", one, "1", []string{"Content-Type", "text/plain; ="}, 415, "media_type", "cannot be read"},
		{"charset", one, "1", []string{"Content-Type", "text/plain; charset=latin1"}, 415, "media_type", `"latin1"`},
		{"charset of JSON", one, "1", []string{"Content-Type", "application/json; charset=utf-16"}, 415, "media_type", `"utf-16"`},
		{"charset of lines", two, "1", []string{"Content-Type", "application/x-ndjson; charset=utf-16"}, 415, "media_type", `"utf-16"`},
		{"compressed", one, "1", []string{"Content-Type", "text/plain", "Content-Encoding", "gzip"}, 415, "media_type", `"gzip"`},
		{"bad JSON", one, "{", []string{"Content-Type", "application/json"}, 400, "bad_json", "ends after 1 byte"},
		{"two JSON values", one, "1 2", []string{"Content-Type", "application/json"}, 400, "bad_json", "the end"},
		{"no JSON", one, "", []string{"Content-Type", "application/json"}, 400, "bad_json", "ends"},
		{"text that is not UTF-8", one, "\xff", []string{"Content-Type", "text/plain"}, 400, "bad_request", "UTF-8"},
		{"key", one, "1", []string{"Content-Type", "text/plain", "Pushd-Key", strings.Repeat("k", 256)}, 400, "bad_request", "key is 256 bytes"},
		{"event", one, "1", []string{"Content-Type", "text/plain", "Pushd-Event", "\xff"}, 400, "bad_request", "event"},
		{"too large", one, strings.Repeat("x", 101), []string{"Content-Type", "text/plain"}, 413, "too_large", "101 bytes, expected at most 100"},
		{"too many topics", "POST /v1/topics/c/messages", "1", []string{"Content-Type", "text/plain"}, 503, "overloaded", "too many topics"},
		{"no such topic", "GET /v1/topics/none", "", nil, 404, "not_found", `"none"`},
		{"no such topic's messages", "GET /v1/topics/none/messages", "", nil, 404, "not_found", `"none"`},
		{"since", "GET /v1/topics/a/messages?since=x", "", nil, 400, "bad_request", "EPOCH:OFFSET"},
		{"since of another epoch", "GET /v1/topics/a/messages?since=x:1", "", nil, 409, "position_conflict", "x:1"},
		{"limit", "GET /v1/topics?limit=0", "", nil, 400, "bad_request", "1 to 1000"},
		{"limit of messages", "GET /v1/topics/a/messages?limit=1001", "", nil, 400, "bad_request", "1 to 1000"},
		{"limit of connections", "GET /v1/connections?limit=x", "", nil, 400, "bad_request", "1 to 1000"},
		{"after", "GET /v1/connections?after=x", "", nil, 400, "bad_request", "2-81f-7"},
		{"sort", "GET /v1/connections?sort=x", "", nil, 400, "bad_request", "id or lag"},
		{"sort with after", "GET /v1/connections?sort=lag&after=0-0-1", "", nil, 400, "bad_request", "after="},
		{"topic of connections", "GET /v1/connections?topic=a>", "", nil, 400, "bad_topic", "a>"},
		{"id", "DELETE /v1/connections/x", "", nil, 400, "bad_request", "2-81f-7"},
		{"nobody", "DELETE /v1/connections/0-0-7", "", nil, 404, "not_found", "0-0-7"},
		{"nobody's shard", "DELETE /v1/connections/fe-0-7", "", nil, 404, "not_found", "fe-0-7"},
		{"close code", "DELETE /v1/connections/0-0-7?code=1006", "", nil, 400, "bad_request", "1013"},
		{"close code that is no number", "DELETE /v1/connections/0-0-7?code=x", "", nil, 400, "bad_request", "1013"},
		{"close reason", "DELETE /v1/connections/0-0-7?reason=" + strings.Repeat("r", 124), "", nil, 400, "bad_request", "123 bytes"},
	} {
		t.Run(c.label, func(t *testing.T) {
			var got refusal
			answer := d.do(&got, c.what, c.body, c.header...)
			require.Equal(t, c.status, answer.StatusCode, got.Message)
			require.Equal(t, c.code, got.Code)
			require.Contains(t, got.Message, c.says)
			switch c.status {
			case 405:
				require.Equal(t, c.says, answer.Header.Get("Allow"))
			case 503:
				require.Equal(t, "1", answer.Header.Get("Retry-After"))
			}
		})
	}
}

// A body whose length is not known beforehand is measured as it comes.
func TestPublishStreamedBody(t *testing.T) {
	d := open(t, server.Config{Listen: "127.0.0.1:0", Admin: "127.0.0.1:0", Dev: true, MaxMessage: 100})
	for _, c := range []struct {
		size, status int
	}{{0, 200}, {99, 200}, {100, 200}, {101, 413}, {1 << 20, 413}} {
		body := struct{ io.Reader }{strings.NewReader(strings.Repeat("x", c.size))}
		answer := d.send(new(refusal), d.request("POST /v1/topics/a/messages", body, "Content-Type", "text/plain"))
		require.Equal(t, c.status, answer.StatusCode, "%d bytes", c.size)
	}
}

func TestPublishAndShow(t *testing.T) {
	d := open(t, server.Config{})
	for _, c := range []struct {
		label, body, media, shown string
	}{
		{"data", `{"a": [1]}`, "application/json", `{"data":{"a":[1]}}`},
		{"data with a charset", `null`, "application/json; charset=UTF-8", `{"data":null}`},
		{"text", "hé <b>", "text/plain", `{"text":"hé <b>"}`},
		{"other text", "", "text/csv; charset=us-ascii", `{"text":""}`},
		{"a form", "a=%20b", "application/x-www-form-urlencoded", `{"text":"a=%20b"}`},
		{"bytes", "\x00\xff", "application/octet-stream", `{"base64":"AP8="}`},
		{"no bytes", "", "application/octet-stream", `{"base64":""}`},
	} {
		t.Run(c.label, func(t *testing.T) {
			topic := "show." + strings.ReplaceAll(c.label, " ", "-")
			var got receipt
			answer := d.do(&got, "POST /v1/topics/"+topic+"/messages", c.body, "Content-Type", c.media, "Pushd-Key", "k", "Pushd-Event", "e")
			require.Equal(t, 200, answer.StatusCode)
			require.Equal(t, topic, got.Topic)
			require.EqualValues(t, 1, got.Offset)
			require.False(t, *got.Duplicate)

			var page struct{ Messages []map[string]any }
			d.do(&page, "GET /v1/topics/"+topic+"/messages", "")
			require.Len(t, page.Messages, 1)
			m := page.Messages[0]
			require.Equal(t, got.Epoch+":1", m["position"])
			require.Equal(t, got.Epoch+":0", m["previous"])
			require.Equal(t, "k", m["key"])
			require.Equal(t, "e", m["event"])
			for _, known := range []string{"position", "previous", "key", "event"} {
				delete(m, known)
			}
			text, err := json.Marshal(m)
			require.NoError(t, err)
			require.JSONEq(t, c.shown, string(text))
		})
	}
}

func TestTopicIsPercentDecoded(t *testing.T) {
	d := open(t, server.Config{})
	name := "kurse.ü%2.+x"
	var got receipt
	d.do(&got, "POST /v1/topics/"+url.PathEscape(name)+"/messages", "1", "Content-Type", "text/plain")
	require.Equal(t, name, got.Topic)
	var shown struct{ Topic, Position, Oldest string }
	d.do(&shown, "GET /v1/topics/"+url.PathEscape(name), "")
	require.Equal(t, name, shown.Topic)
	require.Equal(t, got.Epoch+":1", shown.Position)
	require.Equal(t, got.Epoch+":0", shown.Oldest)
}

func TestListingsArePaged(t *testing.T) {
	d := open(t, server.Config{})
	const n = 7
	for i := range n {
		d.do(new(receipt), "POST /v1/topics/t"+string(rune('a'+i))+"/messages", "1", "Content-Type", "text/plain")
		d.do(new(receipt), "POST /v1/topics/ta/messages", "1", "Content-Type", "text/plain")
	}
	for _, c := range []struct {
		label, path, cursor string
		total               int
	}{
		{"topics", "/v1/topics", "after", n},
		{"messages", "/v1/topics/ta/messages", "since", n + 1},
	} {
		for _, limit := range []string{"1", "2", "3", "8", "1000"} {
			t.Run(c.label+" by "+limit, func(t *testing.T) {
				seen, next, pages := []string{}, "", 0
				for {
					var page struct {
						Topics   []struct{ Topic string }
						Messages []struct{ Position string }
						Next     string
					}
					d.do(&page, "GET "+c.path+"?limit="+limit+"&"+c.cursor+"="+url.QueryEscape(next), "")
					for _, topic := range page.Topics {
						seen = append(seen, topic.Topic)
					}
					for _, m := range page.Messages {
						seen = append(seen, m.Position)
					}
					if pages++; page.Next == "" {
						break
					}
					require.Equal(t, page.Next, seen[len(seen)-1])
					next = page.Next
				}
				require.Len(t, seen, c.total)
				require.IsIncreasing(t, seen)
				size := map[string]int{"1": 1, "2": 2, "3": 3, "8": 8, "1000": 1000}[limit]
				require.Equal(t, (c.total+size-1)/size, pages, "a page that is full may be the last one")
			})
		}
	}
}

// A page of messages is bounded in bytes too.
func TestMessagesPageIsBounded(t *testing.T) {
	d := open(t, server.Config{})
	for range 20 {
		d.do(new(receipt), "POST /v1/topics/a/messages", strings.Repeat("x", 64<<10), "Content-Type", "text/plain")
	}
	var page struct {
		Messages []struct{ Position string }
		Next     string
	}
	d.do(&page, "GET /v1/topics/a/messages", "")
	require.Len(t, page.Messages, 16)
	d.do(&page, "GET /v1/topics/a/messages?since="+page.Next, "")
	require.Len(t, page.Messages, 4)
}
