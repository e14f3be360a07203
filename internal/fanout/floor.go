package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pushd/pushd/internal/rawio"
	"github.com/pushd/pushd/netpoll"
)

// accept asks a floor to take so many connections and answer their handshakes. With N 0 it only says where it listens.
type accept struct{ N int }

// accepted is the answer to an accept.
type accepted struct{ Address string }

// send asks a floor to send a message for each head, made up to Size bytes, to every subscriber of the head's topic.
type send struct {
	Heads []string
	Size  int
}

// sent is the answer to a send, when all is written.
type sent struct {
	Writes int // write(2) that took something
	Full   int // times that a socket had no room and was waited for
}

// floor is a bare loop of write(2), in shares.
type floor struct {
	listener *netpoll.Listener
	fds      []int
	topics   []map[string][]int // by share: a topic's sockets
}

// runFloor is the role floor: it answers accepts and sends, until in ends.
func runFloor(in io.Reader, out io.Writer) error {
	l, err := netpoll.ListenConfig{}.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	f := &floor{listener: l}
	defer f.close()
	for range runtime.GOMAXPROCS(0) {
		f.topics = append(f.topics, make(map[string][]int))
	}
	answer := answers(out)
	return requests(in, func(r request) error {
		switch {
		case r.Accept != nil:
			for range r.Accept.N {
				if err := f.accept(); err != nil {
					return err
				}
			}
			return answer(accepted{l.Addr().String()})
		case r.Send != nil:
			done, err := f.send(*r.Send)
			if err != nil {
				return err
			}
			return answer(done)
		}
		return fmt.Errorf("a floor was asked for %+v: expected an accept or a send", r)
	})
}

// accept takes one connection, which gets what it names as topics.
func (f *floor) accept() error {
	if err := await(f.listener.FD(), unix.POLLIN); err != nil {
		return err
	}
	fd, _, err := f.listener.Accept()
	if err != nil {
		return err
	}
	share := f.topics[len(f.fds)%len(f.topics)]
	f.fds = append(f.fds, fd)
	if err := await(fd, unix.POLLIN); err != nil {
		return err
	}
	buf := make([]byte, 16<<10)
	n, err := unix.Read(fd, buf)
	if err != nil {
		return err
	}
	r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(buf[:n])))
	if err != nil {
		return fmt.Errorf("handshake %q: %w", buf[:n], err)
	}
	for _, topic := range r.URL.Query()["topic"] {
		share[topic] = append(share[topic], fd)
	}
	_, err = unix.Write(fd, []byte("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"))
	return err
}

// send writes every message to its subscribers, message by message, each share in a goroutine of its own, which no system call
// takes off its processor.
func (f *floor) send(s send) (sent, error) {
	topics := make([]string, len(s.Heads))
	frames := make([][]byte, len(s.Heads))
	for i, h := range s.Heads {
		_, topic, _, err := parseHead([]byte(h))
		if err != nil {
			return sent{}, err
		}
		topics[i], frames[i] = topicName(int(topic)), frame(payload(h, s.Size))
	}
	results, errs := make([]sent, len(f.topics)), make([]error, len(f.topics))
	var all sync.WaitGroup
	for i, share := range f.topics {
		all.Go(func() {
			for m, topic := range topics {
				for _, fd := range share[topic] {
					if err := results[i].all(fd, frames[m]); err != nil {
						errs[i] = err
						return
					}
				}
			}
		})
	}
	all.Wait()
	var total sent
	for _, r := range results {
		total.Writes += r.Writes
		total.Full += r.Full
	}
	return total, errors.Join(errs...)
}

// all writes b to fd, and waits where fd has no room.
func (s *sent) all(fd int, b []byte) error {
	for {
		n, err := rawio.Write(fd, b)
		switch {
		case errors.Is(err, unix.EAGAIN):
			s.Full++
			if err := await(fd, unix.POLLOUT); err != nil {
				return err
			}
			continue
		case err != nil:
			return err
		}
		s.Writes++
		if b = b[n:]; len(b) == 0 {
			return nil
		}
	}
}

// await waits until poll(2) reports events for fd, at most half a minute.
func await(fd int, events int16) error {
	for end := time.Now().Add(30 * time.Second); ; {
		fds := []unix.PollFd{{Fd: int32(fd), Events: events}}
		n, err := unix.Poll(fds, max(0, int(time.Until(end).Milliseconds())))
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			return err
		case n == 0:
			return fmt.Errorf("descriptor %d: nothing of %#x within half a minute", fd, events)
		}
		return nil
	}
}

func (f *floor) close() {
	f.listener.Close()
	for _, fd := range f.fds {
		unix.Close(fd)
	}
}
