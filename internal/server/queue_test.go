package server_test

import (
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pushd/pushd/internal/server"
)

// When all queues together are at their limit, who needs more is cut off; the
// others get what they were promised.
func TestQueueTotal(t *testing.T) {
	d := open(t, server.Config{Listen: "127.0.0.1:0", Admin: "127.0.0.1:0", Dev: true, QueueTotal: 64 << 10})
	peers := make(map[string]*peer) // by address
	for range 5 {
		p := d.slowly("")
		peers[p.LocalAddr().String()] = p
	}
	text, promised := strings.Repeat("x", 10<<10), make(map[string]int)
	for _, c := range d.listed("", len(peers)).Connections {
		for d.do(new(refusal), "POST /v1/connections/"+c.ID+"/messages", text, "Content-Type", "text/plain").StatusCode == 200 {
			promised[c.Address]++ // until its queue is full, or it has gone
		}
	}
	d.until(d.base+"/metrics", "somebody cut off", func(m map[string]float64) bool { return m[`pushd_closes_total{code="1006"}`] > 0 })
	m := d.scrape(d.base + "/metrics")
	require.LessOrEqual(t, m["pushd_output_queue_bytes"], 64.0*1024)
	cut := int(m["pushd_connections_cut_total"])
	require.EqualValues(t, cut, m[`pushd_closes_total{code="1006"}`])
	left := d.listed("", len(peers)-cut).Connections
	require.NotEmpty(t, left)
	for _, c := range left {
		for range promised[c.Address] {
			got, err := peers[c.Address].next()
			require.NoError(t, err)
			require.Equal(t, text, got)
		}
		delete(peers, c.Address)
	}
	require.Len(t, peers, cut)
	for _, p := range peers {
		var err error
		for err == nil {
			_, err = p.next()
		}
		require.True(t, err == io.EOF || err == io.ErrUnexpectedEOF, "no close frame: %v", err)
	}
}
