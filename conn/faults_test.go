//go:build faults && linux

package conn_test

import (
	"bufio"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strconv"
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
	"github.com/pushd/pushd/internal/sys"
)

var faultSeed = flag.Uint64("conn.seed", 1, "of TestFaultsRandom")

// rates are those of every fault that conn may meet while it runs.
var rates = []sys.Rate{
	{Call: sys.CallRead, Errno: unix.EAGAIN, OneIn: 5},
	{Call: sys.CallRead, Errno: unix.EINTR, OneIn: 10},
	{Call: sys.CallRead, Errno: sys.Short, OneIn: 10},
	{Call: sys.CallRead, Errno: unix.ECONNRESET, OneIn: 400},
	{Call: sys.CallRead, Errno: unix.ETIMEDOUT, OneIn: 400},
	{Call: sys.CallRead, Errno: unix.ENOBUFS, OneIn: 400},
	{Call: sys.CallRead, Errno: unix.ENOMEM, OneIn: 400},
	{Call: sys.CallWrite, Errno: unix.EAGAIN, OneIn: 5},
	{Call: sys.CallWrite, Errno: unix.EINTR, OneIn: 10},
	{Call: sys.CallWrite, Errno: sys.Short, OneIn: 5},
	{Call: sys.CallWrite, Errno: unix.EPIPE, OneIn: 1000},
	{Call: sys.CallWrite, Errno: unix.ECONNRESET, OneIn: 1000},
	{Call: sys.CallWrite, Errno: unix.ENOBUFS, OneIn: 1000},
	{Call: sys.CallWrite, Errno: unix.ENOMEM, OneIn: 1000},
	{Call: sys.CallAccept, Errno: unix.EAGAIN, OneIn: 5},
	{Call: sys.CallAccept, Errno: unix.EINTR, OneIn: 10},
	{Call: sys.CallAccept, Errno: unix.ECONNABORTED, OneIn: 20},
	{Call: sys.CallAccept, Errno: unix.EMFILE, OneIn: 200},
	{Call: sys.CallAccept, Errno: unix.ENFILE, OneIn: 200},
	{Call: sys.CallAccept, Errno: unix.ENOBUFS, OneIn: 200},
	{Call: sys.CallAccept, Errno: unix.ENOMEM, OneIn: 200},
	{Call: sys.CallEpollAdd, Errno: unix.ENOMEM, OneIn: 60},
	{Call: sys.CallEpollAdd, Errno: unix.ENOSPC, OneIn: 60},
	{Call: sys.CallEpollModify, Errno: unix.ENOMEM, OneIn: 60},
	{Call: sys.CallEpollWait, Errno: unix.EINTR, OneIn: 10},
	{Call: sys.CallClose, Errno: unix.EINTR, OneIn: 10},
	{Call: sys.CallShutdown, Errno: unix.ENOBUFS, OneIn: 10},
	{Call: sys.CallSetsockopt, Errno: unix.ENOBUFS, OneIn: 3},
}

// TestFaultsRandom has every system call fail now and then while clients come, say so many things, hear each of them once and
// in order, as well as what everybody is told, and leave. Who was given an error that ends a connection must be gone; nobody
// else may notice anything, and nothing may be left.
func TestFaultsRandom(t *testing.T) {
	const visits, atOnce, shards = 600, 40, 3
	t.Logf("-args -conn.seed=%d", *faultSeed)
	descriptors := len(leak.Open())
	plan := sys.Inject(sys.Random(*faultSeed, rates...))
	defer plan.End()
	s := serve(t, conn.Config{Shards: shards, CloseTimeout: 500 * time.Millisecond, PingInterval: 200 * time.Millisecond}, counting(shards))
	var clients sync.WaitGroup
	var left, died atomic.Int64
	left.Store(visits)
	for i := range atOnce {
		clients.Go(func() {
			r := rand.New(rand.NewPCG(*faultSeed, uint64(i)))
			for left.Add(-1) >= 0 && !t.Failed() {
				port, err := converse(s, r)
				switch {
				case err == nil:
				case plan.Dead(port):
					died.Add(1)
				default:
					t.Errorf("port %d, which was given no error that ends it: %v", port, err)
				}
			}
		})
	}
	clients.Wait()
	s.stop() // which fails unless Gone was called once for each, and nothing is held
	plan.End()
	t.Logf("%d of %d died; faults: %s", died.Load(), visits, plan)
	require.Len(t, leak.Open(), descriptors)
	given := make(map[sys.Call]bool)
	for _, g := range plan.Given() {
		given[g.Call] = true
	}
	for _, r := range rates {
		require.True(t, given[r.Call], "%v was never made to fail", r.Call)
	}
	require.Positive(t, died.Load())
	require.Less(t, died.Load(), int64(visits/2), "too few have lived to tell anything")
}

// TestFaultsAcceptPauses: while there are no descriptors newcomers wait, however many come; then they are served.
func TestFaultsAcceptPauses(t *testing.T) {
	var exhausted atomic.Bool
	exhausted.Store(true)
	plan := sys.Inject(func(at sys.At) unix.Errno {
		if at.Call == sys.CallAccept && exhausted.Load() {
			return unix.EMFILE
		}
		return 0
	})
	defer plan.End()
	s := serve(t, conn.Config{Shards: 1}, hooks{})
	began := time.Now()
	var waiting []*client
	for range 100 {
		waiting = append(waiting, s.dial(t))
		time.Sleep(2 * time.Millisecond) // each comes as an edge of its own
	}
	most := time.Since(began)/(100*time.Millisecond) + 2
	require.LessOrEqual(t, s.Stats().AcceptPauses.Load(), uint64(most), "accept(2) was tried for every newcomer")
	require.LessOrEqual(t, len(plan.Given()), int(most))
	require.Zero(t, s.Live())
	exhausted.Store(false)
	for _, c := range waiting {
		c.upgrade().leave()
	}
	require.EqualValues(t, 100, s.Stats().Accepted.Load())
}

