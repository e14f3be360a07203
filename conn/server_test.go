package conn_test

import (
	"context"
	"io"
	"log/slog"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/stretchr/testify/require"

	"github.com/pushd/pushd/conn"
	"github.com/pushd/pushd/netpoll"
	"github.com/pushd/pushd/pool"
)

// patience is how long a test waits for what must happen.
const patience = 20 * time.Second

// hooks replace what the server of a test does by itself: it opens whatever asks to be a WebSocket and echoes messages.
type hooks struct {
	request  func(c *conn.Conn, r *conn.Request, p *conn.Post)
	refuses  func() string
	message  func(c *conn.Conn, op ws.OpCode, payload []byte, p *conn.Post)
	refused  func(r *conn.Refusal)
	ask      func(s *conn.Shard, c *conn.Conn, p *conn.Post) bool
	writable func(s *conn.Shard, c *conn.Conn)
	gone     func(s *conn.Shard, c *conn.Conn, opened bool, code ws.StatusCode)
	handOff  func(fd int, read []byte)
	work     func(s *conn.Shard)

	listen netpoll.ListenConfig
	quiet  bool // Gone keeps no books, which would cost memory
}

// server is an engine on the loopback with a handler and owners that a test can look into.
type server struct {
	*conn.Engine
	hooks
	listener *netpoll.Listener
	stop     func() // what happens when the test ends

	mu    sync.Mutex
	gone  map[conn.Handle]int // how often Gone was called
	codes []ws.StatusCode     // with which codes, in order
}

// owner is the server as one of its shards sees it.
type owner struct {
	*server
	shard *conn.Shard
}

var (
	_ conn.Handler = (*server)(nil)
	_ conn.Owner   = owner{}
)

// serve runs an engine until the test ends, and fails the test if the engine then holds anything still.
func serve(tb testing.TB, cfg conn.Config, h hooks) *server {
	tb.Helper()
	workers, err := pool.NewWorkers(pool.WorkersConfig{})
	require.NoError(tb, err)
	s := &server{hooks: h, gone: make(map[conn.Handle]int)}
	cfg.Handler, cfg.Workers = s, workers
	cfg.NewOwner = func(shard *conn.Shard) conn.Owner { return owner{s, shard} }
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.NewTextHandler(io.Discard, nil))
	}
	s.Engine, err = conn.New(cfg)
	require.NoError(tb, err)
	s.listener, err = h.listen.Listen("tcp", "127.0.0.1:0")
	require.NoError(tb, err)

	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx, s.listener) }()
	s.stop = sync.OnceFunc(func() {
		cancel()
		select {
		case err := <-ended:
			require.NoError(tb, err)
		case <-time.After(patience):
			tb.Error("the engine does not end")
			return
		}
		require.NoError(tb, s.listener.Close())
		workers.Close()
		s.requireEmpty(tb)
	})
	tb.Cleanup(s.stop)
	return s
}

// requireEmpty fails unless every connection has gone, once, and has left nothing behind.
func (s *server) requireEmpty(tb testing.TB) {
	tb.Helper()
	require.Zero(tb, s.Live(), "live connections")
	require.Zero(tb, s.Buffers().Stats().InUse, "bytes of buffers in use")
	require.Zero(tb, s.Stats().QueuedBytes.Load(), "queued bytes")
	require.Zero(tb, s.Stats().PartialBytes.Load(), "bytes of partial input")
	for _, shard := range s.Shards() {
		require.Zero(tb, shard.Live(), "live connections of a shard")
	}
	if s.quiet {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for handle, n := range s.gone {
		require.Equal(tb, 1, n, "Gone of %v", handle)
	}
	require.Len(tb, s.gone, int(s.Stats().Accepted.Load()-s.Stats().Turned.Load()), "connections that Gone was called for")
}

// read is how many bytes have been read of all connections.
func (s *server) read() (n uint64) {
	for _, shard := range s.Shards() {
		n += shard.Stats().BytesRead.Load()
	}
	return n
}

func (s *server) queued() int64 { return s.Stats().QueuedBytes.Load() }

// lastCode is the code of the last Gone.
func (s *server) lastCode() ws.StatusCode {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.codes[len(s.codes)-1]
}

// lastCodeOr0 is lastCode, or 0 where there is none yet.
func (s *server) lastCodeOr0() ws.StatusCode {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.codes) == 0 {
		return 0
	}
	return s.codes[len(s.codes)-1]
}

// await polls until done, and fails where that takes too long.
func await(tb testing.TB, what string, done func() bool) {
	tb.Helper()
	for deadline := time.Now().Add(patience); !done(); time.Sleep(50 * time.Microsecond) {
		if time.Now().After(deadline) {
			tb.Fatalf("waited in vain: %s", what)
		}
	}
}

func (s *server) awaitLive(tb testing.TB, n int) {
	tb.Helper()
	await(tb, "the number of connections", func() bool { return s.Live() == n })
}

// on calls f on the shard's goroutine and waits for it.
func on(s *conn.Shard, f func()) {
	done := make(chan struct{})
	s.Do(func() { f(); close(done) })
	<-done
}

// Request implements conn.Handler.
func (s *server) Request(c *conn.Conn, r *conn.Request, p *conn.Post) {
	if s.request != nil {
		s.request(c, r, p)
		return
	}
	accept(r, p)
}

// accept does the least that a handler must.
func accept(r *conn.Request, p *conn.Post) {
	if refusal := r.CheckUpgrade(r.Bytes); refusal != nil {
		p.Refuse(refusal)
		return
	}
	p.Accept()
	p.Out = conn.AppendSwitching(p.Out, r.Key(r.Bytes), nil, "")
}

// Message implements conn.Handler.
func (s *server) Message(c *conn.Conn, op ws.OpCode, payload []byte, p *conn.Post) {
	if s.message != nil {
		s.message(c, op, payload, p)
		return
	}
	p.Out = append(p.Out, serverFrame(op, string(payload))...)
}

// Refuses implements conn.Handler.
func (s *server) Refuses(*conn.Conn, ws.OpCode) string {
	if s.refuses != nil {
		return s.refuses()
	}
	return ""
}

// Refused implements conn.Handler.
func (s *server) Refused(r *conn.Refusal) {
	if s.refused != nil {
		s.refused(r)
	}
}

// Ask implements conn.Owner.
func (o owner) Ask(c *conn.Conn, p *conn.Post) bool { return o.ask(o.shard, c, p) }

// Writable implements conn.Owner.
func (o owner) Writable(c *conn.Conn) {
	if o.writable != nil {
		o.writable(o.shard, c)
	}
}

// Gone implements conn.Owner.
func (o owner) Gone(c *conn.Conn, opened bool, code ws.StatusCode) {
	if !o.quiet {
		o.mu.Lock()
		o.server.gone[o.shard.Handle(c)]++
		o.codes = append(o.codes, code)
		o.mu.Unlock()
	}
	if o.hooks.gone != nil {
		o.hooks.gone(o.shard, c, opened, code)
	}
}

// HandOff implements conn.Owner.
func (o owner) HandOff(_ *conn.Conn, fd int, read []byte) { o.handOff(fd, read) }

// Work implements conn.Owner.
func (o owner) Work(time.Time) bool {
	if o.work != nil {
		o.work(o.shard)
	}
	return false
}

// port is where the server listens.
func (s *server) port() int { return s.listener.Addr().(*net.TCPAddr).Port }
