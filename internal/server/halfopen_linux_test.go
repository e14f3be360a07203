package server_test

import (
	"net"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/pushd/pushd/broadcast"
	"github.com/pushd/pushd/internal/server"
)

// vanish cuts a client off as a lost network would: a socket filter that takes no byte drops every segment before TCP sees it, so
// nothing is acknowledged, and there is neither FIN nor reset.
func (p *peer) vanish() {
	p.t.Helper()
	raw, err := p.Conn.(*net.TCPConn).SyscallConn()
	require.NoError(p.t, err)
	drop := unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K}
	require.NoError(p.t, raw.Control(func(fd uintptr) {
		err = unix.SetsockoptSockFprog(int(fd), unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &unix.SockFprog{Len: 1, Filter: &drop})
	}))
	require.NoError(p.t, err)
}

// TestHalfOpen: whoever is gone without a word is found out, counted and closed, whatever the server was doing with it.
func TestHalfOpen(t *testing.T) {
	const timeout = time.Second
	for _, c := range []struct {
		label string
		cfg   server.Config
		begin func(*door) *peer
		then  func(*door)
		code  string // of pushd_closes_total; "": it was no WebSocket yet
	}{
		{"silent: its ping is not acknowledged", server.Config{PingInterval: time.Second},
			func(d *door) *peer { return d.subscribe("pushd.raw.v1", "a") }, func(*door) {}, "1006"},
		{"published to", server.Config{},
			func(d *door) *peer { return d.subscribe("pushd.raw.v1", "a") }, func(d *door) { d.shout("a", 1) }, "1006"},
		{"it had stopped reading before", server.Config{},
			func(d *door) *peer {
				p := d.subscribe("pushd.raw.v1", "a")
				d.shout("a", 100)
				d.until(d.base+"/metrics", "it lags", func(m map[string]float64) bool { return m["pushd_lagging_subscriptions"] == 1 })
				return p
			}, func(*door) {}, "1006"},
		{"neither pinged nor published to: idle", server.Config{IdleTimeout: time.Second},
			func(d *door) *peer { return d.subscribe("pushd.raw.v1", "a") }, func(*door) {}, "1001"},
		{"within its handshake", server.Config{HandshakeTimeout: time.Second},
			func(d *door) *peer { p := d.call("GET /ws?topic=a HTTP/1.1\r\n"); d.connected(1); return p }, func(*door) {}, ""},
	} {
		t.Run(c.label, func(t *testing.T) {
			t.Parallel()
			c.cfg.Listen, c.cfg.Admin, c.cfg.Dev, c.cfg.UserTimeout = "127.0.0.1:0", "127.0.0.1:0", true, timeout
			d := open(t, c.cfg)
			p := c.begin(d)
			p.vanish()
			began := time.Now()
			c.then(d)
			d.connected(0)
			t.Logf("found out after %v", time.Since(began).Round(time.Millisecond))
			m := d.scrape(d.base + "/metrics")
			require.Zero(t, m["pushd_subscriptions"])
			require.Zero(t, m["pushd_lagging_subscriptions"])
			require.Zero(t, m["pushd_output_queue_bytes"])
			if c.code != "" {
				require.Equal(t, 1.0, m[`pushd_closes_total{code="`+c.code+`"}`])
			} else {
				require.Equal(t, 1.0, m[`pushd_upgrades_total{result="timeout"}`])
			}
		})
	}
}

// shout publishes n messages of 60,000 bytes.
func (d *door) shout(topic string, n int) {
	d.t.Helper()
	for range n {
		m := broadcast.Message{Kind: broadcast.Text, Payload: []byte(strings.Repeat("x", 60_000))}
		_, err := server.Hub(d.Server).Publish(d.t.Context(), topic, m)
		require.NoError(d.t, err)
	}
}
