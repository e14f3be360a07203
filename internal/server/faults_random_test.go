//go:build faults && linux

package server_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/pushd/pushd/broadcast"
	"github.com/pushd/pushd/internal/leak"
	"github.com/pushd/pushd/internal/server"
	"github.com/pushd/pushd/internal/sys"
)

// faultRates hit a server as it runs.
var faultRates = []sys.Rate{
	{Call: sys.CallRead, Errno: unix.EAGAIN, OneIn: 4},
	{Call: sys.CallRead, Errno: unix.EINTR, OneIn: 10},
	{Call: sys.CallRead, Errno: sys.Short, OneIn: 5},
	{Call: sys.CallRead, Errno: unix.ECONNRESET, OneIn: 400},
	{Call: sys.CallWrite, Errno: unix.EAGAIN, OneIn: 6},
	{Call: sys.CallWrite, Errno: unix.EINTR, OneIn: 10},
	{Call: sys.CallWrite, Errno: sys.Short, OneIn: 6},
	{Call: sys.CallWrite, Errno: unix.EPIPE, OneIn: 1500},
	{Call: sys.CallWrite, Errno: unix.ENOBUFS, OneIn: 1500},
	{Call: sys.CallAccept, Errno: unix.EAGAIN, OneIn: 5},
	{Call: sys.CallAccept, Errno: unix.EMFILE, OneIn: 100},
	{Call: sys.CallEpollAdd, Errno: unix.ENOMEM, OneIn: 50},
	{Call: sys.CallEpollModify, Errno: unix.ENOMEM, OneIn: 50},
	{Call: sys.CallEpollWait, Errno: unix.EINTR, OneIn: 10},
	{Call: sys.CallClose, Errno: unix.EINTR, OneIn: 10},
	{Call: sys.CallShutdown, Errno: unix.ENOBUFS, OneIn: 10},
}

