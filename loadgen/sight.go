package loadgen

import (
	"bytes"
	"fmt"
	"os"
	"time"

	"github.com/gobwas/ws"
)

var _ sightings = (*crowd)(nil)

// message implements sightings: the client at has been sent m.
func (c *crowd) message(m marker) {
	if m.tag != c.Tag {
		c.Counts.Foreign++
		c.Counts.ForeignHost = c.Counts.ForeignHost || m.tag/1000 != c.Tag/1000
		return
	}
	if c.clients[c.at].class != healthy {
		return
	}
	each := c.Audience.Each
	var drawn []uint32
	if c.drawn != nil {
		drawn = c.drawn[int(c.at)*each:][:each]
	}
	slot, ok := c.Audience.slot(c.First+int(c.at), int(m.topic), drawn)
	if !ok {
		c.Counts.Foreign++
		return
	}
	s := &c.subs[int(c.at)*each+slot]
	lacking, v := s.see(m.seq)
	switch v {
	case repeated:
		c.Counts.Repeated++
		return
	case late:
		c.Counts.Disordered++
		c.Counts.Lacking--
	case next:
		c.Counts.Lacking += uint64(lacking)
	}
	c.Counts.Delivered++
	c.Delivery.add(c.now - m.at)
	c.spans.add(m.topic, m.seq, c.now)
}

type verdict uint8

const (
	next verdict = iota
	late         // after a newer one
	repeated
)

// see notes message seq and says how it stands to those before; lacking is how
// many between them have not come. What is more than 31 messages late counts as
// repeated.
func (s *sub) see(seq uint32) (lacking uint32, v verdict) {
	switch {
	case s.last == fresh:
		s.last, s.seen = seq, ^uint32(0) // what was before is not ours
		return 0, next
	case seq > s.last:
		shift := seq - s.last
		s.last, s.seen = seq, s.seen<<shift|1
		return shift - 1, next
	case s.last-seq < 32 && s.seen>>(s.last-seq)&1 == 0:
		s.seen |= 1 << (s.last - seq)
		return 0, late
	}
	return 0, repeated
}

// settle counts what has not come behind the last message that has.
func (c *crowd) settle(heads []uint32) {
	var topics []int
	for i := range c.clients {
		m := &c.clients[i]
		if m.class != healthy || m.state != open && m.state != gone {
			continue
		}
		topics = append(topics[:0], c.subscriptions(int32(i))...)
		for s, t := range topics {
			sub := &c.subs[i*c.Audience.Each+s]
			if t < len(heads) && sub.last != fresh && sub.last < heads[t] {
				c.Counts.Lacking += uint64(heads[t] - sub.last)
				sub.seen <<= heads[t] - sub.last // what comes after all counts as late
				sub.last = heads[t]
			}
		}
	}
}

// other implements sightings: keep-alives are answered, gaps are counted.
func (c *crowd) other(payload []byte) {
	c.Counts.Other++
	if c.Gap != "" && bytes.Contains(payload, []byte(c.Gap)) {
		c.Counts.Gaps++
	}
	for _, a := range c.Answers {
		if string(payload) == a.Message {
			c.Counts.Pings++
			c.reply(ws.OpText, []byte(a.Answer))
		}
	}
}

// control implements sightings.
func (c *crowd) control(op ws.OpCode, payload []byte) {
	switch op {
	case ws.OpPing:
		c.Counts.Pings++
		c.reply(ws.OpPong, payload) // RFC 6455 section 5.5.3
	case ws.OpClose:
		if c.clients[c.at].state == open {
			c.closed(c.at, payload)
		}
	}
}

// reply sends a frame. What a full socket does not take is not sent: the server
// will ask again, or give up on us.
func (c *crowd) reply(op ws.OpCode, payload []byte) {
	if m := &c.clients[c.at]; m.state == open {
		frame := maskedFrame(op, payload)
		c.show(c.at, ">", frame)
		c.write(c.at, frame)
	}
}

// frame implements sightings.
func (c *crowd) frame(op ws.OpCode, n int64, has []byte) {
	if c.Dump && c.at == 0 {
		fmt.Fprintf(os.Stderr, "%8.3f < %s, %d bytes: %q\n", time.Since(c.begun).Seconds(), opName(op), n, has[:min(len(has), 1024)])
	}
}

func opName(op ws.OpCode) string {
	switch op {
	case ws.OpContinuation:
		return "continuation"
	case ws.OpText:
		return "text"
	case ws.OpBinary:
		return "binary"
	case ws.OpClose:
		return "close"
	case ws.OpPing:
		return "ping"
	}
	return "pong"
}
