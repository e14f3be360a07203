package server_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pushd/pushd/internal/server"
)

func TestGuardHost(t *testing.T) {
	d := open(t, server.Config{})
	for _, c := range []struct {
		host string
		ok   bool
	}{
		{"localhost", true}, {"LocalHost:99", true}, {"127.0.0.1", true}, {"127.8.9.1:1", true}, {"[::1]", true}, {"[::1]:8081", true},
		{"evil.example", false}, {"evil.example:8081", false}, {"localhost.evil.example", false}, {"10.0.0.1", false}, {"127.0.0.1.evil.example:80", false}, {"[::2]:1", false},
	} {
		for _, path := range []string{"GET /v1/topics", "POST /v1/topics/a/messages", "GET /healthz"} {
			var got refusal
			answer := d.do(&got, path, "1", "Host", c.host, "Content-Type", "text/plain")
			if c.ok {
				require.Equal(t, 200, answer.StatusCode, "%s of %s", path, c.host)
				continue
			}
			require.Equal(t, 403, answer.StatusCode, "%s of %s", path, c.host)
			require.Equal(t, "forbidden", got.Code)
			require.Contains(t, got.Message, c.host)
		}
	}
	require.False(t, server.IsLocal(""))
}

func TestGuardOrigin(t *testing.T) {
	d := open(t, server.Config{})
	host := d.AdminAddr().String()
	for _, c := range []struct {
		label, what string
		header      []string
		status      int
	}{
		{"another site's form", "POST /v1/topics/a/messages", []string{"Sec-Fetch-Site", "cross-site"}, 403},
		{"another port's page", "POST /v1/topics/a/messages", []string{"Sec-Fetch-Site", "same-site"}, 403},
		{"an old browser", "POST /v1/messages", []string{"Origin", "http://evil.example"}, 403},
		{"a sandboxed page", "DELETE /v1/connections/0-0-1", []string{"Origin", "null"}, 403},
		{"a page of ours", "POST /v1/topics/a/messages", []string{"Sec-Fetch-Site", "same-origin", "Origin", "http://" + host}, 200},
		{"no browser", "POST /v1/topics/a/messages", nil, 200},
		{"a link", "GET /v1/topics", []string{"Sec-Fetch-Site", "cross-site"}, 200},
	} {
		t.Run(c.label, func(t *testing.T) {
			var got refusal
			answer := d.do(&got, c.what, "1", append(c.header, "Content-Type", "text/plain")...)
			require.Equal(t, c.status, answer.StatusCode)
			if c.status == 403 {
				require.Equal(t, "forbidden", got.Code)
			}
			require.Empty(t, answer.Header.Get("Access-Control-Allow-Origin"))
		})
	}
}

func TestGuardToken(t *testing.T) {
	d := open(t, server.Config{Listen: "127.0.0.1:0", Admin: "127.0.0.1:0", AdminTokens: []string{"s3cret", "another"}})
	for _, c := range []struct {
		label, path, header string
		status              int
	}{
		{"right", "/v1/topics", "Bearer s3cret", 200},
		{"the other", "/v1/topics", "Bearer another", 200},
		{"both", "/v1/topics", "Bearer s3cret another", 401},
		{"scheme in another case", "/v1/topics", "bearer s3cret", 200},
		{"none", "/v1/topics", "", 401},
		{"wrong", "/v1/topics", "Bearer s3cres", 401},
		{"longer", "/v1/topics", "Bearer s3crets", 401},
		{"empty", "/v1/topics", "Bearer ", 401},
		{"another scheme", "/v1/topics", "Basic s3cret", 401},
		{"alone", "/v1/topics", "s3cret", 401},
		{"of a path that is none", "/none", "", 401},
		{"metrics", "/metrics", "", 401},
		{"profiles", "/debug/pprof/", "", 401},
		{"health", "/healthz", "", 200},
		{"readiness", "/readyz", "", 200},
	} {
		t.Run(c.label, func(t *testing.T) {
			var header []string
			if c.header != "" {
				header = []string{"Authorization", c.header}
			}
			var got refusal
			answer := d.do(&got, "GET "+c.path, "", header...)
			require.Equal(t, c.status, answer.StatusCode)
			if c.status == 401 {
				require.Equal(t, "Bearer", answer.Header.Get("WWW-Authenticate"))
				require.Equal(t, "unauthorized", got.Code)
			}
		})
	}
}

