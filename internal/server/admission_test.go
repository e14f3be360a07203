package server_test

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/stretchr/testify/require"

	"github.com/pushd/pushd/internal/server"
)

// Who comes beyond so many a second is told when to return, at different times.
func TestHandshakeLimit(t *testing.T) {
	const limit, tries = 20, 300
	d := open(t, server.Config{Listen: "127.0.0.1:0", Admin: "127.0.0.1:0", Dev: true, MaxHandshakes: limit})
	answer, p := d.ask("GET /ws?topic=a%20b", upgrade)
	require.Equal(t, 400, answer.StatusCode)
	p.Close()
	began, let, times := time.Now(), 0, make(map[string]int)
	for range tries {
		answer, p := d.ask("GET /ws?topic=a", upgrade)
		if answer.StatusCode == 101 {
			let++
		} else {
			require.Equal(t, 503, answer.StatusCode)
			require.Equal(t, "overloaded", p.refused(answer).Code)
			times[answer.Header.Get("Retry-After")]++
		}
		p.Close()
	}
	most := limit/10 + int(time.Since(began).Seconds()*limit) + 1
	require.LessOrEqual(t, let, most)
	require.GreaterOrEqual(t, let, limit/10, "what was refused anyway takes nobody's place")
	require.Greater(t, len(times), 5, "%v", times)
	for s := range times {
		seconds, err := strconv.Atoi(s)
		require.NoError(t, err)
		require.True(t, 1 <= seconds && seconds <= 10, s)
	}

	var told closed
	for told.code == 0 { // until a browser comes too early
		answer, p := d.ask("GET /ws?topic=a", upgrade+"Origin: http://localhost\r\nSec-WebSocket-Protocol: pushd.v1\r\n")
		require.Equal(t, 101, answer.StatusCode)
		if _, err := p.next(); err != nil { // else it was welcomed
			told = err.(closed)
		}
		p.Close()
	}
	require.Equal(t, ws.StatusCode(1013), told.code)
	require.Regexp(t, `^retry_ms=(\d{1,4}|10000)$`, told.reason)

	for { // and then there is a place again
		answer, p := d.ask("GET /ws?topic=a", upgrade)
		p.Close()
		if answer.StatusCode == 101 {
			break
		}
		time.Sleep(time.Second / limit)
	}
	m := d.scrape(d.base + "/metrics")
	require.Greater(t, m[`pushd_upgrades_total{result="overloaded"}`], 0.0)
}

// Who says too much in a second is closed, told when to return, and counted. With --dev nobody is.
func TestRateLimit(t *testing.T) {
	for _, c := range []struct {
		label           string
		cfg             server.Config
		frame           string
		limit           string // "": none
		messages, bytes float64
	}{
		{"messages", server.Config{MaxMessageRate: 50}, `{"op":"ping"}`, "messages", 1, 0},
		{"bytes", server.Config{MaxByteRate: 1000}, `{"op":"ping"}`, "bytes", 0, 1},
		{"the defaults", server.Config{}, `{"op":"ping"}`, "messages", 1, 0},
		{"dev", server.Config{Dev: true}, `{"op":"ping"}`, "", 0, 0},
		{"dev with a limit", server.Config{Dev: true, MaxMessageRate: 50}, `{"op":"ping"}`, "messages", 1, 0},
	} {
		t.Run(c.label, func(t *testing.T) {
			c.cfg.Listen, c.cfg.Admin = "127.0.0.1:0", "127.0.0.1:0"
			d := open(t, c.cfg)
			p := d.v1("")
			frame := string(ws.MustCompileFrame(ws.MaskFrame(ws.NewTextFrame([]byte(c.frame)))))
			p.write(strings.Repeat(frame, 2100)) // more than 1,000 of them in one second, even where another begins meanwhile
			pongs := 0
			var err error
			for err == nil && pongs < 2100 {
				if _, err = p.next(); err == nil {
					pongs++
				}
			}
			if c.limit == "" {
				require.NoError(t, err)
				require.Equal(t, 2100, pongs)
			} else {
				require.IsType(t, closed{}, err)
				require.Equal(t, ws.StatusCode(4429), err.(closed).code)
				require.Regexp(t, `^retry_ms=([5-9]\d{3}|10000)$`, err.(closed).reason)
			}
			m := d.scrape(d.base + "/metrics")
			require.Equal(t, c.messages, m[`pushd_connections_too_fast_total{limit="messages"}`])
			require.Equal(t, c.bytes, m[`pushd_connections_too_fast_total{limit="bytes"}`])
			if c.limit != "" {
				require.Equal(t, 1.0, m[`pushd_closes_total{code="4429"}`])
			}
		})
	}
}
