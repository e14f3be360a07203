package client_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pushd/pushd/internal/client"
)

// admin starts an admin door of one handler.
func admin(t *testing.T, handler http.HandlerFunc) (address string) {
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server.URL
}

func publisher(t *testing.T, cfg client.PublisherConfig) *client.Publisher {
	p, err := client.NewPublisher(cfg)
	require.NoError(t, err)
	t.Cleanup(p.Close)
	return p
}

func TestPublish(t *testing.T) {
	for _, c := range []struct {
		label  string
		kind   client.Kind
		header string
	}{
		{"JSON", client.JSON, "application/json"},
		{"text", client.Text, "text/plain; charset=utf-8"},
		{"binary", client.Binary, "application/octet-stream"},
	} {
		t.Run(c.label, func(t *testing.T) {
			var got *http.Request
			var body []byte
			address := admin(t, func(w http.ResponseWriter, r *http.Request) {
				got = r
				body, _ = io.ReadAll(r.Body)
				io.WriteString(w, `{"topic":"a?b","epoch":"k3f9","offset":42,"subscribers":1180,"duplicate":false}`)
			})
			receipt, err := publisher(t, client.PublisherConfig{Admin: address, Token: "secret"}).Publish(context.Background(),
				client.Draft{Topic: "a?b", Key: "k", Event: "e", Kind: c.kind, Payload: []byte("1")})
			require.NoError(t, err)
			require.Equal(t, client.Receipt{Topic: "a?b", Epoch: "k3f9", Offset: 42, Subscribers: 1180}, receipt)
			require.Equal(t, "k3f9:42", receipt.Position())
			require.Equal(t, "/v1/topics/a%3Fb/messages", got.URL.EscapedPath())
			require.Equal(t, c.header, got.Header.Get("Content-Type"))
			require.Equal(t, "k", got.Header.Get("Pushd-Key"))
			require.Equal(t, "e", got.Header.Get("Pushd-Event"))
			require.Equal(t, "Bearer secret", got.Header.Get("Authorization"))
			require.Equal(t, "1", string(body))
		})
	}
}

func TestNumberingAndDelete(t *testing.T) {
	var got *http.Request
	p := publisher(t, client.PublisherConfig{Admin: admin(t, func(w http.ResponseWriter, r *http.Request) {
		got = r
		io.WriteString(w, `{"topic":"a","epoch":"e","offset":7,"duplicate":true}`)
	})})
	d := client.Draft{Topic: "a", Key: "k&1", ID: `a"b\c`, Position: "e:7"}
	for method, call := range map[string]func(context.Context, client.Draft) (client.Receipt, error){"POST": p.Publish, "DELETE": p.Delete} {
		receipt, err := call(context.Background(), d)
		require.NoError(t, err)
		require.True(t, receipt.Duplicate)
		require.Equal(t, method, got.Method)
		require.Equal(t, "/v1/topics/a/messages", got.URL.Path)
		require.Equal(t, "e:7", got.Header.Get("Pushd-Position"))
		require.Equal(t, `"a\"b\\c"`, got.Header.Get("Idempotency-Key"))
		require.Equal(t, method == "DELETE", got.URL.Query().Get("key") == d.Key)
	}
	_, err := p.Publish(context.Background(), client.Draft{Topic: "a"})
	require.NoError(t, err)
	require.NotContains(t, got.Header, "Idempotency-Key")
	require.NotContains(t, got.Header, "Pushd-Position")
}

func TestPublishRefused(t *testing.T) {
	address := admin(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "3")
		w.WriteHeader(http.StatusServiceUnavailable)
		io.WriteString(w, `{"code":"queue_full","message":"topic \"a\" has no room"}`)
	})
	_, err := publisher(t, client.PublisherConfig{Admin: address}).Publish(context.Background(), client.Draft{Topic: "a"})
	require.Equal(t, &client.StatusError{Status: 503, Code: "queue_full", Message: `topic "a" has no room`, RetryAfter: 3 * time.Second}, err)
}

func TestPublishUnix(t *testing.T) {
	dir, err := os.MkdirTemp("", "") // t.TempDir may be longer than a socket's name can be: unix(7)
	require.NoError(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	path := filepath.Join(dir, "s")
	listener, err := net.Listen("unix", path)
	require.NoError(t, err)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, `{"topic":"a","epoch":"k","offset":1}`)
	}))
	server.Listener.Close()
	server.Listener = listener
	server.Start()
	t.Cleanup(server.Close)
	receipt, err := publisher(t, client.PublisherConfig{Admin: "unix:" + path}).Publish(context.Background(), client.Draft{Topic: "a"})
	require.NoError(t, err)
	require.Equal(t, "k:1", receipt.Position())

	_, err = publisher(t, client.PublisherConfig{Admin: "unix:" + path + "x"}).Publish(context.Background(), client.Draft{Topic: "a"})
	var unreachable *client.UnreachableError
	require.ErrorAs(t, err, &unreachable)
	require.Equal(t, "unix:"+path+"x", unreachable.Address)
}