// counting echoes, and tells everybody numbers, each one more than the last that this connection was told.
func counting(shards int) hooks {
	type listener struct{ next int }
	phones := make([]map[uint32]*listener, shards)
	lasts := make([]time.Time, shards)
	for i := range phones {
		phones[i] = make(map[uint32]*listener)
	}
	return hooks{
		listen: narrow,
		request: func(_ *conn.Conn, r *conn.Request, p *conn.Post) {
			accept(r, p)
			p.Ask = "listen"
		},
		ask: func(s *conn.Shard, c *conn.Conn, _ *conn.Post) bool {
			phones[s.Index()][c.Slot()] = new(listener)
			return true
		},
		work: func(s *conn.Shard) {
			if time.Since(lasts[s.Index()]) < 2*time.Millisecond {
				return
			}
			lasts[s.Index()] = time.Now()
			for slot, l := range phones[s.Index()] {
				frame := serverFrame(ws.OpBinary, strconv.Itoa(l.next)+strings.Repeat(" ", l.next*7%400))
				n, outcome := s.Write(slot, frame[:1], frame[1:])
				if outcome == conn.Blocked && n == 0 {
					continue
				}
				l.next++
				if outcome == conn.Blocked {
					s.Keep(slot, frame[n:])
				}
			}
		},
		message: func(_ *conn.Conn, op ws.OpCode, payload []byte, p *conn.Post) {
			if string(payload) == "end" {
				p.End(4000, "as asked")
				return
			}
			p.Out = append(p.Out, serverFrame(op, string(payload))...)
		},
		gone: func(s *conn.Shard, c *conn.Conn, _ bool, _ ws.StatusCode) { delete(phones[s.Index()], c.Slot()) },
	}
}

// converse is one client's life.
func converse(s *server, r *rand.Rand) (port int, err error) {
	nc, err := net.Dial("tcp", s.listener.Addr().String())
	if err != nil {
		return 0, err
	}
	defer nc.Close()
	port = nc.LocalAddr().(*net.TCPAddr).Port
	if err := nc.SetDeadline(time.Now().Add(patience)); err != nil {
		return port, err
	}
	says := make([]string, 10+r.IntN(20))
	for i := range says {
		says[i] = strconv.Itoa(i) + strings.Repeat(".", r.IntN(4000))
	}
	finale := finales[r.IntN(len(finales))]
	var speaker sync.WaitGroup
	var spoken error
	speaker.Go(func() { spoken = speak(nc, r, says, finale.says) })
	err = listenTo(nc, says, finale.hears)
	if err != nil {
		nc.Close() // or the speaker would wait
	}
	speaker.Wait()
	return port, errors.Join(err, spoken)
}

// finales are how conversations end. The server closes first where the client does as RFC 6455 says; otherwise it shuts its side
// down, and where it cannot, or the client does not answer, it resets when its patience is over.
var finales = []struct{ says, hears string }{
	{closing(ws.StatusNormalClosure, ""), "close 1000"},
	{fragment(ws.OpContinuation, true, "of nothing"), "close 1002"},
	{text("end"), "close 4000"},
}

// speak says it all, some in fragments, with pings between them, in pieces of any size.
func speak(nc net.Conn, r *rand.Rand, says []string, finale string) error {
	var out strings.Builder
	out.WriteString(shortHead)
	for _, say := range says {
		cut := r.IntN(len(say))
		switch r.IntN(3) {
		case 0:
			out.WriteString(fragment(ws.OpText, false, say[:cut]) + ping("between") + fragment(ws.OpContinuation, true, say[cut:]))
		default:
			out.WriteString(text(say))
		}
	}
	out.WriteString(finale)
	for all := out.String(); all != ""; {
		n := min(1+r.IntN(2000), len(all))
		if _, err := io.WriteString(nc, all[:n]); err != nil {
			return fmt.Errorf("speaking: %w", err)
		}
		all = all[n:]
	}
	return nil
}

// listenTo hears all that was said, each once and in order, the numbers likewise, and the end.
func listenTo(nc net.Conn, says []string, finale string) error {
	in := bufio.NewReader(nc)
	for { // the head of the response
		line, err := in.ReadString('\n')
		if err != nil {
			return fmt.Errorf("in the response: %w", err)
		}
		if line == "\r\n" {
			break
		}
	}
	number := 0
	for {
		f, err := readFrame(in)
		if err != nil {
			return fmt.Errorf("with %d things to hear: %w", len(says), err)
		}
		switch f.Header.OpCode {
		case ws.OpText:
			if len(says) == 0 || string(f.Payload) != says[0] {
				return fmt.Errorf("hears %.20q, with %d things to hear", f.Payload, len(says))
			}
			says = says[1:]
		case ws.OpBinary:
			if got := strings.TrimRight(string(f.Payload), " "); got != strconv.Itoa(number) {
				return fmt.Errorf("is told %q: want %d", got, number)
			}
			number++
		case ws.OpClose:
			if got := describeFrame(f); len(says) > 0 || got != finale {
				return fmt.Errorf("%s, with %d things to hear; want %s", got, len(says), finale)
			}
			if _, err := in.ReadByte(); err != io.EOF && !errors.Is(err, unix.ECONNRESET) {
				return fmt.Errorf("after the close: %w", err)
			}
			return nil
		}
	}
}
