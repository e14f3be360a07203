package loadgen

import (
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pushd/pushd/internal/rawio"
	"github.com/pushd/pushd/netpoll"
)

// script is what client i says.
func (c *crowd) script(i int32) *script { return c.scripts[(c.First+int(i))%len(c.scripts)] }

// source is the address that client i comes from, or none.
func (c *crowd) source(i int32) netip.Addr {
	if len(c.Sources) == 0 {
		return netip.Addr{}
	}
	return c.Sources[(c.First+int(i))/c.PerSource%len(c.Sources)]
}

// open begins client i's connection, which was to begin at. It returns false
// where nobody else need be tried now.
func (c *crowd) open(i int32, at int64) bool {
	m := &c.clients[i]
	if m.state == waiting {
		c.Counts.Waiting--
	}
	c.Counts.Attempts++
	m.at, m.began, m.state = at, time.Now().UnixNano(), shaking
	fd, ready, err := dial(c.script(i).target.Addr, c.source(i), m.class == stopped || m.class == crawling)
	m.fd = int32(fd)
	c.pending.push(i, m.began)
	if err == nil {
		err = c.poller.Add(fd, uint64(i))
	}
	if err == nil && !ready {
		m.state = connecting
		err = c.poller.AddWrite(fd, uint64(i))
	}
	if err == nil && ready {
		err = c.ask(i)
	}
	if err != nil {
		k := kindOf(err, false)
		c.refuse(i, cause{Kind: k, N: 1, Example: err.Error()}, 0)
		return k != noPorts && k != noFiles && k != noMemory
	}
	return true
}

// ask sends client i's request. It fits into the send buffer of a new socket.
func (c *crowd) ask(i int32) error {
	c.clients[i].state = shaking
	request := c.script(i).request(c.First+int(i), c.subscriptions(i))
	c.show(i, ">", request)
	return c.write(i, request)
}

func (c *crowd) write(i int32, b []byte) error {
	n, err := rawio.Write(int(c.clients[i].fd), b)
	if err == nil && n < len(b) {
		err = io.ErrShortWrite
	}
	return os.NewSyscallError("write", err)
}

// subscriptions are client i's topics; they are valid until the next call.
func (c *crowd) subscriptions(i int32) []int {
	if c.drawn == nil {
		c.topics = c.chooser.topics(c.First+int(i), c.topics[:0])
		return c.topics
	}
	c.topics = c.topics[:0]
	for _, t := range c.drawn[int(i)*c.Audience.Each:][:c.Audience.Each] {
		c.topics = append(c.topics, int(t))
	}
	return c.topics
}

// ready does what an event makes possible.
func (c *crowd) ready(e netpoll.Event) {
	i := int32(e.Handle)
	m := &c.clients[i]
	switch m.state {
	case connecting:
		if e.Events&(netpoll.Writable|netpoll.Hangup) == 0 {
			return
		}
		err := pendingError(int(m.fd))
		if err == nil {
			err = c.ask(i)
		}
		if err != nil {
			c.refuse(i, cause{Kind: kindOf(err, false), N: 1, Example: err.Error()}, 0)
			return
		}
		if e.Events&(netpoll.Readable|netpoll.PeerClosed) == 0 {
			return
		}
	case open:
		if (m.class == stopped || m.class == crawling) && e.Events&netpoll.Hangup == 0 {
			return
		}
	case shaking, leaving:
	default:
		return
	}
	for {
		n := c.read(i, c.buf)
		if n <= 0 || n < len(c.buf) && e.Events&(netpoll.PeerClosed|netpoll.Hangup) == 0 {
			return // a short read: what comes later is an edge of its own
		}
	}
}

