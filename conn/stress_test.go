package conn_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/pushd/pushd/conn"
	"github.com/pushd/pushd/internal/leak"
)

// megaphone is what one shard of the stress test shouts at its connections: to each, by slot alone, its own name.
type megaphone struct {
	names map[uint32]string // by slot: the handle of who was there when the slot was entered
	last  time.Time
	seed  *rand.Rand
}

func (m *megaphone) shout(s *conn.Shard) {
	if time.Since(m.last) < 5*time.Millisecond {
		return
	}
	m.last = time.Now()
	for slot, name := range m.names {
		frame := serverFrame(ws.OpBinary, name+" "+strings.Repeat(".", m.seed.IntN(3000)))
		if n, outcome := s.Write(slot, frame[:5], frame[5:]); outcome == conn.Blocked && n > 0 {
			s.Keep(slot, frame[n:])
		}
	}
}

// stress is the server's side: it ends connections in every way there is, as their clients ask.
func stress(shards int) hooks {
	phones := make([]*megaphone, shards)
	for i := range phones {
		phones[i] = &megaphone{names: make(map[uint32]string), seed: rand.New(rand.NewPCG(1, uint64(i)))}
	}
	return hooks{
		listen: narrow,
		request: func(_ *conn.Conn, r *conn.Request, p *conn.Post) {
			if string(r.Path(r.Bytes)) == "/page" {
				p.HandOff(r)
				return
			}
			accept(r, p)
			p.Ask = "name"
		},
		message: func(_ *conn.Conn, _ ws.OpCode, payload []byte, p *conn.Post) {
			switch ask := string(payload); ask {
			case "panic":
				panic("as asked")
			case "close":
				p.End(4000, "")
			default:
				p.Ask = ask
			}
		},
		ask: func(s *conn.Shard, c *conn.Conn, p *conn.Post) bool {
			switch p.Ask {
			case "name":
				name := s.Handle(c).String()
				phones[s.Index()].names[c.Slot()] = name
				p.Out = append(p.Out, serverFrame(ws.OpText, name)...)
			case "end":
				s.End(c, 4001, "")
			case "end soon":
				s.EndSoon(c.Slot(), 4002, "")
			case "drop":
				s.EndSoon(c.Slot(), ws.StatusAbnormalClosure, "")
			case "leave pending":
				return false
			}
			return true
		},
		work: func(s *conn.Shard) { phones[s.Index()].shout(s) },
		gone: func(s *conn.Shard, c *conn.Conn, _ bool, _ ws.StatusCode) { delete(phones[s.Index()].names, c.Slot()) },
		handOff: func(fd int, read []byte) {
			_, _ = unix.Write(fd, []byte("HTTP/1.1 204 No Content\r\n\r\n"))
			_ = unix.Close(fd)
		},
	}
}

// visit is one client's life. It fails where it hears a word that was meant for another.
func visit(addr string, r *rand.Rand) (err error) {
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		return err
	}
	defer nc.Close()
	if err := nc.SetDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	in := bufio.NewReader(nc)
	path, want := "/", 101
	if r.IntN(10) == 0 {
		path, want = "/page", 204
	}
	cut := r.IntN(len(shortHead))
	request := strings.Replace(shortHead, "/", path, 1)
	if _, err := io.WriteString(nc, request[:cut]); err != nil {
		return err
	}
	if r.IntN(20) == 0 { // it thinks better of it
		return leave(nc, r.IntN(2) == 0)
	}
	if _, err := io.WriteString(nc, request[cut:]); err != nil {
		return err
	}
	res, err := http.ReadResponse(in, nil)
	if err != nil || res.StatusCode != want {
		return fmt.Errorf("answered by %+v, %w; want a %d", res, err, want)
	}
	if want != 101 {
		return nil
	}
	var name []byte
	for range 1 + r.IntN(4) {
		if _, err := hear(in, &name); err != nil {
			return err
		}
	}
	asks := []string{"panic", "close", "end", "end soon", "drop", "leave pending", "nothing"}
	ask := asks[r.IntN(len(asks))]
	if _, err := io.WriteString(nc, text(ask)); err != nil {
		return err
	}
	switch how := r.IntN(4); {
	case how == 0:
		return leave(nc, true)
	case how == 1:
		return leave(nc, false)
	case how == 2 && ask != "leave pending", ask == "nothing":
		_, _ = io.WriteString(nc, bye) // it may be closed already
	case ask == "leave pending": // and never answered
		return leave(nc, r.IntN(2) == 0)
	}
	for said := false; ; {
		code, err := hear(in, &name)
		switch {
		case err == io.EOF, err == io.ErrUnexpectedEOF && ask == "drop", errors.Is(err, unix.ECONNRESET):
			return nil
		case err != nil:
			return err
		case code == ws.OpClose && !said:
			said = true
			_, _ = io.WriteString(nc, bye)
			if ask == "panic" {
				return nil // it is not waited for
			}
		}
	}
}

func leave(nc net.Conn, reset bool) error {
	if reset {
		if err := nc.(*net.TCPConn).SetLinger(0); err != nil {
			return err
		}
	}
	return nc.Close()
}

// hear reads a frame. The first one tells the client its name, the others are to begin with it.
func hear(r io.Reader, name *[]byte) (ws.OpCode, error) {
	f, err := readFrame(r)
	if err != nil {
		return 0, err
	}
	switch f.Header.OpCode {
	case ws.OpText:
		if *name != nil {
			return 0, fmt.Errorf("%s is told to be %s", *name, f.Payload)
		}
		*name = f.Payload
	case ws.OpBinary:
		if got, _, _ := bytes.Cut(f.Payload, []byte(" ")); *name == nil || !bytes.Equal(got, *name) {
			return 0, fmt.Errorf("%s hears what was meant for %s", *name, got)
		}
	case ws.OpClose:
	default:
		return 0, fmt.Errorf("opcode %d", f.Header.OpCode)
	}
	return f.Header.OpCode, nil
}

// TestStress opens and closes 10,000 connections, by both sides at once, while all are written to. No byte may reach a
// stranger, and nothing may be left.
func TestStress(t *testing.T) {
	const visits, atOnce, shards = 10_000, 500, 3
	descriptors := len(leak.Open())
	s := serve(t, conn.Config{Shards: shards, CloseTimeout: 2 * time.Second}, stress(shards))
	addr := s.listener.Addr().String()
	var clients sync.WaitGroup
	var left atomic.Int64
	left.Store(visits)
	for i := range atOnce {
		clients.Go(func() {
			r := rand.New(rand.NewPCG(2, uint64(i)))
			for left.Add(-1) >= 0 && !t.Failed() {
				if err := visit(addr, r); err != nil {
					t.Error(err)
				}
			}
		})
	}
	clients.Wait()
	require.EqualValues(t, visits, s.Stats().Accepted.Load())
	require.Positive(t, s.Stats().Panics.Load())
	s.stop() // which fails unless Gone was called once for each, and nothing is held
	require.Len(t, leak.Open(), descriptors)
}