func TestAdminTarget(t *testing.T) {
	for _, c := range []struct{ in, base, socket string }{
		{"127.0.0.1:8081", "http://127.0.0.1:8081", ""},
		{":8081", "http://127.0.0.1:8081", ""},
		{"https://h/pushd/", "https://h/pushd", ""},
		{"unix:/run/pushd.sock", "http://localhost", "/run/pushd.sock"},
		{"unix:///run/pushd.sock", "http://localhost", "/run/pushd.sock"},
	} {
		base, socket, err := client.AdminTarget(c.in)
		require.NoError(t, err, c.in)
		require.Equal(t, [2]string{c.base, c.socket}, [2]string{base, socket})
	}
	for _, in := range []string{"", "unix:", "host", "ws://h:1"} {
		_, _, err := client.AdminTarget(in)
		require.Error(t, err, in)
	}
}

// clock is moved by sleeping, and by a server that takes its time.
type clock struct {
	time   time.Time
	sleeps []time.Duration
}

func (c *clock) now() time.Time { return c.time }

func (c *clock) sleep(ctx context.Context, d time.Duration) error {
	c.sleeps = append(c.sleeps, d)
	c.time = c.time.Add(max(d, 0)) // like a timer
	return ctx.Err()
}

// log is an admin door that keeps what it is given.
type log struct {
	requests [][]string
	took     func(request int) // called in each; may be nil
	take     map[int]int       // by request: take this many lines, then answer 503
}

func (l *log) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	lines := strings.Split(strings.TrimSuffix(string(body), "\n"), "\n")
	n := len(l.requests)
	l.requests = append(l.requests, lines)
	if l.took != nil {
		l.took(n)
	}
	taken, short := l.take[n]
	if !short {
		taken = len(lines)
	}
	answer := map[string]any{}
	var refused []client.Rejected
	for i, line := range lines[:taken] {
		if strings.Contains(line, "bad") {
			refused = append(refused, client.Rejected{Line: i + 1, Code: "bad_topic", Message: "no"})
		}
	}
	answer["lines"], answer["rejected"], answer["errors"] = taken, len(refused), refused
	answer["accepted"] = taken - len(refused)
	if short {
		answer["code"], answer["message"] = "queue_full", "no room"
		w.Header().Set("Retry-After", "2")
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	json.NewEncoder(w).Encode(answer)
}

// stream sends input to l and returns what came of it.
func stream(t *testing.T, l *log, c *clock, input io.Reader, cfg client.StreamConfig) (client.Summary, []client.Rejected, error) {
	pc := client.PublisherConfig{Admin: admin(t, l.ServeHTTP)}
	pc.Clock(c.now, c.sleep)
	var rejected []client.Rejected
	cfg.OnReject = func(r client.Rejected) { rejected = append(rejected, r) }
	sum, err := publisher(t, pc).Stream(context.Background(), input, cfg)
	return sum, rejected, err
}

func TestStreamBatches(t *testing.T) {
	var input strings.Builder
	const n = 12000
	for i := range n {
		fmt.Fprintf(&input, `{"topic":"t%d","data":1}`+"\n\n", i)
	}
	l := &log{}
	sum, _, err := stream(t, l, &clock{}, strings.NewReader(input.String()), client.StreamConfig{})
	require.NoError(t, err)
	require.Equal(t, client.Summary{Lines: n, Accepted: n}, sum)
	i := 0
	for _, lines := range l.requests {
		require.LessOrEqual(t, len(lines), 5000)
		for _, line := range lines {
			require.Equal(t, fmt.Sprintf(`{"topic":"t%d","data":1}`, i), line, "in order, none twice")
			i++
		}
	}
	require.Equal(t, n, i)
}

// What a pipe has given must not wait for what it will give.
func TestStreamDoesNotHoldBack(t *testing.T) {
	r, w := io.Pipe()
	heard := make(chan struct{}, 2)
	l := &log{took: func(int) { heard <- struct{}{} }}
	go func() {
		io.WriteString(w, "{\"topic\":\"a\"}\n{\"topic\"")
		<-heard
		io.WriteString(w, ":\"b\"}")
		w.Close()
	}()
	sum, _, err := stream(t, l, &clock{}, r, client.StreamConfig{})
	require.NoError(t, err)
	require.Equal(t, 2, sum.Accepted)
	require.Equal(t, [][]string{{`{"topic":"a"}`}, {`{"topic":"b"}`}}, l.requests)
}

