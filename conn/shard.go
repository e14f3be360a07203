package conn

import (
	"bytes"
	"runtime"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gobwas/ws"

	"github.com/pushd/pushd/netpoll"
)

// Owner is told by a shard's goroutine, and by no other, what happens to its
// connections. Its methods must not wait.
type Owner interface {
	// Ask is called when a worker's post has something in Ask, before the post's
	// bytes are written; answers are appended to its Out. It reports whether
	// what was asked for is done; if not, the connection is not read until
	// Shard.Answered.
	Ask(c *Conn, p *Post) (done bool)
	// Writable is called when c takes output again and its own has left.
	Writable(c *Conn)
	// Gone is called once for every connection, when its close begins. opened
	// says whether it had become a WebSocket. Nothing may be written any more.
	Gone(c *Conn, opened bool, code ws.StatusCode)
	// HandOff gives away a connection whose request is not for us: the
	// descriptor is the owner's to close, and so is what was read of it. It is
	// called after Gone; if it sets c.From to 0, that is the owner's too.
	HandOff(c *Conn, fd int, read []byte)
	// Work goes on with whatever else the shard has to do until the given time.
	// It reports whether some is left.
	Work(until time.Time) (more bool)
}

// slice is how long the shard's goroutine does one kind of thing before it looks
// at the others.
const slice = time.Millisecond

// Shard is some of an engine's connections and the goroutine that owns them.
// Its methods are for that goroutine, the Owner's calls that is, except where
// they say otherwise.
type Shard struct {
	engine *Engine
	index  uint32
	owner  Owner
	poller *netpoll.Poller
	table  table
	live   atomic.Int64 // connections
	stats  ShardStats

	ready  readyList
	meters meters
	owed   atomic.Bool // a worker could not be had
	work   func()      // workLoop; kept, so that starting one allocates nothing

	entries atomic.Uint32 // stack of linked slots: slot plus one
	todo    uint32        // those taken from it, in order
	wake    chan struct{}

	tick     atomic.Uint32 // the time; set by the shard's goroutine
	swept    uint32        // where the sweep under way goes on
	sweeping bool
	closings []closing
	frame    bytes.Buffer // of control
	header   [ws.MaxHeaderSize]byte

	callsMu sync.Mutex
	calls   []func()
}

// ShardStats is what a shard has done so far. Another goroutine may read it.
type ShardStats struct {
	BytesRead    atomic.Uint64
	BytesWritten atomic.Uint64
	Pings        atomic.Uint64
}

// Index returns the shard's number, from 0.
func (s *Shard) Index() int { return int(s.index) }

// Stats returns the shard's counters. Any goroutine may call it.
func (s *Shard) Stats() *ShardStats { return &s.stats }

// Live returns how many connections the shard has. Any goroutine may call it.
func (s *Shard) Live() int { return int(s.live.Load()) }

// Wake makes the shard's goroutine look for work. Any goroutine may call it; it
// never waits.
func (s *Shard) Wake() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// Do calls f on the shard's goroutine, soon. Any goroutine may call Do; it does
// not wait for f. After the engine has ended f is not called.
func (s *Shard) Do(f func()) {
	s.callsMu.Lock()
	s.calls = append(s.calls, f)
	s.callsMu.Unlock()
	s.Wake()
}

// Handle returns the name of c, to keep. The goroutine that c was passed to may
// call it.
func (s *Shard) Handle(c *Conn) Handle {
	return newHandle(s.index, c.slot, word(c.word.Load()).generation())
}

// Conn returns the connection that h names, or nil if it is closing or gone.
func (s *Shard) Conn(h Handle) *Conn { return s.table.resolve(h) }

// At returns the connection in a slot that the owner knows to be taken.
func (s *Shard) At(slot uint32) *Conn { return s.table.at(slot) }

// Answered says that what Ask began is done: the connection is read again.
func (s *Shard) Answered(c *Conn) {
	if c.flags&pending != 0 {
		c.flags &^= pending
		s.mine(c, 0, posted)
	}
}

// link puts c, whose linked bit the caller has just set, on the entry list.
func (s *Shard) link(c *Conn) {
	for {
		head := s.entries.Load()
		c.entryNext = head
		if s.entries.CompareAndSwap(head, c.slot+1) {
			break
		}
	}
	s.Wake()
}

// reportPanic logs a panic on the shard's goroutine, which then ends the process. It is not survived, as a worker's is: what the
// callback was changing belongs to all of the shard's connections, and locks of the owner's may be held. Half of it could have
// one connection hear what was meant for another.
func (s *Shard) reportPanic() {
	if v := recover(); v != nil {
		s.engine.log.Error("panic on a shard's goroutine: the process ends", "shard", s.index, "panic", v, "stack", string(debug.Stack()))
		panic(v)
	}
}

// run is the shard's goroutine. It ends when stop is closed.
func (s *Shard) run(stop <-chan struct{}) {
	ticker := time.NewTicker(tickLength)
	defer ticker.Stop()
	defer s.reportPanic()
	for {
		now := time.Now()
		s.tick.Store(s.engine.tickAt(now))
		s.doCalls()
		more := s.takeEntries(now.Add(slice))
		more = s.owner.Work(time.Now().Add(slice)) || more
		more = s.doClosings(time.Now().Add(slice)) || more
		more = s.sweep(time.Now().Add(slice)) || more
		owed := s.retryWorker()
		if more {
			runtime.Gosched()
			select {
			case <-ticker.C:
				s.sweeping = true
			case <-stop:
				return
			default:
			}
			continue
		}
		if owed { // all workers are taken: try again in a moment
			time.AfterFunc(slice, s.Wake)
		}
		select {
		case <-s.wake:
		case <-ticker.C:
			s.sweeping = true
		case <-stop:
			return
		}
	}
}

