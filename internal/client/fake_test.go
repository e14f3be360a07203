package client_test

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
	"github.com/stretchr/testify/require"

	"github.com/pushd/pushd/internal/client"
	"github.com/pushd/pushd/internal/leak"
)

func TestMain(m *testing.M) { leak.Main(m) }

// patience bounds what a test waits for another goroutine.
const patience = 10 * time.Second

// peer is the server's end of one connection.
type peer struct {
	net.Conn
	t         *testing.T
	protocols []string // as offered
}

// serve starts a server that plays one script a connection, in order, and
// closes it behind the script. It returns the URL to subscribe to.
func serve(t *testing.T, scripts ...func(*peer)) string {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	serveOn(t, listener, scripts...)
	return "ws://" + listener.Addr().String()
}

func serveOn(t *testing.T, listener net.Listener, scripts ...func(*peer)) {
	var done sync.WaitGroup
	done.Go(func() {
		for _, script := range scripts {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			p := &peer{Conn: conn, t: t}
			conn.SetDeadline(time.Now().Add(patience))
			upgrader := ws.Upgrader{ProtocolCustom: func(v []byte) (string, bool) {
				p.protocols = append(p.protocols, string(v))
				return "pushd.v1", true
			}}
			if _, err := upgrader.Upgrade(conn); err == nil {
				script(p)
			}
			conn.Close()
		}
	})
	t.Cleanup(func() { listener.Close(); done.Wait() })
}

func (p *peer) send(lines ...string) {
	for _, line := range lines {
		if err := wsutil.WriteServerText(p.Conn, []byte(line)); err != nil {
			p.t.Errorf("send %s: %v", line, err)
		}
	}
}

// receive returns the next text message; "" where the client has gone.
func (p *peer) receive() string {
	b, _, err := wsutil.ReadClientData(p.Conn)
	if err != nil {
		return ""
	}
	return string(b)
}

// greet welcomes, and returns the topics that are asked for.
func (p *peer) greet() (topics []asked) {
	p.send(`{"op":"welcome","version":1,"connection":"1","ping_ms":25000,"max_message":65536}`)
	var request struct {
		Op     string
		Topics []asked
	}
	if err := json.Unmarshal([]byte(p.receive()), &request); err != nil || request.Op != "subscribe" {
		p.t.Errorf("expected a subscribe, got %+v, %v", request, err)
	}
	return request.Topics
}

type asked struct{ Name, Since string }

func (p *peer) close(code ws.StatusCode, reason string) {
	ws.WriteFrame(p.Conn, ws.NewCloseFrame(ws.NewCloseFrameBody(code, reason)))
	io.Copy(io.Discard, p.Conn) // until the client has gone, so that nothing is reset
}

// waiting keeps the connection until the client has gone.
func (p *peer) waiting() {
	for p.receive() != "" {
	}
}

// record is what a subscriber was told.
type record struct {
	messages []client.Message
	gaps     []client.Gap
	lost     []error
	waits    []time.Duration
}

// run subscribes to news until n messages came (n > 0) or Run returns.
func run(t *testing.T, n int, cfg client.Config) (r record, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if cfg.Topics == nil {
		cfg.Topics = []string{"news"}
	}
	cfg.OnMessage = func(m *client.Message) error {
		keep := *m
		keep.Payload = append([]byte(nil), m.Payload...)
		keep.Envelope = nil
		if r.messages = append(r.messages, keep); len(r.messages) == n {
			cancel()
		}
		return nil
	}
	cfg.OnGap = func(g client.Gap) { r.gaps = append(r.gaps, g) }
	cfg.OnLost = func(err error, wait time.Duration) {
		r.lost, r.waits = append(r.lost, err), append(r.waits, wait)
	}
	cfg.Retry(func(ctx context.Context, _ time.Duration) error { return ctx.Err() }, func() float64 { return 0.5 })
	s, err := client.NewSubscriber(cfg)
	require.NoError(t, err)
	err = s.Run(ctx)
	require.NotErrorIs(t, ctx.Err(), context.DeadlineExceeded, "nothing more came")
	return r, err
}

// proxy accepts one CONNECT, answers it and joins the two ends.
func proxy(t *testing.T, answer string) (address string, requests <-chan *http.Request) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	asked := make(chan *http.Request, 1)
	var done sync.WaitGroup
	done.Go(func() {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		br := bufio.NewReader(conn)
		request, err := http.ReadRequest(br)
		if err != nil {
			t.Errorf("proxy: %v", err)
			return
		}
		asked <- request
		io.WriteString(conn, answer)
		far, err := net.Dial("tcp", request.RequestURI)
		if err != nil {
			return
		}
		defer far.Close()
		done.Go(func() {
			io.Copy(struct{ io.Writer }{far}, br)
			far.(*net.TCPConn).CloseWrite()
		})
		io.Copy(struct{ io.Writer }{conn}, far) // by splice(2) package net would keep a pipe
		conn.(*net.TCPConn).CloseWrite()
	})
	t.Cleanup(func() { listener.Close(); done.Wait() })
	return listener.Addr().String(), asked
}