// TestFaultsServer has system calls fail while subscribers come, hear so many messages and leave, and while pages are fetched. Who
// was given no error that ends a connection hears every message of its topics from the first that it hears, once and in order.
// Afterwards nothing is left.
func TestFaultsServer(t *testing.T) {
	const visits, atOnce, topics = 400, 32, 4
	seed := *stressSeed
	if seed == 0 {
		seed = 1
	}
	t.Logf("-args -server.seed=%d", seed)
	descriptors := len(leak.Open())
	plan := sys.Inject(sys.Random(seed, faultRates...))
	defer plan.End()
	d := open(t, server.Config{Listen: "127.0.0.1:0", Admin: "127.0.0.1:0", Dev: true, Shards: 2, PingInterval: 100 * time.Millisecond})
	var left, died atomic.Int64
	left.Store(visits)
	var visitors, publisher sync.WaitGroup
	for i := range atOnce {
		visitors.Go(func() {
			r := rand.New(rand.NewPCG(seed, uint64(i)))
			for left.Add(-1) >= 0 && !t.Failed() {
				port, err := faultyVisit(d.Addr().String(), r, topics)
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
	done := make(chan struct{})
	publisher.Go(func() {
		for n := 1; ; n++ {
			for topic := range topics {
				m := broadcast.Message{Kind: broadcast.Text, Payload: []byte(strconv.Itoa(n) + strings.Repeat(" ", n*31%3000))}
				if _, err := server.Hub(d.Server).Publish(t.Context(), "t"+strconv.Itoa(topic), m); err != nil {
					t.Error(err)
					return
				}
			}
			select {
			case <-done:
				return
			case <-time.After(time.Millisecond):
			}
		}
	})
	visitors.Wait()
	close(done)
	publisher.Wait()
	d.until(d.base+"/metrics", "nothing is left", func(m map[string]float64) bool {
		return m["pushd_connections"] == 0 && m["pushd_subscriptions"] == 0 && m["pushd_lagging_subscriptions"] == 0 &&
			m["pushd_output_queue_bytes"] == 0 && m["pushd_http_pages"] == 0 && m[`pushd_buffer_bytes{state="in_use"}`] == 0
	})
	m := d.scrape(d.base + "/metrics")
	require.Zero(t, m["pushd_callback_panics_total"])
	require.Zero(t, m["pushd_lost_subscriptions_total"])
	d.http.CloseIdleConnections()
	require.Eventually(t, func() bool { return len(leak.Open()) <= descriptors+6+2*server.Shards(d.Server) }, 10*time.Second, 10*time.Millisecond,
		"descriptors: %d before, %d now", descriptors, len(leak.Open())) // doors, pollers and Go's own
	t.Logf("%d of %d died; faults: %s", died.Load(), visits, plan)
	require.Positive(t, died.Load())
	require.Less(t, died.Load(), int64(visits/2), "too few have lived to tell anything")
}

// faultyVisit is one client's life.
func faultyVisit(address string, r *rand.Rand, topics int) (port int, err error) {
	c, err := net.Dial("tcp", address)
	if err != nil {
		return 0, err
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(patience))
	port = c.LocalAddr().(*net.TCPAddr).Port
	in := bufio.NewReader(c)
	if r.IntN(10) == 0 {
		io.WriteString(c, "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
		answer, err := http.ReadResponse(in, nil)
		if err != nil {
			return port, err
		}
		if body, err := io.ReadAll(answer.Body); err != nil || string(body) != "ok\n" {
			return port, fmt.Errorf("/healthz: %q, %w", body, err)
		}
		return port, nil
	}
	first, second := r.IntN(topics), r.IntN(topics)
	v1 := r.IntN(2) == 0
	protocol := ""
	if v1 {
		protocol = "Sec-WebSocket-Protocol: pushd.v1\r\n"
	}
	if _, err := fmt.Fprintf(c, "GET /ws?topic=t%d HTTP/1.1\r\nHost: a\r\n%s%s\r\n", first, upgrade, protocol); err != nil {
		return port, err
	}
	answer, err := http.ReadResponse(in, nil)
	if err != nil {
		return port, err
	}
	if answer.StatusCode != 101 {
		return port, fmt.Errorf("answered %s", answer.Status)
	}
	say := func(op ws.OpCode, payload string) error {
		_, err := c.Write(ws.MustCompileFrame(ws.MaskFrame(ws.NewFrame(op, true, []byte(payload)))))
		return err
	}
	if v1 && second != first {
		if err := say(ws.OpText, fmt.Sprintf(`{"op":"subscribe","id":1,"topics":["t%d"]}`, second)); err != nil {
			return port, err
		}
	}
	last := make(map[string]int)
	for want := 20 + r.IntN(100); want > 0; {
		topic, text, err := faultyHear(in, v1, say)
		if err != nil {
			return port, fmt.Errorf("with %d messages to hear: %w", want, err)
		}
		if text == "" {
			continue
		}
		n, err := strconv.Atoi(strings.TrimRight(text, " "))
		if before, heard := last[topic]; err != nil || heard && n != before+1 {
			return port, fmt.Errorf("topic %q: heard %.20q after %d", topic, text, before)
		}
		last[topic] = n
		want--
	}
	if r.IntN(4) == 0 {
		c.(*net.TCPConn).SetLinger(0)
		return port, nil
	}
	if err := say(ws.OpClose, "\x03\xe8"); err != nil {
		return port, err
	}
	for {
		_, _, err := faultyHear(in, v1, say)
		switch {
		case errors.Is(err, io.EOF):
			return port, nil
		case err != nil && !errors.As(err, new(closed)):
			return port, err
		}
	}
}

// faultyHear reads a frame, and answers it where it is a ping. text is "" where it is no message.
func faultyHear(in io.Reader, v1 bool, say func(ws.OpCode, string) error) (topic, text string, err error) {
	header, err := ws.ReadHeader(in)
	if err != nil {
		return "", "", err
	}
	payload := make([]byte, min(header.Length, 64<<10))
	if _, err := io.ReadFull(in, payload); err != nil {
		return "", "", err
	}
	switch {
	case header.OpCode == ws.OpClose:
		code, reason := ws.ParseCloseFrameData(payload)
		return "", "", closed{code, reason}
	case header.OpCode == ws.OpPing:
		return "", "", say(ws.OpPong, string(payload))
	case !v1:
		return "", string(payload), nil
	}
	var m struct{ Op, Topic, Text string }
	if err := json.Unmarshal(payload, &m); err != nil {
		return "", "", err
	}
	switch m.Op {
	case "message":
		return m.Topic, m.Text, nil
	case "error":
		return "", "", fmt.Errorf("told %s", payload)
	}
	return "", "", nil
}
