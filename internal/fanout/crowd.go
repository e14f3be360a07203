package main

import (
	"errors"
	"fmt"
	"io"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pushd/pushd/netpoll"
)

// opening asks a crowd for more subscribers. They are numbered from 0 on, in the order of their opening.
type opening struct {
	Address  string // of the door, host:port
	Audience audience
	Users    bool // each is a user's
	N        int
	Stuck    int // so many, the first of the N, never read what follows the handshake
}

// opened is the answer to an opening, once all are there.
type opened struct{ Seconds float64 }

// counting asks a crowd what has come since the last time it was asked.
type counting struct {
	Want    uint64        // how many deliveries are expected: the answer waits for them…
	Silence time.Duration // …until nothing has come for so long
}

// counted is the answer to a counting.
type counted struct {
	Got           uint64 // deliveries, those of the stuck not counted
	Extra         uint64 // messages that came again, or late
	Bytes         uint64
	Ended         int            // subscribers whose connection has ended, since the beginning
	StuckEnded    int            // the stuck among those
	Codes         map[uint16]int // close codes seen, since the beginning
	Last          time.Time      // when the last delivery was read
	P50, P99, Max time.Duration
}

// crowd is many subscribers in one goroutine.
type crowd struct {
	poller *netpoll.Poller
	asks   chan request // holds what loop shall do next
	answer func(any) error

	members []member
	last    []uint32 // by subscriber and subscription: the number of the last message
	opening struct {
		opening
		start time.Time
		from  int // the first of them
		busy  int // handshakes under way
	}
	counting *counting
	heard    time.Time // when something came, or counting began

	reading int   // the member whose bytes are looked at
	now     int64 // and when they were read
	counted
	latency histogram
	buf     []byte
}

// member is one subscriber.
type member struct {
	fd     int32
	state  memberState
	stream stream
}

type memberState uint8

const (
	shaking memberState = iota
	reading
	stuck
	ended
)

// handshakesAtOnce is how many a crowd has under way: well below any listener's backlog.
const handshakesAtOnce = 200

// runCrowd is the role crowd: it answers openings and countings, until in ends.
func runCrowd(in io.Reader, out io.Writer) error {
	poller, err := netpoll.Open()
	if err != nil {
		return err
	}
	defer poller.Close()
	c := &crowd{
		poller: poller,
		asks:   make(chan request, 1),
		answer: answers(out),
		buf:    make([]byte, carryMax+256<<10),
	}
	defer c.close()
	broken := make(chan error, 1)
	go func() {
		defer close(c.asks)
		broken <- requests(in, func(r request) error { c.asks <- r; return poller.Wake() })
	}()
	return errors.Join(c.loop(), <-broken)
}

// loop does what is asked and reads what comes, until asks is closed.
func (c *crowd) loop() error {
	events := make([]netpoll.Event, 512)
	for {
		select {
		case r, more := <-c.asks:
			if !more {
				return nil
			}
			if err := c.begin(r); err != nil {
				return err
			}
		default:
		}
		if err := c.proceed(); err != nil {
			return err
		}
		n, err := c.poller.Wait(events, 20*time.Millisecond)
		if err != nil {
			return err
		}
		for _, e := range events[:n] {
			if err := c.ready(e); err != nil {
				return fmt.Errorf("subscriber %d: %w", e.Handle, err)
			}
		}
	}
}

// begin takes a request; another comes only after its answer.
func (c *crowd) begin(r request) error {
	switch {
	case r.Open != nil:
		c.opening.opening, c.opening.start, c.opening.from = *r.Open, time.Now(), len(c.members)
		c.last = append(c.last, make([]uint32, r.Open.N*r.Open.Audience.Each)...)
	case r.Count != nil:
		c.counting, c.heard = r.Count, time.Now()
	default:
		return fmt.Errorf("a crowd was asked for %+v: expected an opening or a counting", r)
	}
	return nil
}

// proceed goes on with what was asked, and answers when it is done.
func (c *crowd) proceed() error {
	if o := &c.opening; o.N > 0 {
		for o.busy < handshakesAtOnce && len(c.members) < o.from+o.N {
			if err := c.connect(); err != nil {
				return err
			}
		}
		if o.busy == 0 {
			o.N = 0
			return c.answer(opened{time.Since(o.start).Seconds()})
		}
	}
	if c.counting == nil || c.Got < c.counting.Want && time.Since(c.heard) < c.counting.Silence {
		return nil
	}
	c.counting = nil
	c.P50, c.P99, c.Max = c.latency.quantile(0.5), c.latency.quantile(0.99), c.latency.max
	report := c.counted
	c.Got, c.Extra, c.Bytes, c.latency = 0, 0, 0, histogram{}
	return c.answer(report)
}

// ready reads from one subscriber.
func (c *crowd) ready(e netpoll.Event) error {
	m := &c.members[e.Handle]
	switch {
	case m.state == ended:
		return nil
	case m.state == stuck && e.Events&netpoll.Hangup == 0:
		return nil
	}
	for {
		n, err := unix.Read(int(m.fd), c.buf[carryMax:])
		switch {
		case errors.Is(err, unix.EAGAIN):
			return nil
		case errors.Is(err, unix.EINTR):
			continue
		case m.state == shaking && (err != nil || n == 0):
			return fmt.Errorf("no answer to the handshake: %d bytes, %v", n, err)
		case err != nil || n == 0:
			return c.end(m)
		}
		if err := c.take(int(e.Handle), c.buf[:carryMax+n]); err != nil {
			return err
		}
		if n < len(c.buf)-carryMax && e.Events&(netpoll.PeerClosed|netpoll.Hangup) == 0 {
			return nil // a short read: what comes later is an edge of its own
		}
	}
}

// take looks at what member i was sent, which stands in buf from carryMax on.
func (c *crowd) take(i int, buf []byte) error {
	m := &c.members[i]
	switch m.state {
	case shaking:
		rest, err := c.upgraded(i, buf[carryMax:])
		if err != nil || m.state == stuck || len(rest) == 0 {
			return err
		}
		buf = buf[:carryMax+copy(buf[carryMax:], rest)]
	case stuck:
		return nil
	}
	c.reading, c.heard = i, time.Now()
	c.now = c.heard.UnixNano()
	c.Bytes += uint64(len(buf) - carryMax)
	return m.stream.feed(buf, c)
}

// Message implements sightings.
func (c *crowd) Message(head []byte) error {
	number, topic, at, err := parseHead(head)
	if err != nil {
		return err
	}
	slot, ok := c.opening.Audience.slot(c.reading, int(topic))
	if !ok {
		return fmt.Errorf("got a message of %s, to which it has not subscribed", topicName(int(topic)))
	}
	last := &c.last[c.reading*c.opening.Audience.Each+slot]
	if number <= *last {
		c.Extra++
		return nil
	}
	*last = number
	c.Got++
	c.Last = c.heard
	c.latency.add(time.Duration(c.now - at))
	return nil
}

// Closed implements sightings.
func (c *crowd) Closed(code uint16) {
	if c.Codes == nil {
		c.Codes = make(map[uint16]int)
	}
	c.Codes[code]++
}

func (c *crowd) end(m *member) error {
	if m.state == stuck {
		c.StuckEnded++
	}
	c.Ended++
	m.state = ended
	return unix.Close(int(m.fd)) // which takes it out of the poller too
}

func (c *crowd) close() {
	for i := range c.members {
		if m := &c.members[i]; m.state != ended {
			unix.Close(int(m.fd))
		}
	}
}