func (s *Shard) doCalls() {
	s.callsMu.Lock()
	calls := s.calls
	s.calls = nil
	s.callsMu.Unlock()
	for _, f := range calls {
		f()
	}
}

// doClosings begins the closes that were asked for by EndSoon. It reports
// whether some are left.
func (s *Shard) doClosings(until time.Time) (more bool) {
	i := 0
	for ; i < len(s.closings); i++ { // closing one may add another
		if i%16 == 15 && !time.Now().Before(until) {
			break
		}
		x := s.closings[i]
		if c := s.table.resolve(x.h); c != nil {
			s.End(c, x.code, x.reason)
		} else if c := s.table.at(x.h.slot()); x.code == ws.StatusAbnormalClosure && s.Handle(c) == x.h && word(c.word.Load()).has(ended) {
			s.release(c) // it died while it was closing
		}
	}
	s.closings = slices.Delete(s.closings, 0, i)
	return len(s.closings) > 0
}

// takeEntries looks at the slots that were linked, oldest first. It reports
// whether some are left.
func (s *Shard) takeEntries(until time.Time) (more bool) {
	if s.todo == 0 {
		for e := s.entries.Swap(0); e != 0; { // newest first: turn it round
			c := s.table.at(e - 1)
			e, c.entryNext, s.todo = c.entryNext, s.todo, e
		}
	}
	for n := 1; s.todo != 0; n++ {
		c := s.table.at(s.todo - 1)
		s.todo = c.entryNext
		s.look(c)
		if n%4 == 0 && !time.Now().Before(until) {
			break
		}
	}
	return s.todo != 0 || s.entries.Load() != 0
}

// look unlinks c and does what its word asks for.
func (s *Shard) look(c *Conn) {
	var w word
	for {
		w = word(c.word.Load())
		now := w &^ linked
		if w.resumable() {
			now &^= writable | blocked // S4: before the write
		}
		if c.word.CompareAndSwap(uint64(w), uint64(now)) {
			break
		}
	}
	post := w.has(posted) && c.flags&pending == 0 // asked before resume, in which the owner may answer or end c
	if w.resumable() {
		s.resume(c)
	}
	if post { // so it cannot have been freed above
		s.takePost(c)
	}
	s.free(c)
}

// takePost does what a worker has left.
func (s *Shard) takePost(c *Conn) {
	p := c.post
	c.post = nil
	if p.peer {
		c.flags |= peerClosed
	}
	if p.failed {
		c.flags |= failed
	}
	done := true
	w := word(c.word.Load())
	switch {
	case w.has(ended):
		if p.gone {
			s.release(c)
		} else {
			s.settle(c)
		}
	case p.handOff != nil:
		s.handOff(c, p.handOff)
	default:
		done = s.obey(c, p)
	}
	s.engine.putPost(p)
	if done {
		s.mine(c, 0, posted)
	}
}

// obey does what a post says on a connection that has not begun to close.
func (s *Shard) obey(c *Conn, p *Post) (done bool) {
	if p.open {
		s.engine.opened.Add(1)
		set := open
		if p.deflate {
			set |= deflated
		}
		s.mine(c, set, 0)
		c.opened = s.tick.Load()
		c.lastRead.Store(c.opened)
		s.setDue(c, s.firstDue(c))
	}
	done = p.Ask == nil || s.owner.Ask(c, p)
	if len(p.Out) > 0 {
		s.Send(c, p.Out)
	}
	switch {
	case p.gone:
		s.End(c, ws.StatusAbnormalClosure, "")
	case p.answered:
		s.end(c, ws.StatusAbnormalClosure)
		s.settle(c)
	case p.end != 0:
		s.End(c, p.end, p.reason)
	}
	if done || word(c.word.Load()).any(ended) { // nobody need answer what has ended
		return true
	}
	c.flags |= pending
	return false
}

// handOff gives c's descriptor to the owner and frees the slot.
func (s *Shard) handOff(c *Conn, read []byte) {
	fd := int(c.fd)
	s.poller.Delete(fd)
	c.fd = -1
	s.end(c, ws.StatusAbnormalClosure)
	s.owner.HandOff(c, fd, read)
	s.release(c)
}

// Info is what a shard knows of a connection.
type Info struct {
	Handle Handle
	Opened time.Duration // ago
	FD     int           // valid during the call
	Queued int           // bytes of own output that have not left
}

// Each calls f with the open connections in at most limit slots, beginning at
// from. It returns the slot to go on with, and whether there are more.
func (s *Shard) Each(from uint32, limit int, f func(*Conn, Info)) (next uint32, more bool) {
	used := s.table.used.Load()
	for next = from; next < used && next-from < uint32(limit); next++ {
		c := s.table.at(next)
		if w := word(c.word.Load()); !w.has(live|open) || w.any(ended|done) {
			continue
		}
		i := Info{Handle: s.Handle(c), Opened: time.Duration(s.tick.Load()-c.opened) * tickLength, FD: int(c.fd)}
		if c.out != nil {
			i.Queued = len(c.out.buf) - c.out.at
		}
		f(c, i)
	}
	return next, next < used
}
