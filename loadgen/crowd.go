package loadgen

import (
	"container/heap"
	"math/rand/v2"
	"runtime/debug"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pushd/pushd/loadgen/observe"
	"github.com/pushd/pushd/netpoll"
)

// crowd is many clients in one goroutine with one poller.
type crowd struct {
	plan
	poller  *netpoll.Poller
	scripts []*script // by target
	orders  chan order
	emit    func(tick) error

	clients []member
	subs    []sub
	drawn   []uint32 // topics of clients, where they are drawn
	streams map[int32]*stream
	chooser *chooser
	topics  []int // scratch

	goal    growth
	grown   int       // connections begun since the goal was set
	since   time.Time // when it was set
	next    int       // the client that is looked at next for one to open
	pending queue     // handshakes under way, oldest first
	lives   queue     // open connections, oldest first, where they end by Life
	parting queue     // connections that we are closing
	retries retries
	settled bool // nothing more is published
	tidy    bool // memory was given back since the goal was set
	inRow   int  // refusals since the last handshake that was done
	spare   *stream
	crawl   []int32 // crawling clients that are open
	crawled time.Time

	returning bool
	returnAt  int64

	tick
	spans  spans
	served map[int]*served
	now    int64 // when the bytes that are looked at were read
	at     int32 // and by whom
	buf    []byte
	begun  time.Time
	ticked time.Time
}

// member is a client: one connection, or the place of one.
type member struct {
	fd       int32
	state    state
	class    class
	tries    uint8 // attempts that were refused since it was lost
	streamed bool  // it has an entry in streams
	at       int64 // when its handshake was to begin, ns since 1970
	began    int64 // when its state began
}

// sub is a client's subscription: what has come of its topic.
type sub struct {
	last uint32 // the highest number
	seen uint32 // bit i: last-i has come
}

// fresh is a subscription that begins with whatever comes first.
const fresh = ^uint32(0)

type state uint8

const (
	absentee   state = iota // there is no connection
	denied                  // nor will there be: it was refused
	connecting              // TCP's handshake
	shaking                 // HTTP's
	open
	leaving // our close frame is sent
	waiting // lost, and to return
	gone    // lost
)

// readSize is how much one read(2) may bring.
const readSize = 256 << 10

// newCrowd makes the clients, and notes what the process takes without them.
func newCrowd(p plan, orders chan order, poller *netpoll.Poller, emit func(tick) error) *crowd {
	c := &crowd{
		plan: p, poller: poller, orders: orders, emit: emit,
		streams: make(map[int32]*stream),
		chooser: p.Audience.chooser(),
		spare:   new(stream),
		served:  make(map[int]*served),
		buf:     make([]byte, readSize),
		begun:   time.Now(),
		ticked:  time.Now(),
	}
	c.tick = tick{Causes: causes{}, Delivery: newDistribution(), Connect: newDistribution(), Return: newDistribution(), CPU: observe.Self().CPU}
	clear(c.buf) // it and the distributions are in memory from here on
	c.Delivery.Reset()
	c.Connect.Reset()
	c.Return.Reset()
	debug.FreeOSMemory()
	c.Idle = resident()
	c.clients, c.subs = make([]member, p.N), make([]sub, p.N*p.Audience.Each)
	c.spans.sample = max(1, p.Sample)
	for _, t := range p.Targets {
		c.scripts = append(c.scripts, newScript(t, p.Headers, p.Frames, p.Audience.Name))
	}
	if p.Audience.drawn() {
		c.drawn = make([]uint32, p.N*p.Audience.Each)
		for i := range p.N {
			c.topics = c.chooser.topics(p.First+i, c.topics[:0])
			for s, t := range c.topics {
				c.drawn[i*p.Audience.Each+s] = uint32(t)
			}
		}
	}
	for i := range c.clients {
		c.clients[i] = member{fd: -1, class: p.classOf(p.First + i)}
	}
	return c
}

