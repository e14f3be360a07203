package server_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/pushd/pushd/internal/server"
)

// slowly dials with a small receive buffer, which nobody reads.
func (d *door) slowly(header string) *peer {
	d.t.Helper()
	dialer := net.Dialer{Control: func(_, _ string, c syscall.RawConn) (err error) {
		return errors.Join(c.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF, 4096) }), err)
	}}
	c, err := dialer.Dial("tcp", d.Addr().String())
	require.NoError(d.t, err)
	d.t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(20 * time.Second))
	p := &peer{Conn: c, t: d.t, r: bufio.NewReaderSize(c, 512)}
	p.write("GET /ws?topic=a HTTP/1.1\r\nHost: a\r\n" + upgrade + header + "\r\n")
	require.Equal(d.t, 101, p.response().StatusCode)
	return p
}

// Whoever does not keep up is told to come back; nobody else notices.
func TestSlowSubscriber(t *testing.T) {
	const limit, batch, size = 256 << 10, 16, 4 << 10
	d := open(t, server.Config{Listen: "127.0.0.1:0", Admin: "127.0.0.1:0", Dev: true, Shards: 2, LogLimit: limit})
	slow := []*peer{d.slowly(""), d.slowly(""), d.slowly("Sec-WebSocket-Protocol: pushd.v1\r\n")}
	fast := []*peer{d.subscribe("pushd.raw.v1", "a"), d.subscribe("pushd.raw.v1", "a")}
	d.listed("topic=a", 5)
	sent, metrics := 0, map[string]float64{}
	for metrics["pushd_lost_subscriptions_total"] < 3 {
		require.Less(t, sent, 10_000)
		var body strings.Builder
		for range batch {
			fmt.Fprintf(&body, "{\"topic\":\"a\",\"text\":\"%d %s\"}\n", sent, strings.Repeat("x", size))
			sent++
		}
		var got report
		d.do(&got, "POST /v1/messages", body.String(), "Content-Type", "application/x-ndjson")
		require.Equal(t, batch, got.Accepted, got.Message)
		for _, p := range fast {
			for i := sent - batch; i < sent; i++ {
				text, err := p.next()
				require.NoError(t, err)
				require.Equal(t, fmt.Sprint(i), strings.Fields(text)[0])
			}
		}
		metrics = d.scrape(d.base + "/metrics")
		require.LessOrEqual(t, metrics["pushd_log_bytes"], 2*1.25*limit, "two dialects, in chunks of an eighth")
	}
	for _, p := range slow {
		requireRetry(t, time.Second, p.closedWith())
		p.Close()
	}
	d.connected(2)
	metrics = d.scrape(d.base + "/metrics")
	require.EqualValues(t, 3, metrics["pushd_lost_subscriptions_total"])
	require.EqualValues(t, 3, metrics[`pushd_closes_total{code="1013"}`])
	require.EqualValues(t, 2, metrics["pushd_subscriptions"])
	require.Zero(t, metrics["pushd_lagging_subscriptions"])
	require.Zero(t, metrics["pushd_output_queue_bytes"])
}

// frame returns the next frame whatever it is.
func (p *peer) frame() (ws.OpCode, string) {
	p.t.Helper()
	h, err := ws.ReadHeader(p.r)
	require.NoError(p.t, err)
	payload := make([]byte, h.Length)
	_, err = io.ReadFull(p.r, payload)
	require.NoError(p.t, err)
	return h.OpCode, string(payload)
}

// A ping comes when nothing has been written for the interval, and not before;
// a tick of 100 ms is what the server counts in.
func TestPings(t *testing.T) {
	const interval, tick = 500 * time.Millisecond, 100 * time.Millisecond
	d := open(t, server.Config{Listen: "127.0.0.1:0", Admin: "127.0.0.1:0", Dev: true, PingInterval: interval})
	for _, c := range []struct {
		protocol string
		op       ws.OpCode
		payload  string
	}{{"pushd.raw.v1", ws.OpPing, ""}, {"pushd.v1", ws.OpText, `{"op":"ping"}`}} {
		t.Run(c.protocol, func(t *testing.T) {
			p := d.subscribe(c.protocol, "a")
			defer p.Close()
			if c.protocol == "pushd.v1" {
				p.hear()
				p.hear()
			}
			for range 2 {
				op, payload := p.frame()
				require.Equal(t, c.op, op)
				require.Equal(t, c.payload, payload)
				time.Sleep(interval / 2) // so that a pinger that does not look at what was written would ping too soon
				wrote := time.Now()
				d.publish("a", "x")
				_, payload = p.frame()
				require.Contains(t, payload, "x")
				op, payload = p.frame()
				require.GreaterOrEqual(t, time.Since(wrote), interval-tick)
				require.Equal(t, c.op, op)
				require.Equal(t, c.payload, payload)
			}
		})
	}
	require.GreaterOrEqual(t, d.scrape(d.base + "/metrics")["pushd_pings_sent_total"], 6.0)
}

func TestIdle(t *testing.T) {
	d := open(t, server.Config{Listen: "127.0.0.1:0", Admin: "127.0.0.1:0", Dev: true, IdleTimeout: time.Second})
	idle, awake := d.subscribe("pushd.raw.v1", "a"), d.v1("?topic=a")
	awake.hear()
	gone := make(chan error, 1)
	go func() {
		_, err := idle.next()
		gone <- err
	}()
	for {
		awake.say(`{"op":"pong"}`)
		awake.say(`{"op":"ping"}`)
		require.Equal(t, "pong", awake.hear().Op)
		select {
		case err := <-gone:
			require.Equal(t, closed{1001, "idle"}, err)
			return
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// Everybody is told, and everything ends: also who does not answer a close, who
// has not said what it wants, who is slow, and who has a page.
func TestShutdown(t *testing.T) {
	s, err := server.New(server.Config{Listen: "127.0.0.1:0", Admin: "127.0.0.1:0", Dev: true})
	require.NoError(t, err)
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	d := &door{Server: s, t: t, http: &http.Client{Transport: &http.Transport{}}, base: "http://" + s.AdminAddr().String()}
	peers := []*peer{d.subscribe("pushd.raw.v1", "a"), d.v1("?topic=a"), d.subscribe("pushd.v1", "b"), d.subscribe("pushd.raw.v1", "b")}
	head := d.call("GET /ws?topic=a HTTP/1.1\r\n")
	page := d.call("POST /healthz HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n")
	require.Equal(t, 405, page.response().StatusCode)
	d.connected(5)
	d.http.CloseIdleConnections()
	stop()
	for _, p := range peers {
		require.Equal(t, ws.StatusCode(1012), p.closedWith().code)
		p.send(ws.NewCloseFrame(ws.NewCloseFrameBody(1012, "")))
	}
	head.ended(0)
	head.Close()
	page.Close()
	select {
	case err := <-ended:
		require.NoError(t, err)
	case <-time.After(4 * time.Second):
		t.Fatal("everybody has answered, but the server goes on")
	}
	require.Zero(t, server.Live(s))
	_, err = net.Dial("tcp", s.Addr().String())
	require.Error(t, err)
}
