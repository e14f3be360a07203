package conn_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"time"

	"github.com/gobwas/ws"

	"github.com/pushd/pushd/conn"
	"github.com/pushd/pushd/netpoll"
	"github.com/pushd/pushd/pool"
)

// echo is both sides of a server that says what it hears: the Handler, on the workers, and the Owner of each shard.
type echo struct{}

func (echo) Request(_ *conn.Conn, r *conn.Request, p *conn.Post) {
	if refusal := r.CheckUpgrade(r.Bytes); refusal != nil {
		p.Refuse(refusal)
		return
	}
	p.Accept()
	p.Out = conn.AppendSwitching(p.Out, r.Key(r.Bytes), nil, "")
}

func (echo) Message(_ *conn.Conn, op ws.OpCode, payload []byte, p *conn.Post) {
	p.Out = append(p.Out, ws.MustCompileFrame(ws.NewFrame(op, true, payload))...)
}

func (echo) Refused(*conn.Refusal) {}

// Refuses is called when a message begins: this server takes all.
func (echo) Refuses(*conn.Conn, ws.OpCode) string { return "" }

func (echo) Ask(*conn.Conn, *conn.Post) bool      { return true }
func (echo) Writable(*conn.Conn)                  {}
func (echo) Gone(*conn.Conn, bool, ws.StatusCode) {}
func (echo) HandOff(*conn.Conn, int, []byte)      {}
func (echo) Work(time.Time) (more bool)           { return false }

// A server of a handful of lines that holds as many connections as there are descriptors.
func Example() {
	workers, err := pool.NewWorkers(pool.WorkersConfig{})
	if err != nil {
		log.Fatal(err)
	}
	defer workers.Close()
	engine, err := conn.New(conn.Config{
		Handler:  echo{},
		NewOwner: func(*conn.Shard) conn.Owner { return echo{} },
		Workers:  workers,
	})
	if err != nil {
		log.Fatal(err)
	}
	listener, err := netpoll.ListenConfig{}.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	defer listener.Close()
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- engine.Run(ctx, listener) }()

	say(listener.Addr().String(), "hello")
	stop()
	fmt.Println(<-ended)
	// Output:
	// 101 Switching Protocols
	// hello
	// <nil>
}

// say is a client that says one thing and prints what it hears.
func say(addr, what string) {
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		log.Fatal(err)
	}
	defer nc.Close()
	io.WriteString(nc, "GET / HTTP/1.1\r\nHost: "+addr+"\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
	r := bufio.NewReader(nc)
	res, err := http.ReadResponse(r, nil)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(res.Status)
	ws.WriteFrame(nc, ws.MaskFrame(ws.NewTextFrame([]byte(what))))
	h, err := ws.ReadHeader(r)
	if err != nil {
		log.Fatal(err)
	}
	payload := make([]byte, h.Length)
	if _, err := io.ReadFull(r, payload); err != nil {
		log.Fatal(err)
	}
	fmt.Println(string(payload))
}
