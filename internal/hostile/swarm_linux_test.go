package hostile_test

import (
	"context"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// A swarm is attackers who say one byte a second each, and come again at once when they are cut off. One goroutine is all of
// them, so that they cost the machine as little as they can.
type swarm struct {
	to     unix.SockaddrInet4
	first  string               // what each says at once
	script func(i, at int) byte // and then, byte by byte
	slots  []slow
	over   time.Duration // in which they come for the first time, evenly; 0: within a second

	poller int
	events [256]unix.EpollEvent
	heard  [4096]byte

	told  atomic.Int64 // how often one was told why
	found map[int]int  // how often with which status or close code; 0 is none of these
	cut   int          // how often one was cut off
	sent  int          // the most bytes that one has said before that
	err   error
}

type slow struct {
	fd int // -1 before it has come
	at int // bytes of first and script said
}

const slowSteps = 10 // of a second: in each a tenth of them speaks

// newSwarm makes n attackers that come with attack.
func newSwarm(t *testing.T, address string, n int, first string, script func(i, at int) byte) *swarm {
	to := netip.MustParseAddrPort(address)
	poller, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	require.NoError(t, err)
	s := &swarm{to: unix.SockaddrInet4{Addr: to.Addr().As4(), Port: int(to.Port())}, first: first, script: script, slots: make([]slow, n), poller: poller, found: map[int]int{}}
	for i := range s.slots {
		s.slots[i].fd = -1
	}
	return s
}

// attack begins, and goes on until end is called. What s has counted may be read then.
func (s *swarm) attack(t *testing.T) (end func()) {
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.run(ctx) }()
	return func() {
		stop()
		require.NoError(t, <-ended)
	}
}

func (s *swarm) run(ctx context.Context) error {
	step := time.NewTicker(time.Second / slowSteps)
	defer step.Stop()
	for turn, began := 0, time.Now(); ctx.Err() == nil && s.err == nil; {
		select {
		case <-step.C:
			come := len(s.slots)
			if since := time.Since(began); since < s.over {
				come = int(float64(come) * float64(since) / float64(s.over))
			}
			for i := turn % slowSteps; i < come; i += slowSteps {
				s.speak(i)
			}
			turn++
		default:
			s.listen()
		}
	}
	for i := range s.slots {
		s.leave(i)
	}
	unix.Close(s.poller)
	return s.err
}

// open has attacker i come.
func (s *swarm) open(i int) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err == nil {
		// Those who are cut off leave by a reset, or their old ports would wait for a minute each.
		unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
		if err = unix.Connect(fd, &s.to); err == unix.EINPROGRESS {
			err = nil
		}
		if err == nil {
			err = unix.EpollCtl(s.poller, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLRDHUP | unix.EPOLLET&0xffffffff, Fd: int32(i)})
		}
		if err != nil {
			unix.Close(fd)
		}
	}
	if err != nil {
		s.err = err
		return
	}
	s.slots[i] = slow{fd: fd}
	s.speak(i)
}

func (s *swarm) leave(i int) {
	if s.slots[i].fd >= 0 {
		unix.Close(s.slots[i].fd)
		s.slots[i].fd = -1
	}
}

// speak has attacker i say its next byte, or what it says at once.
func (s *swarm) speak(i int) {
	a := &s.slots[i]
	if a.fd < 0 {
		s.open(i)
		return
	}
	var b []byte
	if a.at < len(s.first) {
		b = []byte(s.first[a.at:])
	} else {
		b = []byte{s.script(i, a.at-len(s.first))}
	}
	if n, err := unix.Write(a.fd, b); err == nil {
		a.at += n
		s.sent = max(s.sent, a.at)
	}
}

// listen waits a moment for what they hear. Whoever hears a refusal, a close frame or the end comes anew.
func (s *swarm) listen() {
	n, err := unix.EpollWait(s.poller, s.events[:], 5)
	if err != nil && err != unix.EINTR {
		s.err = err
	}
	for _, e := range s.events[:max(n, 0)] {
		i := int(e.Fd)
		n, err := unix.Read(s.slots[i].fd, s.heard[:])
		switch {
		case err == unix.EAGAIN:
			continue
		case err == nil && n > 0 && string(s.heard[:min(n, 12)]) == "HTTP/1.1 101":
			continue
		case err == nil && n > 0:
			s.found[s.answer(n)]++
			s.told.Add(1)
		}
		s.cut++
		s.leave(i)
		s.open(i)
	}
}

// answer is the status or the close code of what was heard, 0 where it is neither.
func (s *swarm) answer(n int) int {
	b := s.heard[:n]
	switch {
	case n >= 12 && string(b[:9]) == "HTTP/1.1 ":
		return int(b[9]-'0')*100 + int(b[10]-'0')*10 + int(b[11]-'0')
	case n >= 4 && b[0] == fin|opClose:
		return int(b[2])<<8 | int(b[3])
	}
	return 0
}

// slowHead is a request whose header line never ends.
const slowHead = "GET /ws?topic=siege HTTP/1.1\r\nHost: localhost\r\nUser-Agent: "

// slowHeads are n attackers whose handshakes come a byte a second.
func slowHeads(t *testing.T, p *process, n int) *swarm {
	return newSwarm(t, p.public, n, "", func(_, at int) byte {
		if at < len(slowHead) {
			return slowHead[at]
		}
		return 'a'
	})
}

// slowFrames are n attackers who open /echo as they should, and then say messages that come a byte a second: half of them one
// that is announced with 60,000 bytes, half of them one of fragments of a byte each.
func slowFrames(t *testing.T, p *process, n int) *swarm {
	long, begin, more := head(fin|opText, 60_000), frame(opText, "a"), frame(opContinuation, "a")
	return newSwarm(t, p.public, n, "GET /echo"+handshake+"\r\n", func(i, at int) byte {
		switch {
		case i%2 == 0 && at < len(long):
			return long[at]
		case i%2 == 0:
			return 'a'
		case at < len(begin):
			return begin[at]
		}
		return more[(at-len(begin))%len(more)]
	})
}
