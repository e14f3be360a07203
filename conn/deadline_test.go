package conn_test

import (
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/stretchr/testify/require"

	"github.com/pushd/pushd/conn"
)

// pings is how many pings have been written.
func (s *server) pings() (n uint64) {
	for _, shard := range s.Shards() {
		n += shard.Stats().Pings.Load()
	}
	return n
}

func TestPing(t *testing.T) {
	const interval = 400 * time.Millisecond
	s := serve(t, conn.Config{Shards: 1, PingInterval: interval, Ping: func(c *conn.Conn) []byte { return serverFrame(ws.OpPing, "?") }}, hooks{})
	t.Run("what is silent, and again", func(t *testing.T) {
		c, began := s.open(t), time.Now()
		for range 3 {
			c.expect("ping ?")
			c.write(pong("?"))
		}
		require.Greater(t, time.Since(began), 2*interval)
		c.leave()
	})
	t.Run("not what was written to", func(t *testing.T) {
		c := s.open(t)
		before := s.pings()
		written := time.Now()
		for began := written; time.Since(began) < 4*interval; {
			c.write(text("hi"))
			f := c.next()
			if f == "ping ?" { // the machine was so slow that nothing was written for the interval
				require.Greater(t, time.Since(written), interval/2)
				f = c.next()
				before++
			}
			require.Equal(t, "text hi", f)
			written = time.Now()
			time.Sleep(interval / 10)
		}
		require.Equal(t, before, s.pings())
		c.leave()
	})
	t.Run("what only speaks", func(t *testing.T) {
		c, stop := s.open(t), make(chan struct{})
		defer close(stop)
		go func() {
			for {
				select {
				case <-stop:
					return
				case <-time.After(interval / 10):
					if _, err := c.Write([]byte(pong(""))); err != nil {
						return
					}
				}
			}
		}()
		c.expect("ping ?")
	})
}

// TestPingsAreSpread over an eighth of the interval, although all was written at once.
func TestPingsAreSpread(t *testing.T) {
	const clients, interval = 200, 2400 * time.Millisecond
	s := serve(t, conn.Config{Shards: 1, PingInterval: interval}, hooks{})
	var all []*client
	for range clients {
		all = append(all, s.open(t))
	}
	shard := s.Shards()[0]
	on(shard, func() {
		shard.Each(0, clients, func(c *conn.Conn, _ conn.Info) { shard.Send(c, serverFrame(ws.OpText, "all")) })
	})
	began, perTick := time.Now(), make(map[time.Duration]int)
	for pinged := uint64(0); pinged < clients; {
		await(t, "another ping", func() bool { return s.pings() > pinged })
		now := s.pings()
		perTick[time.Since(began).Truncate(50*time.Millisecond)] += int(now - pinged)
		pinged = now
	}
	for at, n := range perTick {
		require.GreaterOrEqual(t, at, interval-100*time.Millisecond)
		require.Less(t, n, clients*2/3, "pings %v after the write", at)
	}
	for _, c := range all {
		c.reset()
	}
}

func TestIdle(t *testing.T) {
	const limit = 400 * time.Millisecond
	s := serve(t, conn.Config{Shards: 1, PingInterval: 150 * time.Millisecond, IdleTimeout: limit}, hooks{})
	t.Run("ends what says nothing", func(t *testing.T) {
		c, began := s.open(t), time.Now()
		for f := ""; f != "close 1001"; { // pings it does not answer
			if f = c.next(); f != "close 1001" {
				require.Equal(t, "ping ", f)
			}
		}
		require.Greater(t, time.Since(began), limit/2)
		c.write(closing(1001, ""))
		c.expect("EOF")
	})
	t.Run("but a pong is enough", func(t *testing.T) {
		c := s.open(t)
		for began := time.Now(); time.Since(began) < 3*limit; {
			c.expect("ping ")
			c.write(pong(""))
		}
		c.write(text("still here"))
		for f := ""; f != "text still here"; {
			if f = c.next(); f != "text still here" {
				require.Equal(t, "ping ", f)
			}
		}
		c.Close()
	})
}