// read reads from client i once. It returns how many bytes came: none where
// there are none or the connection has ended.
func (c *crowd) read(i int32, buf []byte) int {
	m := &c.clients[i]
	n, err := rawio.Read(int(m.fd), buf)
	switch {
	case errors.Is(err, unix.EAGAIN), errors.Is(err, unix.EINTR):
		return 0
	case err != nil:
		c.broken(i, os.NewSyscallError("read", err))
		return 0
	case n == 0:
		c.broken(i, io.EOF)
		return 0
	}
	c.now, c.at = time.Now().UnixNano(), i
	c.Counts.Bytes += uint64(n)
	if err := c.take(i, buf[:n]); err != nil {
		c.broken(i, err)
		return 0
	}
	if m.fd < 0 {
		return 0
	}
	return n
}

// take looks at what client i was sent.
func (c *crowd) take(i int32, b []byte) error {
	m := &c.clients[i]
	s := c.spare
	if m.streamed {
		s = c.streams[i]
	}
	if m.state == shaking {
		if s.head = append(s.head, b...); len(s.head) > 64<<10 {
			return errors.New("an answer whose header is longer than 64 KiB")
		}
		b = c.upgraded(i, s)
	}
	var err error
	switch {
	case m.fd < 0 || len(b) == 0:
	case s.body:
		err = s.feedEvents(b, c)
	default:
		err = s.feedFrames(b, c)
	}
	switch {
	case m.fd < 0:
		c.spare = new(stream)
	case m.streamed && s.blank():
		delete(c.streams, i)
		m.streamed = false
	case !m.streamed && !s.blank():
		c.streams[i], c.spare = s, new(stream)
		m.streamed = true
	}
	return err
}

// upgraded judges the answer to client i's handshake, if it is whole, and
// returns what follows it.
func (c *crowd) upgraded(i int32, s *stream) (rest []byte) {
	m, script := &c.clients[i], c.script(i)
	a, whole := script.parse(s.head)
	if !whole {
		return nil
	}
	c.show(i, "<", s.head[:len(s.head)-len(a.rest)])
	s.head = nil
	if a.refusal != "" {
		seconds, _ := strconv.ParseFloat(a.header.Get("Retry-After"), 64)
		c.refuse(i, cause{Kind: kindOfStatus(a.status), What: a.refusal, N: 1, Example: string(a.rest)}, time.Duration(seconds*1e9))
		return nil
	}
	if first := script.first(c.First+int(i), c.subscriptions(i)); len(first) > 0 {
		c.show(i, ">", first)
		if err := c.write(i, first); err != nil {
			c.broken(i, err)
			return nil
		}
	}
	s.body, s.cut = script.target.Events, a.chunked()
	c.pending.drop(i)
	c.noteReturn(true)
	now := time.Now().UnixNano()
	c.Connect.add(now - m.at)
	if c.returning {
		c.Return.add(now - c.returnAt)
		c.Counts.Returned++
	}
	m.state, m.began, m.tries = open, now, 0
	c.inRow = 0
	c.Counts.Opened++
	c.Counts.Open[m.class]++
	if c.Life > 0 {
		c.lives.push(i, now)
	}
	if m.class == crawling {
		c.crawl = append(c.crawl, i)
	}
	return a.rest
}

// noteReturn counts an attempt that was served, or refused, in the second after the
// order to return.
func (c *crowd) noteReturn(ok bool) {
	if !c.returning {
		return
	}
	at := int((time.Now().UnixNano() - c.returnAt) / int64(time.Second))
	s := c.served[at]
	if s == nil {
		s = &served{Second: at}
		c.served[at] = s
	}
	if s.Attempts++; ok {
		s.Returned++
	} else {
		s.Refused++
	}
}

// show prints what passes on the wire of the client that is watched.
func (c *crowd) show(i int32, direction string, b []byte) {
	if c.Dump && i == 0 {
		for _, line := range strings.Split(strings.TrimRight(string(b), "\r\n"), "\r\n") {
			fmt.Fprintf(os.Stderr, "%8.3f %s %q\n", time.Since(c.begun).Seconds(), direction, line)
		}
	}
}
