package server_test

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/stretchr/testify/require"

	"github.com/pushd/pushd/internal/server"
)

// A storm is a process of its own, for its descriptors: so many clients of the
// topic "storm" that all come at once, each of which resumes from somewhere and
// sees to it that it gets each message after that, once and in order.
const (
	stormHistory = 50   // messages that are there when it begins
	stormDialing = 1000 // clients that connect at a time
	stormRate    = 20 * time.Millisecond
)

// TestJoinStorm has 10,000 clients subscribe with since in the long run, fewer in
// others and under the race detector, while 50 messages a second are published.
func TestJoinStorm(t *testing.T) {
	n := 1500
	switch {
	case raceDetector:
		n = 300
	case inLongRun():
		n = 10_000
	}
	d := open(t, server.Config{Listen: "127.0.0.1:0", Admin: "127.0.0.1:0", Dev: true, MaxConnections: n, HandshakeTimeout: time.Minute})
	first := d.publish("storm", "0")
	for i := range stormHistory {
		d.publish("storm", fmt.Sprint(i))
	}
	epoch, _, _ := strings.Cut(first, ":")

	p := exec.Command(os.Args[0])
	p.Env = append(os.Environ(), fmt.Sprintf("PUSHD_TEST_STORM=%s %s %d", d.Addr(), epoch, n))
	p.Stderr = os.Stderr
	out, err := p.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, p.Start())
	defer func() { p.Process.Kill(); p.Wait() }()
	said := make(chan string)
	go func() {
		defer close(said)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			said <- lines.Text()
		}
	}()

	began, tick := time.Now(), time.NewTicker(stormRate)
	defer tick.Stop()
	joined, published := false, 0
	for !joined {
		select {
		case line, ok := <-said:
			require.True(t, ok, "the storm ended")
			require.Equal(t, "joined", line)
			joined = true
		case <-tick.C:
			d.publish("storm", "while they join")
			published++
		}
	}
	t.Logf("%d joined in %v, %d messages meanwhile", n, time.Since(began).Round(time.Millisecond), published)
	for range 25 {
		<-tick.C
		d.publish("storm", "when all have")
	}
	d.publish("storm", "the end")
	require.Equal(t, fmt.Sprint(n, " complete"), <-said)
}

// init turns a process that was started as a storm into one.
func init() {
	var address, epoch string
	var n int
	if got, _ := fmt.Sscan(os.Getenv("PUSHD_TEST_STORM"), &address, &epoch, &n); got < 3 {
		return
	}
	var joining, staying sync.WaitGroup
	var complete atomic.Int64
	places := make(chan struct{}, stormDialing)
	joining.Add(n)
	for i := range n {
		places <- struct{}{}
		staying.Go(func() {
			s := stormClient{last: uint64(1 + i%stormHistory), epoch: epoch}
			if err := s.join(address); err != nil {
				fmt.Printf("client %d: %v\n", i, err)
				os.Exit(1)
			}
			joining.Done()
			<-places
			if err := s.stay(); err != nil {
				fmt.Printf("client %d: %v\n", i, err)
				os.Exit(1)
			}
			complete.Add(1)
		})
	}
	joining.Wait()
	fmt.Println("joined")
	staying.Wait()
	fmt.Println(complete.Load(), "complete")
	os.Exit(0)
}

// stormClient is one of a storm.
type stormClient struct {
	*wire
	epoch string
	last  uint64 // offset of what it has
	live  bool
}

// join subscribes, and waits until it is answered.
func (s *stormClient) join(address string) (err error) {
	if s.wire, _, err = dialWire(address, "pushd.v1", "", 0); err != nil {
		return err
	}
	if err = s.say(ws.OpText, fmt.Sprintf(`{"op":"subscribe","topics":[{"name":"storm","since":"%s:%d"}]}`, s.epoch, s.last)); err != nil {
		return err
	}
	for {
		_, b, err := s.hear()
		if err != nil {
			return err
		}
		switch {
		case bytes.HasPrefix(b, []byte(`{"op":"welcome"`)):
		case bytes.Contains(b, []byte(`"recovered":true`)):
			return nil
		default:
			return fmt.Errorf("since %s:%d was answered with %s", s.epoch, s.last, b)
		}
	}
}

// stay takes every message until the last, which must come one after the other.
func (s *stormClient) stay() error {
	for want := []byte(nil); ; {
		_, b, err := s.hear()
		if err != nil {
			return fmt.Errorf("after %d: %w", s.last, err)
		}
		if bytes.HasPrefix(b, []byte(`{"op":"live"`)) {
			if s.live {
				return fmt.Errorf("live a second time")
			}
			s.live = true
			continue
		}
		want = append(append(want[:0], `{"op":"message","topic":"storm","position":"`...), s.epoch...)
		want = strconv.AppendUint(append(want, ':'), s.last+1, 10)
		want = append(append(want, `","previous":"`...), s.epoch...)
		want = strconv.AppendUint(append(want, ':'), s.last, 10)
		if want = append(want, `",`...); !bytes.HasPrefix(b, want) {
			return fmt.Errorf("%s, expected %s…}", b, want)
		}
		if s.last++; bytes.Contains(b, []byte("the end")) && s.live {
			return s.Close()
		}
	}
}
