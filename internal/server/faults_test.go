package server_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pushd/pushd/internal/server"
)

// crowdSize is how many clients are killed at once.
const crowdSize = 5000

// TestCrowdIsKilled kills 5,000 clients at once, half of whom do not read, while
// they are published to. Nothing of them may stay.
func TestCrowdIsKilled(t *testing.T) {
	const logLimit = 256 << 10
	d := open(t, server.Config{Listen: "127.0.0.1:0", Admin: "127.0.0.1:0", Dev: true, MaxConnections: 2 * crowdSize, LogLimit: logLimit})
	url := d.base + "/metrics"
	files := func() int {
		entries, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Skip("no /proc to count descriptors in")
		}
		return len(entries)
	}
	d.scrape(url) // the admin connection is open from here on
	before := files()

	kill := startCrowd(t, d.Addr().String(), crowdSize, 2)
	require.GreaterOrEqual(t, files(), before+crowdSize)
	require.EqualValues(t, crowdSize, d.scrape(url)["pushd_subscriptions"])

	ctx, stop := context.WithCancel(context.Background())
	published := make(chan error, 1)
	go func() {
		payload := strings.Repeat("x", 1000)
		for n := 0; ; n++ {
			r, err := http.NewRequestWithContext(ctx, "POST", d.base+"/v1/topics/crowd/messages", strings.NewReader(strconv.Itoa(n)+payload))
			if err != nil {
				published <- err
				return
			}
			r.Header.Set("Content-Type", "text/plain")
			answer, err := d.http.Do(r)
			if ctx.Err() != nil {
				published <- nil
				return
			}
			if err != nil || answer.StatusCode != 200 {
				published <- fmt.Errorf("publishing: %v %v", err, answer)
				return
			}
			io.Copy(io.Discard, answer.Body)
			answer.Body.Close()
		}
	}()
	defer stop()

	d.until(url, "some are stuck", func(m map[string]float64) bool { return m["pushd_lagging_subscriptions"] > 100 })
	kill()
	d.until(url, "all are gone", func(m map[string]float64) bool {
		return m["pushd_connections"] == 0 && m["pushd_subscriptions"] == 0 && m["pushd_lagging_subscriptions"] == 0 && m["pushd_output_queue_bytes"] == 0
	})
	stop()
	require.NoError(t, <-published)
	d.until(url, "no buffer is in use", func(m map[string]float64) bool { return m[`pushd_buffer_bytes{state="in_use"}`] == 0 }) // the last publish had one
	require.LessOrEqual(t, d.scrape(url)["pushd_log_bytes"], float64(logLimit+64<<10))
	require.Eventually(t, func() bool { return files() <= before+2 }, 10*time.Second, 10*time.Millisecond, // the publisher's two ends
		"descriptors: %d before, %d now", before, files())
}

// until scrapes until the metrics are as they should be.
func (d *door) until(url, what string, ok func(map[string]float64) bool) {
	d.t.Helper()
	var m map[string]float64
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if m = d.scrape(url); ok(m) {
			return
		}
		require.True(d.t, time.Now().Before(deadline), "%s: not so: %v", what, m)
	}
}
