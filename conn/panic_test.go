package conn_test

import (
	"io"
	"log/slog"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/stretchr/testify/require"

	"github.com/pushd/pushd/conn"
)

func TestPanic(t *testing.T) {
	s := serve(t, conn.Config{Shards: 1}, hooks{
		request: func(_ *conn.Conn, r *conn.Request, p *conn.Post) {
			accept(r, p)
			if string(r.Path(r.Bytes)) == "/panic" {
				panic("as asked")
			}
		},
		message: func(_ *conn.Conn, op ws.OpCode, payload []byte, p *conn.Post) {
			p.Out = append(p.Out, serverFrame(op, string(payload))...)
			if string(payload) == "panic" {
				panic("as asked")
			}
		},
	})
	other := s.open(t)
	panics := 0
	for _, test := range []struct{ label, in string }{
		{"alone", text("panic")},
		{"with a frame begun behind it", text("panic") + text("more")[:4]},
		{"with much behind it", text("panic") + binaryMessage(string(make([]byte, 50_000))) + bye},
		{"in fragments", fragment(ws.OpText, false, "pan") + fragment(ws.OpContinuation, true, "ic")},
	} {
		t.Run(test.label, func(t *testing.T) {
			for _, cut := range []int{0, 1, 8} {
				c := s.open(t)
				c.writeCut(s, test.in, cut)
				c.expect("close 1011", "EOF")
				panics++
				require.EqualValues(t, panics, s.Stats().Panics.Load())
				c.write(closing(1011, ""))
				c.Close()
				s.awaitLive(t, 1)
				require.Zero(t, s.Buffers().Stats().InUse)
			}
		})
	}
	t.Run("in Request", func(t *testing.T) {
		c := s.dial(t)
		c.write("GET /panic" + shortHead[len("GET /"):])
		status, body := c.response()
		require.Equal(t, 500, status, body)
		c.expect("EOF")
		c.Close()
		s.awaitLive(t, 1)
	})
	other.write(text("still here"))
	other.expect("text still here")
	other.leave()
}

// TestPanicInRefusals: the other callbacks on a worker.
func TestPanicInRefusals(t *testing.T) {
	s := serve(t, conn.Config{Shards: 1}, hooks{refuses: func() string { panic("as asked") }, refused: func(*conn.Refusal) { panic("as asked") }})
	c := s.open(t)
	c.write(text("x"))
	c.expect("close 1011", "EOF")
	c.Close()
	c = s.dial(t)
	c.write("GET / nonsense\r\n\r\n")
	status, body := c.response()
	require.Equal(t, 500, status, body)
	c.expect("EOF")
	c.Close()
	s.awaitLive(t, 0)
	require.EqualValues(t, 2, s.Stats().Panics.Load())
}

// TestPanicOnShard: what panics on a shard's goroutine ends the process, and is logged. A process of its own does each.
func TestPanicOnShard(t *testing.T) {
	if where := os.Getenv("PUSHD_TEST_PANIC"); where != "" {
		panicOnShard(t, where)
		return
	}
	for _, where := range []string{"Ask", "Writable", "Gone", "HandOff", "Work", "Ping", "Do"} {
		t.Run(where, func(t *testing.T) {
			t.Parallel()
			p := exec.Command(os.Args[0], "-test.run=^TestPanicOnShard$")
			p.Env = append(os.Environ(), "PUSHD_TEST_PANIC="+where)
			said, err := p.CombinedOutput()
			require.Error(t, err)
			require.Equal(t, 2, p.ProcessState.ExitCode(), string(said))
			require.Contains(t, string(said), `level=ERROR msg="panic on a shard's goroutine: the process ends" shard=0 panic="as asked" stack=`)
			require.Contains(t, string(said), "panic: as asked")
		})
	}
}

func panicOnShard(t *testing.T, where string) {
	here := func(place string) {
		if place == where {
			panic("as asked")
		}
	}
	cfg := conn.Config{Shards: 1, PingInterval: 100 * time.Millisecond, Logger: slog.New(slog.NewTextHandler(os.Stderr, nil)),
		Ping: func(*conn.Conn) []byte { here("Ping"); return ws.CompiledPing }}
	worked := 0
	s := serve(t, cfg, hooks{
		listen: narrow,
		request: func(_ *conn.Conn, r *conn.Request, p *conn.Post) {
			if string(r.Path(r.Bytes)) == "/page" {
				p.HandOff(r)
				return
			}
			accept(r, p)
			p.Ask = true
		},
		ask:      func(*conn.Shard, *conn.Conn, *conn.Post) bool { here("Ask"); return true },
		writable: func(*conn.Shard, *conn.Conn) { here("Writable") },
		gone:     func(*conn.Shard, *conn.Conn, bool, ws.StatusCode) { here("Gone") },
		handOff:  func(int, []byte) { here("HandOff") },
		work: func(*conn.Shard) {
			if worked++; worked > 10 {
				here("Work")
			}
		},
	})
	c := s.dial(t)
	switch where {
	case "HandOff":
		c.write("GET /page" + shortHead[len("GET /"):])
	case "Gone":
		c.reset()
	default:
		c.upgrade()
	}
	shard := s.Shards()[0]
	switch where {
	case "Writable":
		all(shard, func(c *conn.Conn) { shard.Send(c, make([]byte, 8<<20)) })
		io.Copy(io.Discard, c.r)
	case "Do":
		shard.Do(func() { here("Do") })
	}
	time.Sleep(patience) // the process ends before
}
