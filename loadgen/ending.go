package loadgen

import (
	"container/heap"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"github.com/gobwas/ws"
	"golang.org/x/sys/unix"
)

// broken ends a connection on which nothing more can come.
func (c *crowd) broken(i int32, err error) {
	m := &c.clients[i]
	cs := cause{Kind: kindOf(err, m.state == open), N: 1, Example: err.Error()}
	if errors.Is(err, io.EOF) {
		cs.Example = "" // there is nothing to say of it
		if cs.Kind = dropped; m.state != open {
			cs.Kind = shutOut
		}
	}
	switch m.state {
	case connecting, shaking:
		c.refuse(i, cs, 0)
	case open:
		c.lose(i, cs, 0)
	case leaving:
		c.left(i)
	}
}

// refuse ends a handshake that has failed. A client that returns tries again
// after wait or, where that is 0, at a time of its own choice.
func (c *crowd) refuse(i int32, cs cause, wait time.Duration) {
	m := &c.clients[i]
	c.pending.drop(i)
	c.drop(i)
	c.Counts.Refused++
	c.noteReturn(false)
	c.fail(cs)
	switch m.state = absentee; {
	case c.returning:
		c.again(i, wait)
	case c.Life == 0:
		m.state = denied
		c.Counts.Denied++
		if c.inRow++; c.goal.GiveUp > 0 && c.inRow >= c.goal.GiveUp {
			c.GaveUp = true
		}
	}
}

// again has client i come back.
func (c *crowd) again(i int32, wait time.Duration) {
	m := &c.clients[i]
	if wait == 0 { // twice as long each time, from a second on, and each client at a time of its own
		wait = time.Second << min(m.tries, 5)
		wait = wait/2 + rand.N(wait)
	}
	m.tries++
	c.Counts.MostRetries = max(c.Counts.MostRetries, int(m.tries))
	m.state = waiting
	c.Counts.Waiting++
	heap.Push(&c.retries, retry{i, time.Now().Add(wait).UnixNano()})
}

// lose ends an open connection that we did not end.
func (c *crowd) lose(i int32, cs cause, wait time.Duration) {
	m := &c.clients[i]
	c.drop(i)
	c.Counts.Open[m.class]--
	c.Counts.Lost++
	c.Counts.LostBy[m.class]++
	cs.Class = m.class
	c.fail(cs)
	m.state = gone
	switch {
	case c.returning:
		c.again(i, wait)
	case c.Await:
		m.state = waiting
		c.Counts.Waiting++
	case c.Life > 0:
		m.state = absentee // another takes its place
	}
	if m.state != gone {
		c.forget(i)
	}
}

// forget has client i's subscriptions begin anew.
func (c *crowd) forget(i int32) {
	for s := range c.Audience.Each {
		c.subs[int(i)*c.Audience.Each+s] = sub{last: fresh}
	}
}

// leave begins to close client i's connection.
func (c *crowd) leave(i int32) {
	m := &c.clients[i]
	c.Counts.Open[m.class]--
	c.Counts.Left++
	c.lives.drop(i)
	m.state = leaving
	c.parting.push(i, time.Now().UnixNano())
	if c.script(i).target.Events || c.write(i, maskedFrame(ws.OpClose, ws.NewCloseFrameBody(ws.StatusNormalClosure, ""))) != nil {
		c.left(i)
	}
}

// left ends a connection that we have closed.
func (c *crowd) left(i int32) {
	c.drop(i)
	c.clients[i].state = absentee
	c.forget(i)
}

// drop closes client i's descriptor.
func (c *crowd) drop(i int32) {
	m := &c.clients[i]
	if m.fd >= 0 {
		unix.Close(int(m.fd)) // which takes it out of the poller too
		m.fd = -1
	}
	if m.streamed {
		delete(c.streams, i)
		m.streamed = false
	}
	c.lives.drop(i)
	c.parting.drop(i)
}

func (c *crowd) fail(cs cause) { c.Causes.add(cs) }

// closed is what a close frame says; the reason may tell when to come back.
func (c *crowd) closed(i int32, payload []byte) {
	code, reason := 1005, "" // RFC 6455 section 7.1.5
	if len(payload) >= 2 {
		code, reason = int(binary.BigEndian.Uint16(payload)), string(payload[2:])
	}
	var wait time.Duration
	if _, ms, ok := strings.Cut(reason, "retry_ms="); ok {
		n, _ := strconv.Atoi(strings.TrimRight(ms, " "))
		wait = time.Duration(n) * time.Millisecond
	}
	c.write(i, maskedFrame(ws.OpClose, payload[:min(len(payload), 2)])) // section 5.5.1; if it cannot be sent, it is lost anyway
	c.lose(i, cause{Kind: closedBy, What: fmt.Sprintf("close %d", code), N: 1, Example: reason}, wait)
}