// A socket file is its own guard: whoever may open it may say what it likes.
func TestGuardUnixSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "admin")
	d := open(t, server.Config{Listen: "127.0.0.1:0", Admin: "unix:" + path, Dev: true})
	d.base = "http://pushd"
	d.http.Transport = &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", path)
	}}
	answer := d.do(new(receipt), "POST /v1/topics/a/messages", "1", "Content-Type", "text/plain")
	require.Equal(t, 200, answer.StatusCode)
}

// A refusal does not wait for the end of a body that never comes, and a body that
// stops coming is not waited for.
func TestGuardSlowBodies(t *testing.T) {
	d := open(t, server.Config{})
	h := httptest.NewUnstartedServer(nil)
	h.Config = server.AdminServer(d.Server, 50*time.Millisecond)
	h.Start()
	defer h.Close()
	for _, c := range []struct {
		label, head, body, status, says string
	}{
		{"refused for its host", "POST /v1/messages HTTP/1.1\r\nHost: evil\r\nContent-Type: application/x-ndjson\r\nTransfer-Encoding: chunked", "2\r\n{}\r\n", "403", "forbidden"},
		{"refused for its type", "POST /v1/messages HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked", "2\r\n{}\r\n", "415", "media_type"},
		{"too large already", "POST /v1/topics/a/messages HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked", "10001\r\n" + strings.Repeat("x", 1<<16+1) + "\r\n", "413", "too_large"},
		{"stops", "POST /v1/topics/a/messages HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\nContent-Length: 3", "ab", "408", "timeout"},
		{"lines that stop", "POST /v1/messages HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-ndjson\r\nContent-Length: 300", "\n\n{", "408", `"lines":2`},
		{"waits to be asked", "POST /v1/messages HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 3", "", "415", "media_type"},
	} {
		t.Run(c.label, func(t *testing.T) {
			peer, err := net.Dial("tcp", h.Listener.Addr().String())
			require.NoError(t, err)
			defer peer.Close()
			peer.SetDeadline(time.Now().Add(10 * time.Second))
			fmt.Fprintf(peer, "%s\r\n\r\n%s", c.head, c.body)
			answer, err := http.ReadResponse(bufio.NewReader(peer), nil)
			require.NoError(t, err)
			defer answer.Body.Close()
			text, err := io.ReadAll(answer.Body)
			require.NoError(t, err)
			require.Equal(t, c.status, answer.Status[:3], "%s", text)
			require.Contains(t, string(text), c.says)
		})
	}
}

// What ends within a body was not sent.
func TestGuardBrokenBody(t *testing.T) {
	d := open(t, server.Config{})
	for _, head := range []string{
		"POST /v1/topics/broken/messages HTTP/1.1\r\nContent-Type: text/plain\r\nContent-Length: 99",
		"POST /v1/topics/broken/messages HTTP/1.1\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked",
		"POST /v1/messages HTTP/1.1\r\nContent-Type: application/x-ndjson\r\nContent-Length: 99",
	} {
		peer, err := net.Dial("tcp", d.AdminAddr().String())
		require.NoError(t, err)
		peer.SetDeadline(time.Now().Add(10 * time.Second))
		fmt.Fprintf(peer, "%s\r\nHost: localhost\r\n\r\n%s", head, `{"topic":"broken","text":"x"}`)
		peer.(*net.TCPConn).CloseWrite()
		answer, err := io.ReadAll(peer)
		require.NoError(t, err)
		require.Regexp(t, "^HTTP/1.1 400 ", string(answer))
		peer.Close()
	}
	require.Equal(t, 404, d.do(new(refusal), "GET /v1/topics/broken", "").StatusCode)
}

func TestGuardConnectionLimit(t *testing.T) {
	d := open(t, server.Config{})
	count := server.AdminServer(d.Server, time.Second).ConnState
	open := func() *closable { c := new(closable); count(c, http.StateNew); return c }
	var conns []*closable
	for range server.MaxAdminConns {
		conns = append(conns, open())
	}
	over := open()
	for _, c := range conns {
		require.False(t, c.closed)
	}
	require.True(t, over.closed)
	count(over, http.StateClosed)
	count(conns[0], http.StateClosed)
	require.False(t, open().closed)
	require.True(t, open().closed)
}

type closable struct {
	net.Conn
	closed bool
}

func (c *closable) Close() error { c.closed = true; return nil }
