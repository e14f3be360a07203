package server_test

import (
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/stretchr/testify/require"

	"github.com/pushd/pushd/internal/dialect"
	"github.com/pushd/pushd/internal/server"
)

// What is not whole takes so much at most, of all connections together: who needs
// more is told to return.
func TestInputTotal(t *testing.T) {
	d := open(t, server.Config{Listen: "127.0.0.1:0", Admin: "127.0.0.1:0", Dev: true, InputTotal: 64 << 10})
	frame := string(ws.MustCompileFrame(ws.MaskFrame(ws.NewTextFrame([]byte(`{"op":"ping"` + strings.Repeat(" ", 30<<10) + `}`)))))
	honest, greedy := d.v1(""), d.v1("")
	honest.write(frame[:20<<10])
	d.until(d.base+"/metrics", "one that has begun", func(m map[string]float64) bool { return m["pushd_partial_input_bytes"] > 20<<10 })
	greedy.write(frame[:28<<10])
	told := greedy.closedWith()
	require.Equal(t, dialect.CloseTryAgainLater, told.code)
	require.Regexp(t, `^retry_ms=\d+$`, told.reason)
	greedy.Close()
	honest.write(frame[20<<10:])
	got, err := honest.next()
	require.NoError(t, err)
	require.Equal(t, `{"op":"pong"}`, got)
	m := d.scrape(d.base + "/metrics")
	require.EqualValues(t, 1, m["pushd_connections_crowded_out_total"])
	require.Zero(t, m["pushd_connections_late_total"])
}

func TestMessageTimeout(t *testing.T) {
	d := open(t, server.Config{Listen: "127.0.0.1:0", Admin: "127.0.0.1:0", Dev: true, MessageTimeout: 300 * time.Millisecond})
	p := d.v1("")
	p.write("\x81")
	require.Equal(t, closed{dialect.ClosePolicyViolation, "message not complete within 300ms"}, p.closedWith())
	m := d.scrape(d.base + "/metrics")
	require.EqualValues(t, 1, m["pushd_connections_late_total"])
	require.Zero(t, m["pushd_connections_crowded_out_total"])
}
