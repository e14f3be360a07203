package server_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pushd/pushd/internal/dialect"
	"github.com/pushd/pushd/internal/server"
)

func TestOrigin(t *testing.T) {
	var patterns []server.OriginPattern
	for _, s := range []string{"https://app.example.com", "https://*.example.org", "http://dev.example:3000", "HTTPS://Upper.example:443"} {
		p, err := server.ParseOriginPattern(s)
		require.NoError(t, err)
		patterns = append(patterns, p)
	}
	anonymous, err := dialect.ParsePatternList([]string{"a"})
	require.NoError(t, err)
	usual := open(t, server.Config{Listen: "127.0.0.1:0", Admin: "127.0.0.1:0", Anonymous: anonymous, Origins: patterns, Echo: true})
	dev := open(t, server.Config{Listen: "127.0.0.1:0", Admin: "127.0.0.1:0", Dev: true, Echo: true})
	for _, c := range []struct {
		label        string
		d            *door
		host, origin string
		status       int
	}{
		{"none", usual, "push.example", "", 101},
		{"the same host", usual, "push.example", "https://push.example", 101},
		{"in other letters", usual, "Push.Example", "https://push.eXample", 101},
		{"by http", usual, "push.example", "http://push.example", 101},
		{"with the scheme's port", usual, "push.example:443", "https://push.example", 101},
		{"with its port", usual, "push.example:8080", "http://push.example:8080", 101},
		{"an address", usual, "[::1]:8080", "http://[::1]:8080", 101},
		{"another port", usual, "push.example:8080", "http://push.example:8081", 403},
		{"another scheme's port", usual, "push.example:80", "https://push.example", 403},
		{"another host", usual, "push.example", "https://evil.example", 403},
		{"a host above", usual, "push.example", "https://example", 403},
		{"a host that ends so", usual, "push.example", "https://xpush.example", 403},
		{"a user", usual, "push.example", "https://push.example@evil.example", 403},
		{"with a path", usual, "push.example", "https://push.example/", 403},
		{"null", usual, "push.example", "null", 403},
		{"no origin at all", usual, "push.example", "push.example", 403},
		{"loopback", usual, "push.example", "http://localhost", 403},
		{"allowed", usual, "push.example", "https://app.example.com", 101},
		{"allowed, in other letters", usual, "push.example", "https://App.example.com", 101},
		{"allowed by https only", usual, "push.example", "http://app.example.com", 403},
		{"below one allowed", usual, "push.example", "https://x.app.example.com", 403},
		{"allowed below", usual, "push.example", "https://a.b.example.org", 101},
		{"above what is allowed", usual, "push.example", "https://example.org", 403},
		{"that only ends so", usual, "push.example", "https://evilexample.org", 403},
		{"allowed at a port", usual, "push.example", "http://dev.example:3000", 101},
		{"allowed at another port", usual, "push.example", "http://dev.example", 403},
		{"the scheme's port is its default", usual, "push.example", "https://upper.example", 101},
		{"development: another server on this host", dev, "127.0.0.1:8080", "http://localhost:5173", 101},
		{"development: a name that was made to lead here", dev, "evil.example:8080", "http://evil.example:8080", 403},
	} {
		for _, path := range []string{"/ws?topic=a", "/echo"} {
			t.Run(c.label+path[:3], func(t *testing.T) {
				header := upgrade
				if c.origin != "" {
					header += "Origin: " + c.origin + "\r\n"
				}
				p := c.d.call("GET " + path + " HTTP/1.1\r\nHost: " + c.host + "\r\n" + header + "\r\n")
				answer := p.response()
				require.Equal(t, c.status, answer.StatusCode)
				if c.status == 403 {
					require.Equal(t, "forbidden", p.refused(answer).Code)
				}
			})
		}
	}
}

func TestOriginPatterns(t *testing.T) {
	for _, s := range []string{"*", "null", "https://a.example", "http://*.a.example:8080", "app://localhost"} {
		_, err := server.ParseOriginPattern(s)
		require.NoError(t, err)
	}
	for _, s := range []string{"", "a.example", "*.a.example", "https://", "https://a.example/", "https://a.*.example", "https://*", "https://u@a.example", "https://*."} {
		_, err := server.ParseOriginPattern(s)
		require.ErrorContains(t, err, "expected an origin such as", s)
	}
}

// A refused origin is told once, with what would let it in; one who makes them up
// does not fill the log.
func TestOriginIsLoggedOnce(t *testing.T) {
	var log journal
	all := open(t, server.Config{Listen: "127.0.0.1:0", Admin: "127.0.0.1:0", Logger: slog.New(slog.NewTextHandler(&log, nil))})
	ask := func(origin string) {
		answer, p := all.ask("GET /ws?topic=a", upgrade+"Origin: "+origin+"\r\n")
		require.Equal(t, 403, answer.StatusCode)
		p.refused(answer)
	}
	for range 3 {
		ask("https://evil.example")
	}
	require.Equal(t, 1, strings.Count(log.String(), `hint="--allow-origin https://evil.example"`), log.String())
	for i := range 100 {
		ask(fmt.Sprintf("https://%d.%s.example", i, strings.Repeat("x", 1000)))
	}
	require.Equal(t, 64, strings.Count(log.String(), "allow-origin"))
	require.Less(t, len(log.String()), 64*1000)
}

// journal is a log that can be read while it is written.
type journal struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (j *journal) Write(b []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(b)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.String()
}
