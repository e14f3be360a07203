package conformance_test

import (
	"context"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pushd/pushd/internal/dialect"
	"github.com/pushd/pushd/internal/server"
)

const (
	// patience is how long an answer may take. It is shorter than any clock of the
	// server, so that nothing is taken for an answer that only a timeout brought.
	patience = 3 * time.Second

	// most is the server's limit for a message: all three sizes of a length fit.
	most = 70_000
)

// host is a server under test.
type host struct {
	*server.Server
	t       testing.TB
	witness *peer // another connection, on the same shard
}

// open runs a server until the test ends.
func open(t testing.TB) *host {
	t.Helper()
	everything, err := dialect.ParsePatternList([]string{">"})
	require.NoError(t, err)
	s, err := server.New(server.Config{
		Listen: "127.0.0.1:0", Admin: "127.0.0.1:0", Echo: true, Anonymous: everything,
		MaxMessage: most, MaxMessageRate: -1, MaxByteRate: -1, Shards: 1,
	})
	require.NoError(t, err)
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	h := &host{Server: s, t: t}
	t.Cleanup(func() {
		stop()
		require.NoError(t, <-ended)
	})
	return h
}

// dial opens a TCP connection to the public door.
func (h *host) dial(t testing.TB) *peer {
	t.Helper()
	c, err := net.Dial("tcp", h.Addr().String())
	require.NoError(t, err)
	p := newPeer(t, h, c)
	t.Cleanup(p.leave)
	return p
}

// echo opens a WebSocket to /echo, which sends back what it is sent.
func (h *host) echo(t testing.TB) *peer {
	t.Helper()
	p := h.dial(t)
	p.send([]byte(request("/echo")))
	require.Equal(t, "HTTP/1.1 101 Switching Protocols", p.head().status)
	return p
}

// settled returns when the server has very likely read what was sent before: it
// has answered on another connection of the same shard. No case depends on it
// to pass; it makes cuts between bytes real ones.
func (h *host) settled() {
	if h.witness == nil {
		h.witness = h.echo(h.t)
	}
	h.witness.lives()
}
