package server_test

import (
	"strconv"
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