// classOf spreads the classes evenly over the clients' numbers.
func (p *plan) classOf(i int) class {
	if p.Stop+p.Crawl+p.Vanish == 0 {
		return healthy
	}
	at := rand.New(rand.NewPCG(uint64(i), 1)).Float64()
	for _, of := range []struct {
		class
		share float64
	}{{stopped, p.Stop}, {crawling, p.Crawl}, {vanished, p.Vanish}} {
		if at -= of.share; at < 0 {
			return of.class
		}
	}
	return healthy
}

// run works until orders is closed.
func (c *crowd) run() error {
	defer c.closeAll()
	events := make([]netpoll.Event, 512)
	for {
		for more := true; more; {
			select {
			case o, open := <-c.orders:
				if !open {
					return c.report(time.Now())
				}
				c.obey(o)
			default:
				more = false
			}
		}
		now := time.Now()
		c.grow(now)
		c.expire(now)
		if now.Sub(c.ticked) >= c.Tick {
			if err := c.report(now); err != nil {
				return err
			}
		}
		n, err := c.poller.Wait(events, c.patience(now))
		if err != nil {
			return err
		}
		for _, e := range events[:n] {
			c.ready(e)
		}
	}
}

// patience is how long the poller may wait.
func (c *crowd) patience(now time.Time) time.Duration {
	wait := c.ticked.Add(c.Tick).Sub(now)
	if c.room() && (c.goal.Rate == 0 || c.due(now) > c.grown) || c.dueBack(now.UnixNano()) {
		return 0
	}
	if c.goal.Rate > 0 && c.wants() || len(c.retries) > 0 || len(c.crawl) > 0 {
		wait = min(wait, 5*time.Millisecond)
	}
	return max(wait, 0)
}

// obey carries out an order.
func (c *crowd) obey(o order) {
	c.Orders++
	switch {
	case o.Grow != nil:
		c.goal, c.grown, c.since = *o.Grow, 0, time.Now()
		c.Counts.Denied, c.inRow, c.GaveUp, c.tidy = 0, 0, false, false
		for i := range c.clients {
			if c.clients[i].state == denied {
				c.clients[i].state = absentee
			}
		}
	case o.Return && !c.returning:
		c.returning, c.returnAt = true, time.Now().UnixNano()
		for i := range c.clients {
			if c.clients[i].state == waiting {
				heap.Push(&c.retries, retry{int32(i), c.returnAt})
			}
		}
	case o.Reset:
		clear(c.subs)
	case o.Settle:
		c.settle(o.Heads)
		c.settled, c.tidy = true, false
	case o.Vanish:
		for i := range c.clients {
			if m := &c.clients[i]; m.class == vanished && m.state == open {
				if err := vanish(int(m.fd)); err != nil {
					c.fail(cause{Kind: otherCause, N: 1, Example: err.Error()})
				}
			}
		}
	case o.Leave:
		for i := range c.clients {
			if c.clients[i].state == open {
				c.leave(int32(i))
			}
		}
	}
}

// closeAll ends without a word what is left.
func (c *crowd) closeAll() {
	for i := range c.clients {
		if fd := c.clients[i].fd; fd >= 0 {
			unix.Close(int(fd))
		}
	}
}

// report tells what has happened since the last time.
func (c *crowd) report(now time.Time) error {
	if c.grown > 0 && !c.tidy && !c.wants() && c.pending.n == 0 { // garbage is not the clients'
		c.tidy = true
		debug.FreeOSMemory()
	}
	spent := observe.Self().CPU
	c.Busy = (spent - c.CPU) / max(now.Sub(c.ticked).Seconds(), 1e-9)
	c.CPU, c.RSS, c.ticked = spent, resident(), now
	before := now.Add(-time.Second) // who gets them later than that is not waited for
	if c.settled {
		before = now
	}
	c.Spans = c.spans.take(before.UnixNano())
	c.Served = c.Served[:0]
	for _, s := range c.served {
		c.Served = append(c.Served, *s)
	}
	clear(c.served)
	c.Counts.Pending = c.pending.n
	err := c.emit(c.tick)
	c.Delivery.Reset()
	c.Connect.Reset()
	c.Return.Reset()
	return err
}

// resident is the memory of this process that is in RAM and no file's, or 0 where that cannot
// be known.
func resident() uint64 {
	if own := observe.Self().Own; own != nil {
		return *own
	}
	return 0
}
