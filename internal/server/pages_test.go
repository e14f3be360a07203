package server_test

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pushd/pushd/internal/server"
)

// descriptors counts those of the process.
func descriptors(t *testing.T) int {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skip("no /proc to count descriptors in")
	}
	return len(entries)
}

func TestPages(t *testing.T) {
	d := open(t, server.Config{})
	d.scrape(d.base + "/metrics") // the admin connection is open from here on
	before := descriptors(t)
	for _, c := range []struct {
		label, what, body string
		status            int
		media, says       string
	}{
		{"health", "GET /healthz", "", 200, "text/plain; charset=utf-8", "ok\n"},
		{"readiness", "GET /readyz", "", 200, "text/plain; charset=utf-8", "ready\n"},
		{"the client", "GET /pushd.js", "", 200, "text/javascript; charset=utf-8", "WebSocket"},
		{"HEAD", "HEAD /healthz", "", 200, "", ""},
		{"POST", "POST /healthz", "", 405, "application/json", "GET, HEAD"},
		{"POST with a body", "POST /healthz", strings.Repeat("x", 10_000), 405, "application/json", "GET, HEAD"},
		{"nothing there", "GET /none", "", 404, "application/json", "/none"},
		{"another request behind", "GET /healthz", "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n", 200, "text/plain; charset=utf-8", "ok\n"},
		{"the admin door's", "GET /v1/topics", "", 404, "application/json", "/v1/topics"},
		{"an upgrade to something else", "GET /healthz", "", 200, "text/plain; charset=utf-8", "ok\n"},
	} {
		t.Run(c.label, func(t *testing.T) {
			header := ""
			if strings.HasPrefix(c.what, "POST") {
				header = fmt.Sprintf("Content-Length: %d\r\n", len(c.body))
			}
			if c.label == "an upgrade to something else" {
				header = "Upgrade: h2c\r\nConnection: Upgrade\r\n"
			}
			p := d.call(c.what + " HTTP/1.1\r\nHost: a\r\n" + header + "\r\n" + c.body)
			request, err := http.NewRequest(strings.Fields(c.what)[0], "/", nil)
			require.NoError(t, err)
			answer, err := http.ReadResponse(p.r.(*bufio.Reader), request)
			require.NoError(t, err)
			require.Equal(t, c.status, answer.StatusCode)
			require.True(t, answer.Close, "one request a connection")
			if c.media != "" {
				require.Equal(t, c.media, answer.Header.Get("Content-Type"))
			}
			text, err := io.ReadAll(answer.Body)
			require.NoError(t, err)
			require.Contains(t, string(text), c.says)
			p.ended(0)
			p.Close()
		})
	}
	d.until(d.base+"/metrics", "no page is open", func(m map[string]float64) bool {
		return m["pushd_http_pages"] == 0 && m["pushd_connections"] == 0
	})
	require.Eventually(t, func() bool { return descriptors(t) <= before }, 10*time.Second, 10*time.Millisecond)
}

// A body in the segment of the head belongs to the request.
func TestPageGetsItsBody(t *testing.T) {
	for _, early := range []int{0, 1, 5, 10} {
		text := "0123456789"
		got := server.PageBody(t.Context(), "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n"+text[:early], text[early:])
		require.Equal(t, text, got, "%d bytes with the head", early)
	}
}

func TestPagesAreBounded(t *testing.T) {
	d := open(t, server.Config{Listen: "127.0.0.1:0", Admin: "127.0.0.1:0", Dev: true, MaxPages: 2})
	answer, _ := d.ask("GET /healthz", "")
	require.Equal(t, 200, answer.StatusCode)
	free := server.TakePages(d.Server, 2)
	answer, p := d.ask("GET /healthz", "")
	require.Equal(t, 503, answer.StatusCode)
	require.Equal(t, "1", answer.Header.Get("Retry-After"))
	require.Equal(t, "overloaded", p.refused(answer).Code)
	d.subscribe("pushd.raw.v1", "a") // WebSockets are not concerned
	free()
	answer, _ = d.ask("GET /healthz", "")
	require.Equal(t, 200, answer.StatusCode)
}

// Many at once: each gets an answer, and never more than the limit are open.
func TestManyPagesAtOnce(t *testing.T) {
	d := open(t, server.Config{Listen: "127.0.0.1:0", Admin: "127.0.0.1:0", Dev: true, MaxPages: 2, Shards: 2})
	release := server.Stall(d.Server)
	var callers []*peer
	for range 20 {
		callers = append(callers, d.call("GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"))
	}
	d.until(d.base+"/metrics", "all requests are read", func(m map[string]float64) bool {
		return m["pushd_received_bytes_total"] == 20*float64(len("GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"))
	})
	release()
	statuses := map[int]int{}
	for _, p := range callers {
		answer := p.response()
		statuses[answer.StatusCode]++
		io.Copy(io.Discard, answer.Body)
		p.ended(0)
		p.Close()
	}
	require.GreaterOrEqual(t, statuses[200], 2)
	require.Equal(t, 20, statuses[200]+statuses[503])
	d.until(d.base+"/metrics", "no page is open", func(m map[string]float64) bool { return m["pushd_http_pages"] == 0 })
}

// A connection that ends between the worker's decision to hand it over and the
// shard's doing it takes no page with it.
func TestPageEndsBeforeItIsHandedOver(t *testing.T) {
	d := open(t, server.Config{Listen: "127.0.0.1:0", Admin: "127.0.0.1:0", Dev: true, MaxPages: 1, Shards: 1})
	for range 3 {
		const head = "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"
		p := d.call("")
		d.connected(1)
		had := d.scrape(d.base + "/metrics")["pushd_received_bytes_total"]
		release := server.StallAndEnd(d.Server, 0)
		p.write(head)
		d.until(d.base+"/metrics", "the request is read", func(m map[string]float64) bool {
			return m["pushd_received_bytes_total"] == had+float64(len(head))
		})
		release()
		p.ended(0)
		p.Close()
		d.connected(0)
	}
	require.Zero(t, d.scrape(d.base + "/metrics")["pushd_http_pages"])
	answer, _ := d.ask("GET /healthz", "")
	require.Equal(t, 200, answer.StatusCode)
}

// What is handed over while the pages close is closed too, by one or the other.
func TestPagesCloseWhileOneIsHandedOver(t *testing.T) {
	for range 200 {
		live, done := server.ClosePagesWhileTaking(4)
		require.Zero(t, live)
		require.EqualValues(t, 4, done)
	}
}