func TestStreamGoesOnAfter503(t *testing.T) {
	l := &log{take: map[int]int{0: 2, 1: 0}}
	c := &clock{}
	sum, rejected, err := stream(t, l, c, strings.NewReader("a\n\nbad1\nc\nbad2\n"), client.StreamConfig{})
	require.NoError(t, err)
	require.Equal(t, [][]string{{"a", "bad1", "c", "bad2"}, {"c", "bad2"}, {"c", "bad2"}}, l.requests)
	require.Equal(t, []client.Rejected{{3, "bad_topic", "no"}, {5, "bad_topic", "no"}}, rejected, "numbers of the input's lines")
	require.Equal(t, []int{4, 2, 2}, []int{sum.Lines, sum.Accepted, sum.Rejected})
	require.Len(t, c.sleeps, 2)
	for _, d := range c.sleeps {
		require.GreaterOrEqual(t, d, 2*time.Second, "Retry-After")
	}
}

func TestStreamGivesUp(t *testing.T) {
	l := &log{take: map[int]int{0: 1}}
	for n := 1; n < 100; n++ {
		l.take[n] = 0
	}
	_, _, err := stream(t, l, &clock{}, strings.NewReader("a\nb\n"), client.StreamConfig{})
	require.ErrorContains(t, err, "from line 2 on: no line was taken for 1m0s")
	var status *client.StatusError
	require.ErrorAs(t, err, &status)
}

func TestStreamWraps(t *testing.T) {
	l := &log{}
	wrap := func(dst, line []byte) ([]byte, error) {
		return client.AppendLine(dst, client.Draft{Topic: "t", Key: "k", Kind: client.KindOf(line), Payload: line})
	}
	_, _, err := stream(t, l, &clock{}, strings.NewReader("{\"a\": \"<&>\"}\nhi \"you\"\n\"\xff\"\n"), client.StreamConfig{Wrap: wrap})
	require.NoError(t, err)
	require.Equal(t, [][]string{{`{"topic":"t","key":"k","data":{"a": "<&>"}}`,
		`{"topic":"t","key":"k","text":"hi \"you\""}`, `{"topic":"t","key":"k","base64":"Iv8i"}`}}, l.requests)
	_, _, err = stream(t, l, &clock{}, strings.NewReader("a\n\nb"), client.StreamConfig{
		Wrap: func(_, line []byte) ([]byte, error) {
			if string(line) == "b" {
				return nil, errors.New("not this one")
			}
			return line, nil
		}})
	require.EqualError(t, err, "line 3: not this one")
}

func TestAppendLine(t *testing.T) {
	for _, c := range []struct {
		label string
		draft client.Draft
		want  string
	}{
		{"JSON as it is", client.Draft{Topic: "t", Payload: []byte(` [1,  "<\u003c>"] `)}, `> {"topic":"t","data": [1,  "<\u003c>"] }`},
		{"all members", client.Draft{Topic: "a\"b", Key: "k", Event: "e", Kind: client.Text}, `> {"topic":"a\"b","key":"k","event":"e","text":""}`},
		{"binary", client.Draft{Topic: "t", Kind: client.Binary, Payload: []byte{0xff}}, `> {"topic":"t","base64":"/w=="}`},
	} {
		line, err := client.AppendLine([]byte("> "), c.draft)
		require.NoError(t, err, c.label)
		require.Equal(t, c.want, string(line), c.label)
	}
	line, err := client.AppendLine([]byte("> "), client.Draft{Topic: "t", Payload: []byte("[\n]")})
	require.EqualError(t, err, "JSON with line breaks: expected it on one line")
	require.Equal(t, "> ", string(line))
}

func TestStreamPace(t *testing.T) {
	tape := `{"at":5}` + "\n" + `{"at":5}` + "\n" + `{"at":6}` + "\n" + `{"at":6.5}` + "\n" + `{"none":1}` + "\n" + `{"at":9}` + "\n"
	c := &clock{}
	var sent []time.Duration
	// The second request takes 2 s: what fell due meanwhile goes together, and
	// what comes later is not late for it.
	l := &log{took: func(n int) {
		sent = append(sent, c.time.Sub(time.Time{}))
		if n == 1 {
			c.time = c.time.Add(2 * time.Second)
		}
	}}
	sum, _, err := stream(t, l, c, strings.NewReader(tape), client.StreamConfig{Pace: 0.5})
	require.NoError(t, err)
	require.Equal(t, 6, sum.Accepted)
	require.Equal(t, [][]string{{`{"at":5}`, `{"at":5}`}, {`{"at":6}`}, {`{"at":6.5}`, `{"none":1}`}, {`{"at":9}`}}, l.requests)
	require.Equal(t, []time.Duration{0, 2 * time.Second, 4 * time.Second, 8 * time.Second}, sent)

	c = &clock{}
	_, _, err = stream(t, &log{}, c, strings.NewReader(tape), client.StreamConfig{Pace: 10})
	require.NoError(t, err)
	require.Equal(t, []time.Duration{100 * time.Millisecond, 50 * time.Millisecond, 250 * time.Millisecond}, c.sleeps)
}
