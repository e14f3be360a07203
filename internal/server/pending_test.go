package server_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pushd/pushd/internal/server"
)

// Who has not done the handshake counts until then, and above the limit nobody more
// is heard.
func TestPending(t *testing.T) {
	d := open(t, server.Config{Listen: "127.0.0.1:0", Admin: "127.0.0.1:0", Dev: true, MaxPending: 2})
	pending := func(n int) {
		t.Helper()
		d.until(d.base+"/metrics", "so many pending", func(m map[string]float64) bool { return m["pushd_connections_pending"] == float64(n) })
	}
	for range 5 { // who is done is not pending
		d.subscribe("pushd.raw.v1", "a")
	}
	pending(0)
	first, second := d.call("GET /ws"), d.call("GET")
	pending(2)
	d.call("").ended(0) // what it had said would have the close reset
	first.write("?topic=a HTTP/1.1\r\nHost: a\r\n" + upgrade + "\r\n")
	require.Equal(t, 101, first.response().StatusCode)
	pending(1)
	d.subscribe("pushd.raw.v1", "a")
	second.Close()
	pending(0)
	first.Close()
	d.connected(6)
	pending(0)
}
