package conn_test

import (
	"io"
	"net"
	"runtime"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/pushd/pushd/conn"
)

// crowd is so many clients at a time that allocate nothing: raw descriptors, blocking calls, buffers of their own.
type crowd struct {
	tb     testing.TB
	s      *server
	fds    [250]int
	addr   unix.SockaddrInet4
	linger unix.Linger
	head   []byte
	answer [256]byte
}

func newCrowd(tb testing.TB, s *server) *crowd {
	c := &crowd{tb: tb, s: s, head: []byte(shortHead), linger: unix.Linger{Onoff: 1}}
	addr := s.listener.Addr().(*net.TCPAddr)
	c.addr.Port = addr.Port
	copy(c.addr.Addr[:], addr.IP.To4())
	return c
}

func (c *crowd) must(err error) {
	if err != nil {
		c.tb.Fatal(err)
	}
}

// connect returns when all of them have been accepted.
func (c *crowd) connect() {
	for i := range c.fds {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
		c.must(err)
		c.must(unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &c.linger))
		c.must(unix.Connect(fd, &c.addr))
		c.fds[i] = fd
	}
	for c.s.Live() < len(c.fds) {
		time.Sleep(10 * time.Microsecond)
	}
}

// upgrade sends each one's request in two pieces, the first of the given length for the first, one byte longer for the
// next and so on; 0 for all of them to send it whole. It returns when all have been answered.
func (c *crowd) upgrade(cut int) {
	want := c.s.read()
	if cut > 0 {
		for i, fd := range c.fds {
			n := (cut+i)%(len(c.head)-1) + 1
			_, err := unix.Write(fd, c.head[:n])
			c.must(err)
			want += uint64(n)
		}
		for c.s.read() < want {
			time.Sleep(10 * time.Microsecond)
		}
	}
	for i, fd := range c.fds {
		n := 0
		if cut > 0 {
			n = (cut+i)%(len(c.head)-1) + 1
		}
		_, err := unix.Write(fd, c.head[n:])
		c.must(err)
	}
	for _, fd := range c.fds {
		const want = "HTTP/1.1 101 "
		n, err := unix.Read(fd, c.answer[:])
		c.must(err)
		if n < len(want) || string(c.answer[:len(want)]) != want {
			c.tb.Fatalf("got %q, want a 101", c.answer[:n])
		}
	}
}

// leave resets the connections and returns when the server has noticed.
func (c *crowd) leave() {
	for _, fd := range c.fds {
		c.must(unix.Close(fd))
	}
	for c.s.Live() > 0 {
		time.Sleep(10 * time.Microsecond)
	}
}

// warm has every connection hold at once what it will ever hold, by stopping the goroutines that would give it back.
func (c *crowd) warm(cut int) {
	c.connect()
	release, want := make(chan struct{}), c.s.read()+uint64(len(c.fds)*len(c.head))
	for _, shard := range c.s.Shards() {
		shard.Do(func() { <-release })
	}
	go func() {
		defer close(release)
		await(c.tb, "the requests to be read", func() bool { return c.s.read() == want })
	}()
	c.upgrade(cut)
	<-release
	c.leave()
}

// TestUpgradesAllocateNothing from the first byte to the 101. One in a hundred is allowed for: it is
// what the runtime itself needs now and then, a thread above all.
func TestUpgradesAllocateNothing(t *testing.T) {
	const upgrades = 10_000
	s := serve(t, conn.Config{Shards: 2}, hooks{quiet: true})
	c := newCrowd(t, s)
	for _, test := range []struct {
		label string
		cut   int
	}{{"whole", 0}, {"cut at every byte", 1}} {
		t.Run(test.label, func(t *testing.T) {
			var before, after runtime.MemStats
			allocated := uint64(0)
			c.warm(test.cut)
			for wave := range upgrades / len(c.fds) {
				c.connect()
				runtime.ReadMemStats(&before)
				c.upgrade(test.cut * (1 + wave))
				runtime.ReadMemStats(&after)
				c.leave()
				allocated += after.Mallocs - before.Mallocs
			}
			t.Logf("%d allocations in %d upgrades", allocated, upgrades)
			require.Less(t, allocated, uint64(upgrades/100))
		})
	}
}

// BenchmarkEngineUpgrade counts the bytes of memory of connection, upgrade and reset.
func BenchmarkEngineUpgrade(b *testing.B) {
	for _, bench := range []struct {
		label string
		cut   int
	}{{"whole", 0}, {"cut", 40}} {
		b.Run(bench.label, func(b *testing.B) {
			c := newCrowd(b, serve(b, conn.Config{Shards: 2}, hooks{quiet: true}))
			b.ReportAllocs()
			for b.Loop() {
				c.connect()
				c.upgrade(bench.cut)
				c.leave()
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*len(c.fds)), "µs/upgrade")
		})
	}
}

// TestConnSize: what every connection takes is a published figure.
func TestConnSize(t *testing.T) { require.EqualValues(t, 72, conn.ConnSize) }

// BenchmarkWrite writes a frame of 132 bytes to each of 16 sockets whose peers read.
func BenchmarkWrite(b *testing.B) {
	s := serve(b, conn.Config{Shards: 1}, hooks{quiet: true})
	for range 16 {
		c := s.open(b)
		require.NoError(b, c.SetDeadline(time.Time{}))
		go io.Copy(io.Discard, c.r)
	}
	shard, frame := s.Shards()[0], serverFrame(ws.OpBinary, string(make([]byte, 128)))
	b.ReportAllocs()
	on(shard, func() {
		for b.Loop() {
			for slot := range uint32(16) {
				if n, outcome := shard.Write(slot, frame, nil); outcome == conn.Blocked && n > 0 {
					shard.Keep(slot, frame[n:])
				}
			}
		}
	})
}
