package server_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/stretchr/testify/require"

	"github.com/pushd/pushd/internal/server"
)

// leaver is a server that a test tells to leave.
type leaver struct {
	*door
	leave func()
	ended chan error // what Run returned
}

func openLeaver(t testing.TB, cfg server.Config) *leaver {
	t.Helper()
	cfg.Listen, cfg.Admin, cfg.Dev = "127.0.0.1:0", "127.0.0.1:0", true
	s, err := server.New(cfg)
	require.NoError(t, err)
	ctx, leave := context.WithCancel(context.Background())
	l := &leaver{&door{Server: s, t: t, http: &http.Client{Transport: &http.Transport{}, Timeout: 20 * time.Second}, base: "http://" + s.AdminAddr().String()},
		leave, make(chan error, 1)}
	go func() { l.ended <- s.Run(ctx) }()
	t.Cleanup(func() {
		l.http.CloseIdleConnections()
		leave()
		s.Hurry()
	})
	return l
}

// gone waits until the server has ended.
func (l *leaver) gone() {
	l.t.Helper()
	l.http.CloseIdleConnections()
	select {
	case err := <-l.ended:
		require.NoError(l.t, err)
		require.Zero(l.t, server.Live(l.Server))
	case <-time.After(20 * time.Second):
		l.t.Fatal("the server goes on")
	}
}

// answerClose waits for the close frame and does what RFC 6455 asks for.
func (p *peer) answerClose() closed {
	p.t.Helper()
	c := p.closedWith()
	p.send(ws.NewCloseFrame(ws.NewCloseFrameBody(c.code, "")))
	return c
}

// First balancers are told, then newcomers are refused, then everybody is told
// to come back; and who publishes is served until the last has gone.
func TestDrain(t *testing.T) {
	l := openLeaver(t, server.Config{DrainDelay: 1500 * time.Millisecond, DrainOver: 2 * time.Second})
	peers := []*peer{l.subscribe("pushd.raw.v1", "a"), l.subscribe("pushd.raw.v1", "a"), l.subscribe("pushd.raw.v1", "a")}
	late, browser := l.call("GET /ws?topic=a HTTP/1.1\r\n"), l.call("GET /ws?topic=a HTTP/1.1\r\n")
	l.listed("", 3)
	l.connected(5)
	post := func(text string) {
		t.Helper()
		require.Equal(t, 200, l.do(new(receipt), "POST /v1/topics/a/messages", text, "Content-Type", "text/plain").StatusCode)
	}
	l.leave()
	var refused refusal
	for l.do(&refused, "GET /readyz", "").StatusCode != 503 {
		time.Sleep(time.Millisecond)
	}
	answer, _ := l.ask("GET /readyz", "")
	require.Equal(t, 503, answer.StatusCode, "the public door says it as well")
	answer, _ = l.ask("GET /healthz", "")
	require.Equal(t, 200, answer.StatusCode)
	peers = append(peers, l.subscribe("pushd.raw.v1", "a")) // until the delay is over
	l.listed("", 4)
	post("one")
	for _, p := range peers {
		got, err := p.next()
		require.NoError(t, err, "nobody is closed before the delay is over")
		require.Equal(t, "one", got)
	}

	rest := make(chan closed, len(peers))
	for _, p := range peers {
		go func() { rest <- p.answerClose() }()
	}
	require.Equal(t, ws.StatusCode(1012), (<-rest).code)
	_, err := net.Dial("tcp", l.Addr().String())
	require.Error(t, err, "a balancer then tries another, which it would not after a 503")
	late.write("Host: a\r\n" + upgrade + "\r\n")
	answer = late.response()
	require.Equal(t, 503, answer.StatusCode)
	require.Equal(t, "1", answer.Header.Get("Retry-After"))
	require.Equal(t, "draining", late.refused(answer).Code)
	late.Close()
	browser.write("Host: a\r\nOrigin: http://localhost\r\n" + upgrade + "\r\n")
	require.Equal(t, 101, browser.response().StatusCode)
	told := browser.answerClose()
	require.Equal(t, ws.StatusCode(1012), told.code)
	require.Regexp(t, `^retry_ms=\d{1,4}$`, told.reason)
	post("two")
	for range len(peers) - 1 {
		told := <-rest
		require.Equal(t, ws.StatusCode(1012), told.code)
		require.Regexp(t, `^retry_ms=[1-4]?\d{1,2}$`, told.reason, "within a quarter of the time that closing takes")
	}
	l.gone()
}

// A server that is hurried tells everybody and waits for nobody.
func TestHurry(t *testing.T) {
	for _, delay := range []time.Duration{0, time.Hour} {
		l := openLeaver(t, server.Config{DrainDelay: delay, DrainOver: time.Hour})
		peers := []*peer{l.subscribe("pushd.raw.v1", "a"), l.subscribe("pushd.v1", "a")}
		l.leave()
		l.Hurry()
		for _, p := range peers {
			require.Equal(t, ws.StatusCode(1012), p.closedWith().code)
		}
		l.gone()
	}
}

// Who comes back when the close frame says so comes back evenly, and everybody
// does: no part of the time sees more than twice the mean. It is the same
// arithmetic for fifteen thousand.
func TestReturnsAreEven(t *testing.T) {
	for _, over := range []time.Duration{0, 2 * time.Second} {
		t.Run(over.String(), func(t *testing.T) {
			const n, parts = 500, 5
			from, to := openLeaver(t, server.Config{DrainOver: over}), open(t, server.Config{})
			peers := make([]*peer, n)
			for i := range peers {
				peers[i] = from.subscribe("pushd.raw.v1", "a")
			}
			var mu sync.Mutex
			var returns []time.Duration
			var all sync.WaitGroup
			began := time.Now()
			for _, p := range peers {
				all.Go(func() {
					var ms int
					_, err := fmt.Sscanf(p.answerClose().reason, "retry_ms=%d", &ms)
					retry := time.Duration(ms) * time.Millisecond
					at := retry // where all are closed at once, however long that takes a busy machine
					if over > 0 {
						at += time.Since(began)
					}
					p.Close()
					time.Sleep(retry)
					dialer := ws.Dialer{Protocols: []string{"pushd.raw.v1"}}
					c, _, _, dialed := dialer.Dial(context.Background(), "ws://"+to.Addr().String()+"/ws?topic=a")
					if err == nil && dialed == nil {
						mu.Lock()
						returns = append(returns, at)
						mu.Unlock()
						c.Close()
					}
				})
			}
			from.leave()
			all.Wait()
			from.gone()
			require.Len(t, returns, n, "none is lost")
			counts, last := make([]int, parts), slices.Max(returns)
			for _, at := range returns {
				counts[at*parts/(last+1)]++
			}
			t.Log(last, counts)
			require.LessOrEqual(t, slices.Max(counts), 2*n/parts)
		})
	}
}
