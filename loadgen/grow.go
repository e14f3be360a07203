package loadgen

import (
	"container/heap"
	"slices"
	"time"
)

// wants reports whether there are to be more connections.
func (c *crowd) wants() bool {
	return !c.GaveUp && c.Counts.open()+c.pending.n+c.Counts.Waiting+c.Counts.Denied < min(c.goal.To, c.N)
}

// room reports whether another handshake may begin.
func (c *crowd) room() bool { return c.wants() && (c.Pending == 0 || c.pending.n < c.Pending) }

// due is how many connections are to have begun by now.
func (c *crowd) due(now time.Time) int {
	return int(now.Sub(c.since).Seconds()*c.goal.Rate) + 1
}

// grow begins what connections are due, and at most a batch of them, so that
// those that are there are read from in between.
func (c *crowd) grow(now time.Time) {
	if !c.wants() {
		c.Late = 0
		return
	}
	batch := 64
	if c.Pending == 0 {
		batch = 1024
	}
	due := c.grown + batch
	if c.goal.Rate > 0 {
		due = c.due(now)
	}
	c.Late = 0
	if c.goal.Rate > 0 && c.room() { // else the server is late
		c.Late = float64(due-1-c.grown) / c.goal.Rate
	}
	for ; batch > 0 && c.room() && c.grown < due; batch-- {
		i, ok := c.vacant()
		if !ok {
			return
		}
		at := now
		if c.goal.Rate > 0 {
			at = c.since.Add(time.Duration(float64(c.grown) / c.goal.Rate * 1e9))
		}
		c.grown++
		if !c.open(i, at.UnixNano()) {
			return
		}
	}
}

// vacant finds a place without a connection.
func (c *crowd) vacant() (int32, bool) {
	for range c.clients {
		i := c.next
		if c.next++; c.next == len(c.clients) {
			c.next = 0
		}
		if c.clients[i].state == absentee {
			return int32(i), true
		}
	}
	return 0, false
}

// expire does what time brings: handshakes that take too long, connections that
// have lived, clients that return, those that crawl.
func (c *crowd) expire(now time.Time) {
	ns := now.UnixNano()
	for {
		i, at, ok := c.pending.oldest()
		if !ok || ns-at < int64(c.Timeout) {
			break
		}
		k := answerSlow
		if c.clients[i].state == connecting {
			k = connectSlow
		}
		c.refuse(i, cause{Kind: k, N: 1, Example: "after " + c.Timeout.String()}, 0)
	}
	for c.Life > 0 {
		i, at, ok := c.lives.oldest()
		if !ok || ns-at < int64(c.Life) {
			break
		}
		c.leave(i)
	}
	for {
		i, at, ok := c.parting.oldest()
		if !ok || ns-at < int64(partingTime) {
			break
		}
		c.left(i)
	}
	for range 256 { // in between the others are read from
		if !c.dueBack(ns) {
			break
		}
		if r := heap.Pop(&c.retries).(retry); c.clients[r.i].state == waiting {
			c.open(r.i, r.at)
		}
	}
	if len(c.crawl) > 0 && now.Sub(c.crawled) >= 100*time.Millisecond {
		c.crawled = now
		c.crawl = slices.DeleteFunc(c.crawl, func(i int32) bool { return c.clients[i].state != open })
		for _, i := range c.crawl {
			c.read(i, c.buf[:min(max(1, c.CrawlBytes/10), len(c.buf))])
		}
	}
}

// dueBack reports whether somebody is to return at ns or before.
func (c *crowd) dueBack(ns int64) bool { return len(c.retries) > 0 && c.retries[0].at <= ns }

// partingTime is how long a server may take to close what we have closed.
const partingTime = 5 * time.Second
