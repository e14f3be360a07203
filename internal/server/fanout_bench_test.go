package server_test

import (
	"bufio"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/pushd/pushd/internal/server"
	"github.com/pushd/pushd/netpoll"
)

const (
	audience = 5000
	payload  = 128 // bytes
	burst    = 50  // messages
)

// BenchmarkFanout publishes to 5,000 subscribers on loopback, and beside it, in
// turns, sends the same frames by a bare loop of write(2) over as many sockets,
// one goroutine for each half: the floor. A burst is 50 messages in one request,
// a steady message waits until the one before has been written to everybody.
// CPU is this process's, user and system; the subscribers have their own.
func BenchmarkFanout(b *testing.B) {
	d := open(b, server.Config{Listen: "127.0.0.1:0", Admin: "127.0.0.1:0", Dev: true, MaxConnections: 2 * audience})
	startCrowd(b, d.Addr().String(), audience/2, 1)
	half := resident(b)
	startCrowd(b, d.Addr().String(), audience/2, 1)
	slope := (resident(b) - half) / (audience / 2)
	f := newFloor(b)

	line := fmt.Sprintf("{\"topic\":\"crowd\",\"text\":\"%s\"}\n", strings.Repeat("x", payload))
	publish := func(n int) {
		want := server.Deliveries(d.Server) + uint64(n*audience)
		r := d.request("POST /v1/messages", strings.NewReader(strings.Repeat(line, n)), "Content-Type", "application/x-ndjson")
		answer, err := d.http.Do(r)
		require.NoError(b, err)
		answer.Body.Close()
		for server.Deliveries(d.Server) < want {
			time.Sleep(100 * time.Microsecond)
		}
	}
	publish(1)
	for _, mode := range []struct {
		name  string
		times int
		n     int
	}{{"burst", 1, burst}, {"steady", 10, 1}} {
		b.Run(mode.name, func(b *testing.B) {
			var ours, floors spent
			for b.Loop() {
				floors.add(func() {
					for range mode.times {
						f.send(mode.n)
					}
				})
				ours.add(func() {
					for range mode.times {
						publish(mode.n)
					}
				})
			}
			deliveries := float64(b.N * mode.times * mode.n * audience)
			b.ReportMetric(0, "ns/op") // it is of both
			b.ReportMetric(deliveries/ours.wall.Seconds(), "deliveries/s")
			b.ReportMetric(floors.wall.Seconds()/ours.wall.Seconds(), "x-floor-speed")
			b.ReportMetric(float64(ours.cpu.Nanoseconds())/deliveries, "cpu-ns/delivery")
			b.ReportMetric(float64(ours.cpu)/float64(floors.cpu), "x-floor-cpu")
			b.ReportMetric(float64(slope), "B/conn")
		})
	}
}

// spent is wall and CPU time.
type spent struct{ wall, cpu time.Duration }

func (s *spent) add(f func()) {
	cpu := func() time.Duration {
		var u unix.Rusage
		unix.Getrusage(unix.RUSAGE_SELF, &u)
		return time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	before, began := cpu(), time.Now()
	f()
	s.wall += time.Since(began)
	s.cpu += cpu() - before
}

// floor is what a fan-out costs when the program around it costs nothing.
type floor struct {
	fds   []int
	frame []byte
}

func newFloor(b *testing.B) *floor {
	l, err := netpoll.ListenConfig{}.Listen("tcp", "127.0.0.1:0")
	require.NoError(b, err)
	plain, err := l.NetListener()
	require.NoError(b, err)
	f := &floor{frame: append([]byte{0x81, 126, 0, payload}, strings.Repeat("x", payload)...)}
	files := make(chan *os.File, audience)
	go func() {
		for range audience {
			c, err := plain.Accept()
			if err != nil {
				panic(err)
			}
			if _, err := http.ReadRequest(bufio.NewReader(c)); err != nil {
				panic(err)
			}
			fmt.Fprint(c, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
			file, err := c.(interface{ File() (*os.File, error) }).File() // blocking, as the floor's sockets are
			if err != nil {
				panic(err)
			}
			c.Close()
			files <- file
		}
	}()
	startCrowd(b, plain.Addr().String(), audience, 1)
	for range audience {
		file := <-files
		b.Cleanup(func() { file.Close() })
		f.fds = append(f.fds, int(file.Fd()))
	}
	plain.Close()
	return f
}

func (f *floor) send(n int) {
	var both sync.WaitGroup
	for _, fds := range [][]int{f.fds[:audience/2], f.fds[audience/2:]} {
		both.Go(func() {
			for range n {
				for _, fd := range fds {
					unix.Write(fd, f.frame)
				}
			}
		})
	}
	both.Wait()
}

// resident returns the memory of this process that is in RAM, in bytes, once it
// has settled.
func resident(b *testing.B) (bytes int) {
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	var size, pages int
	fmt.Sscan(string(text), &size, &pages)
	return pages * os.Getpagesize()
}
