//go:build linux

package server_test

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pushd/pushd/internal/server"
)

// While memory is short newcomers are told to come back, and who is in stays.
func TestMemoryLimit(t *testing.T) {
	var log journal
	d := open(t, server.Config{Listen: "127.0.0.1:0", Admin: "127.0.0.1:0", Dev: true, MemoryLimit: 1, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	require.Eventually(t, func() bool {
		return strings.Contains(log.String(), "more than memory-limit before the first connection")
	}, 20*time.Second, time.Millisecond)
	first := d.v1("?topic=a")
	require.Equal(t, "subscribed a", first.hear().short())
	require.Eventually(t, func() bool { return d.tryURL("?topic=a", "") == "overloaded" }, 20*time.Second, 50*time.Millisecond)
	answer, p := d.ask("GET /ws?topic=a", upgrade)
	require.Equal(t, 503, answer.StatusCode)
	require.Equal(t, "5", answer.Header.Get("Retry-After"))
	require.Contains(t, p.refused(answer).Message, "no memory")
	_, page := d.ask("GET /ws?topic=a", upgrade+"Origin: http://localhost\r\n"+v1Offer+"\r\n")
	require.EqualValues(t, 1013, page.closedWith().code)
	d.publish("a", "x")
	require.Equal(t, "x", first.hear().Text)
	m := d.scrape(d.base + "/metrics")
	require.EqualValues(t, 1, m["pushd_memory_full"])
	require.EqualValues(t, 1, m["pushd_memory_limit_bytes"])
	require.Greater(t, m[`pushd_memory_bytes{kind="user"}`], 1e6)
	require.Contains(t, m, `pushd_connection_memory_bytes{kind="user"}`) // 0 where the tests before have left memory that goes back meanwhile
}
