package server_test

import (
	"net"
	"runtime"
	"runtime/debug"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/pushd/pushd/internal/server"
)

// wave is many clients at a time that allocate nothing themselves.
type wave struct {
	*door
	fds    [250]int
	addr   unix.SockaddrInet4
	answer [512]byte
}

func newWave(d *door) *wave {
	w := &wave{door: d}
	addr := d.Addr().(*net.TCPAddr)
	w.addr.Port = addr.Port
	copy(w.addr.Addr[:], addr.IP.To4())
	return w
}

func (w *wave) must(err error) {
	if err != nil {
		w.t.Fatal(err)
	}
}

// connect returns when all of them have been accepted.
func (w *wave) connect(others int) {
	for i := range w.fds {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
		w.must(err)
		w.must(unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1}))
		w.must(unix.Connect(fd, &w.addr))
		w.fds[i] = fd
	}
	w.await(others + len(w.fds))
}

func (w *wave) await(n int) {
	for server.Live(w.Server) != n {
		time.Sleep(10 * time.Microsecond)
	}
}

// upgrade returns when all of them have been answered.
func (w *wave) upgrade(head []byte) {
	for _, fd := range w.fds {
		_, err := unix.Write(fd, head)
		w.must(err)
	}
	for _, fd := range w.fds {
		const want = "HTTP/1.1 101 "
		n, err := unix.Read(fd, w.answer[:])
		w.must(err)
		if n < len(want) || string(w.answer[:len(want)]) != want {
			w.t.Fatalf("got %q, want a 101", w.answer[:n])
		}
	}
}

// warm has every connection hold at once what it will ever hold, by stopping the
// goroutines that would give it back.
func (w *wave) warm(others int, head []byte) {
	w.connect(others)
	release, want := server.Stall(w.Server), server.Received(w.Server)+uint64(len(w.fds)*len(head))
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for server.Received(w.Server) < want {
			time.Sleep(10 * time.Microsecond)
		}
		release()
	}()
	w.upgrade(head)
	<-ended
	w.leave(others)
}

// leave returns when the server has noticed.
func (w *wave) leave(others int) {
	for _, fd := range w.fds {
		w.must(unix.Close(fd))
	}
	w.await(others)
}

// TestUpgradeAllocations measures a handshake, with the subscription that its
// query asks for, from the first byte to the 101. What there is for JSON is the
// connection's name in the welcome. One in ten is allowed for: workers that
// are started, and what the runtime itself needs now and then.
func TestUpgradeAllocations(t *testing.T) {
	if raceDetector {
		t.Skip("under the race detector pools forget")
	}
	const waves = 12
	defer debug.SetGCPercent(debug.SetGCPercent(-1)) // a collection empties the pools
	for _, c := range []struct {
		label, target, header string
		most                  float64
	}{
		{"raw", "/ws?topic=room", "", 0.1},
		{"raw by name", "/ws?topic=room", "Sec-WebSocket-Protocol: pushd.raw.v1\r\n", 0.1},
		{"raw compressed", "/ws?topic=room", offerDeflate, 0.1},
		{"JSON", "/ws?topic=room", "Sec-WebSocket-Protocol: pushd.v1\r\n", 1.1},
	} {
		t.Run(c.label, func(t *testing.T) {
			d := open(t, server.Config{Listen: "127.0.0.1:0", Admin: "127.0.0.1:0", Dev: true, Shards: 2, MaxHandshakes: 1e6, Compress: true})
			const others = 4 // so that the topic stays, and on each shard an audience for each dialect
			for i := range others {
				if c.header == offerDeflate {
					d.ask("GET "+c.target, upgrade+offerDeflate)
					continue
				}
				d.subscribe([]string{"pushd.raw.v1", "pushd.v1"}[i/2], "room")
			}
			d.listed("topic=room", others)
			d.http.CloseIdleConnections()
			w := newWave(d)
			head := []byte("GET " + c.target + " HTTP/1.1\r\nHost: a\r\n" + upgrade + c.header + "\r\n")
			var before, after runtime.MemStats
			allocated := uint64(0)
			w.warm(others, head)
			for range waves {
				w.connect(others)
				runtime.ReadMemStats(&before)
				w.upgrade(head)
				runtime.ReadMemStats(&after)
				w.leave(others)
				allocated += after.Mallocs - before.Mallocs
			}
			each := float64(allocated) / float64(waves*len(w.fds))
			t.Logf("%d allocations in %d upgrades: %.3f each", allocated, waves*len(w.fds), each)
			require.LessOrEqual(t, each, c.most)
		})
	}
}
