package server

import (
	"context"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gobwas/ws"
	"golang.org/x/sys/unix"

	"github.com/pushd/pushd/broadcast"
)

// Live returns how many connections the public door has.
func Live(s *Server) int { return s.engine.Live() }

// Received returns how many bytes the public door has read.
func Received(s *Server) (n uint64) {
	for _, shard := range s.engine.Shards() {
		n += shard.Stats().BytesRead.Load()
	}
	return n
}

// StallShard keeps the goroutine of one shard busy until the result is called.
func StallShard(s *Server, i int) (release func()) { return stallThen(s, i, func() {}) }

// StallAndEnd does so on the first shard, and ends the connection in a slot
// before the shard looks at anything else.
func StallAndEnd(s *Server, slot uint32) (release func()) {
	shard := s.owners[0].shard
	return stallThen(s, 0, func() { shard.End(shard.At(slot), ws.StatusGoingAway, "") })
}

func stallThen(s *Server, i int, then func()) (release func()) {
	begun, stalled := make(chan struct{}), make(chan struct{})
	s.owners[i].shard.Do(func() { close(begun); <-stalled; then() })
	<-begun
	return func() { close(stalled) }
}

// TakePages takes the place of n pages until the result is called.
func TakePages(s *Server, n int64) (free func()) {
	s.pages.live.Add(n)
	return func() { s.pages.live.Add(-n) }
}

// PageBody returns the body that a page's handler sees of a request of which a
// part had been read when it was handed over.
func PageBody(ctx context.Context, read, rest string) string {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		panic(err)
	}
	defer unix.Close(fds[0])
	body := make(chan string, 1)
	p := &pages{max: 1, given: make(chan given, 1), closed: make(chan struct{})}
	p.server = &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, _ := io.ReadAll(r.Body)
		body <- string(text)
	})}
	ctx, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- serveHTTP(ctx, p.server, p) }()
	defer func() { stop(); <-ended }()
	p.take(given{fds[1], []byte(read), func() {}})
	unix.Write(fds[0], []byte(rest))
	return <-body
}

// ClosePagesWhileTaking hands n pages over while the listener closes, which
// nobody accepts from, and returns how many are left, and of how many it was said
// that they are closed.
func ClosePagesWhileTaking(n int) (live, done int64) {
	var closed atomic.Int64
	p := &pages{max: int64(n), given: make(chan given, n), closed: make(chan struct{})}
	var both sync.WaitGroup
	both.Go(func() {
		for range n {
			fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0)
			if err != nil {
				panic(err)
			}
			p.take(given{fd, nil, func() { closed.Add(1) }})
		}
	})
	both.Go(func() { p.Close() })
	both.Wait()
	return p.live.Load(), closed.Load()
}

// Working reports whether a worker is at work.
func Working(s *Server) bool { return s.workers.Stats().Running > 0 }

// EachFD calls f, on the shards' goroutines, with the socket of each connection.
func EachFD(s *Server, f func(fd int)) error {
	return s.eachConnection(context.Background(), which{}, nil, func(i connInfo) bool { f(i.FD); return true })
}

// Hub returns what the server publishes to.
func Hub(s *Server) *broadcast.Hub { return s.hub }

// Shards returns how many shards the server has.
func Shards(s *Server) int { return len(s.owners) }

// ExpireTokens has the tokens of the first shard's connections expire, and returns
// how many connections have one at each of its turns, until none has.
func ExpireTokens(s *Server) (turns []int) {
	o := s.owners[0]
	done := make(chan []int)
	var look func()
	look = func() {
		n := 0
		for _, g := range o.grants.held {
			if g != nil {
				n++
			}
		}
		if turns = append(turns, n); n == 0 {
			done <- turns
			return
		}
		o.shard.Do(look)
	}
	o.shard.Do(func() {
		for slot, g := range o.grants.held {
			if g != nil {
				o.grants.due[slot] = 1
			}
		}
		o.grants.walked = time.Time{}
		look()
	})
	return <-done
}
