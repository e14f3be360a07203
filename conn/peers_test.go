package conn_test

import (
	"bytes"
	"net"
	"net/netip"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/pushd/pushd/conn"
)

// register is who has come and not left yet, by mark.
type register struct {
	mu   sync.Mutex
	turn func(n int, from netip.Addr) bool // whether the n-th is not to be heard
	came int
	in   map[uint32]netip.Addr
	left int
}

func newRegister() *register { return &register{in: make(map[uint32]netip.Addr)} }

// Arrive implements conn.Peers.
func (r *register) Arrive(from netip.Addr) (uint32, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.came++
	if r.turn != nil && r.turn(r.came, from) {
		return 0, false
	}
	r.in[uint32(r.came)] = from
	return uint32(r.came), true
}

// Leave implements conn.Peers.
func (r *register) Leave(mark uint32) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.left++
	if _, in := r.in[mark]; !in && mark != 0 {
		panic("a mark that nobody has is given back")
	}
	delete(r.in, mark)
}

func (r *register) requireEmpty(t *testing.T) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	require.Empty(t, r.in, "have not left")
}

// TestPeers: who came leaves once, however it ended.
func TestPeers(t *testing.T) {
	r := newRegister()
	r.turn = func(n int, _ netip.Addr) bool { return n%5 == 0 }
	s := serve(t, conn.Config{Shards: 2, MaxConns: 40, Headroom: 4, Peers: r}, hooks{
		request: func(c *conn.Conn, q *conn.Request, p *conn.Post) {
			if string(q.Path(q.Bytes)) == "/page" {
				p.HandOff(q)
				return
			}
			p.Accept()
			p.Out = conn.AppendSwitching(p.Out, q.Key(q.Bytes), nil, "")
		},
		handOff: func(fd int, _ []byte) { unix.Close(fd) },
	})
	var all []*client
	for i := range 60 {
		c := s.dialBy(t, net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, byte(1+i%3))}})
		all = append(all, c)
		await(t, "it to be accepted", func() bool { return s.Stats().Accepted.Load() == uint64(i+1) })
	}
	r.mu.Lock()
	require.Len(t, r.in, 44)
	perAddress := make(map[string]int)
	for _, from := range r.in {
		perAddress[from.String()]++
	}
	r.mu.Unlock()
	require.Len(t, perAddress, 3)
	require.EqualValues(t, 16, s.Stats().Turned.Load())
	for i, c := range all { // some have been closed already
		switch i % 5 {
		case 0:
			c.Write([]byte(shortHead))
			c.Close()
		case 1:
			c.SetLinger(0)
			c.Close()
		case 2:
			c.Write([]byte("GET /page HTTP/1.1\r\nHost: h\r\n\r\n"))
		case 3:
			c.Write([]byte("nonsense\r\n"))
			c.Close()
		}
	}
	for i, c := range all {
		if i%5 == 4 {
			c.Close()
		}
	}
	s.awaitLive(t, 0)
	r.requireEmpty(t)
	r.mu.Lock()
	defer r.mu.Unlock()
	require.Equal(t, 44, r.left)
}

// TestPreface is cut at every byte, and the request behind it is as if it stood alone.
func TestPreface(t *testing.T) {
	const preface = "FROM 192.0.2.7;"
	refusal := &conn.Refusal{Status: 400, Code: "bad_request", Message: "no preface"}
	var mu sync.Mutex
	var got []string
	s := serve(t, conn.Config{Shards: 1, Preface: func(_ *conn.Conn, b []byte) (int, netip.Addr, *conn.Refusal) {
		if !bytes.HasPrefix([]byte(preface), b[:min(len(b), 5)]) {
			return 0, netip.Addr{}, refusal
		}
		end := bytes.IndexByte(b, ';')
		if end < 0 {
			return -1, netip.Addr{}, nil
		}
		return end + 1, netip.MustParseAddr(string(b[5:end])), nil
	}}, hooks{request: func(_ *conn.Conn, r *conn.Request, p *conn.Post) {
		mu.Lock()
		got = append(got, r.From.String()+" "+string(r.Host(r.Bytes)))
		mu.Unlock()
		if r.CheckUpgrade(r.Bytes) != nil {
			panic("not an upgrade")
		}
		p.Accept()
		p.Out = conn.AppendSwitching(p.Out, r.Key(r.Bytes), nil, "")
	}})
	whole := preface + shortHead
	for cut := 1; cut < len(whole); cut++ {
		c := s.dial(t)
		c.writeCut(s, whole, cut)
		c.upgraded()
		c.write(text("hello"))
		c.expect("text hello")
		c.reset()
		s.awaitLive(t, 0)
	}
	c := s.dial(t)
	c.write(whole + text("hello")) // the frame in the same read
	c.upgraded()
	c.expect("text hello")
	c.leave()

	c = s.dial(t)
	c.write(shortHead)
	status, body := c.response()
	require.Equal(t, 400, status)
	require.Contains(t, body, "no preface")
	c.expect("EOF")
	c.Close()
	mu.Lock()
	defer mu.Unlock()
	require.Len(t, got, len(whole))
	for _, g := range got {
		require.Equal(t, "192.0.2.7 h", g)
	}
}
