package conn

import (
	"fmt"
	"sync/atomic"
	"unsafe"

	"github.com/gobwas/ws"

	"github.com/pushd/pushd/netpoll"
)

// Waiting returns how many connections wait for a worker.
func (s *Shard) Waiting() int {
	s.ready.mu.Lock()
	defer s.ready.mu.Unlock()
	return s.ready.waiting
}

// Stream is an open connection without a socket: what is fed to it goes where read(2) would have put it.
type Stream struct {
	s *Shard
	w scratch
	c Conn
	p Post

	Ended  ws.StatusCode // the code of the close that has begun, 0 before
	Failed bool          // the stream made no sense
}

// NewStream takes a configuration's Handler, Buffers and MaxMessage.
func NewStream(cfg Config) *Stream {
	s := &Shard{engine: &Engine{cfg: cfg.withDefaults()}}
	s.engine.inputs.max, s.engine.inflaters.max = 1, 1
	x := &Stream{s: s}
	x.c.word.Store(uint64(live | open))
	return x
}

// Deflate allows compressed messages.
func (x *Stream) Deflate() { x.c.word.Or(uint64(deflated)) }

// Feed is what serve and takePost do with b, which must not be longer than one read takes.
func (x *Stream) Feed(b []byte) {
	n := copy(x.w.buf[:], b)
	in := x.c.in
	if in == nil {
		in = &x.w.in
	} else if in.deaf {
		return
	}
	in.take(x.s.engine.cfg.Buffers, x.w.buf[:n])
	for {
		x.s.parse(&x.w, &x.c, &x.p, word(x.c.word.Load()))
		full := x.p.full()
		if x.Ended == 0 && x.p.end != 0 {
			x.Ended = x.p.end
			x.c.word.Or(uint64(ended))
		}
		x.Failed = x.Failed || x.p.failed
		x.p.reset()
		if !full || x.c.in == nil || x.c.in.deaf {
			return
		}
	}
}

// Release gives back what the connection holds.
func (x *Stream) Release() {
	if x.c.in != nil {
		x.c.in.release(x.s.engine.cfg.Buffers)
	}
}

// Torture drives the state words of a few slots as the acceptor, the loop, the workers and the shard's goroutine do,
// without sockets, and says which invariant did not hold.
type Torture struct {
	s      *Shard
	held   []atomic.Int32 // by slot: who has it scheduled
	Freed  atomic.Int64
	Reads  atomic.Int64
	Writes atomic.Int64
	fault  atomic.Pointer[error]
}

// NewTorture is about so many slots.
func NewTorture(slots int) (*Torture, error) {
	poller, err := netpoll.Open()
	if err != nil {
		return nil, err
	}
	e := &Engine{cfg: Config{}.withDefaults()}
	t := &Torture{s: &Shard{engine: e, poller: poller, wake: make(chan struct{}, 1)}, held: make([]atomic.Int32, slots)}
	t.s.ready.workers, t.s.ready.most = 8, 8 // so that none is started: the test is the workers
	return t, nil
}

// Close ends the torture. It returns the first fault.
func (t *Torture) Close() error {
	if err := t.fault.Load(); err != nil {
		return *err
	}
	return t.s.poller.Close()
}

func (t *Torture) check(ok bool, format string, args ...any) {
	if !ok {
		err := fmt.Errorf(format, args...)
		t.fault.CompareAndSwap(nil, &err)
	}
}

// Faulty reports whether an invariant did not hold.
func (t *Torture) Faulty() bool { return t.fault.Load() != nil }

// Arm is the acceptor's: it takes a slot unless that many are taken.
func (t *Torture) Arm() bool {
	if t.s.live.Load() == int64(len(t.held)) {
		return false
	}
	c := t.s.table.alloc()
	w := word(c.word.Load())
	t.check(w&0xffffffff&^(edge|writable|hup|rdhup) == 0, "slot %d is taken as %013b", c.slot, uint32(w))
	t.s.live.Add(1)
	t.s.engine.live.Add(1)
	c.fd = -1
	t.s.change(c, w.generation(), live|open, 0)
	return true
}

// Edge is the loop's: it notes events for a slot, of this generation or of the one before.
func (t *Torture) Edge(slot uint32, stale bool, e netpoll.Events) {
	if slot >= t.s.table.used.Load() {
		return
	}
	generation := word(t.s.table.at(slot).word.Load()).generation()
	if stale {
		generation--
	}
	t.s.note(netpoll.Event{Handle: uint64(newHandle(0, slot, generation)), Events: e})
}

// Work is a worker's: it takes slots from the ready list and leaves posts on some of them.
func (t *Torture) Work(post func() (leave, again bool)) {
	var batch [4]*Conn
	n := t.s.ready.take(t.s, batch[:])
	if n == 0 { // it is not counted any more
		t.s.ready.mu.Lock()
		t.s.ready.workers++
		t.s.ready.mu.Unlock()
	}
	for _, c := range batch[:n] {
		t.check(t.held[c.slot].Add(1) == 1, "slot %d is with two workers", c.slot)
		w := word(c.word.And(^uint64(edge | hup)))
		t.check(w.has(live|scheduled), "slot %d is with a worker as %013b", c.slot, uint32(w))
		t.check(!w.has(posted), "slot %d is read while its post is pending", c.slot)
		t.check(c.post == nil, "slot %d has a post", c.slot)
		t.Reads.Add(1)
		set := word(0)
		leave, again := post()
		if again {
			set |= edge
		}
		if leave {
			c.post = new(Post)
			set |= posted | linked
		}
		t.held[c.slot].Add(-1)
		t.s.mine(c, set, scheduled)
	}
}

// Shard is the shard goroutine's: it looks at what was linked, and blocks, ends and frees.
func (t *Torture) Shard(next func() int) {
	s := t.s
	for e := s.entries.Swap(0); e != 0; {
		c := s.table.at(e - 1)
		e = c.entryNext
		w := word(c.word.Load())
		t.check(w.has(live|linked), "slot %d is on the entry list as %013b", c.slot, uint32(w))
		for !c.word.CompareAndSwap(uint64(w), uint64(w&^(linked|writable|blocked))) {
			w = word(c.word.Load())
		}
		if w.resumable() {
			t.Writes.Add(1)
			s.mine(c, 0, paused)
		}
		if w.has(posted) {
			t.check(c.post != nil, "slot %d has no post", c.slot)
			c.post = nil
			s.mine(c, 0, posted)
		}
		t.free(c)
	}
	for slot := range s.table.used.Load() {
		c := s.table.at(slot)
		w := word(c.word.Load())
		if !w.has(live) || w.has(done) {
			continue
		}
		switch next() {
		case 0:
			s.block(c)
		case 1:
			if s.block(c) {
				s.mine(c, paused, 0)
			}
		case 2:
			s.mine(c, ended, 0)
		case 3:
			if w.has(ended) {
				s.mine(c, done, 0)
				t.free(c)
			}
		}
	}
}

// free checks rule S5 around Shard.free.
func (t *Torture) free(c *Conn) {
	before := word(c.word.Load())
	t.s.free(c)
	if !before.has(done) || before.any(scheduled|linked|posted) {
		return
	}
	t.Freed.Add(1)
	t.check(t.held[c.slot].Load() == 0, "slot %d was freed under a worker", c.slot)
	t.check(word(c.word.Load()).generation() != before.generation(), "slot %d was freed without a new generation", c.slot)
}

// Drain ends what is live and reports whether all slots are free; the goroutines that hold some must go on meanwhile.
func (t *Torture) Drain() bool {
	t.Shard(func() int { return 2 })
	t.Shard(func() int { return 3 })
	return t.s.live.Load() == 0
}

// Paused reports whether a connection is not read because of its own output.
func Paused(e *Engine) bool { return anyHas(e, paused) }

// Reading reports whether a worker has a connection, or will have.
func Reading(e *Engine) bool { return anyHas(e, scheduled) }

// Linked reports whether a connection is on its shard's entry list.
func Linked(e *Engine) bool { return anyHas(e, linked) }

func anyHas(e *Engine, bits word) bool {
	for _, s := range e.shards {
		for slot := range s.table.used.Load() {
			if word(s.table.at(slot).word.Load()).has(bits) {
				return true
			}
		}
	}
	return false
}

// CloseFrame returns the close frame that a connection would be sent.
func CloseFrame(code ws.StatusCode, reason string) []byte { return new(Shard).closeFrame(code, reason) }

// ConnSize is how many bytes a slot takes.
const ConnSize = unsafe.Sizeof(Conn{})

// Metered returns how many connections the shard counts the words of.
func (s *Shard) Metered() int {
	s.meters.mu.Lock()
	defer s.meters.mu.Unlock()
	return len(s.meters.of)
}

// Second returns the second of the shard's clock.
func (s *Shard) Second() uint32 { return s.tick.Load() / second }

// Text checks text that comes in pieces.
type Text struct{ tail textTail }

// Take reports whether the text can go on with b.
func (t *Text) Take(b []byte) bool { return t.tail.take(b) }

// Whole reports whether it may end.
func (t *Text) Whole() bool { return t.tail.whole() }

// Inflate inflates a message's payload, or says how the connection would be closed.
func (x *Stream) Inflate(payload []byte) (out string, code ws.StatusCode, reason string) {
	in := input{message: grow(x.s.engine.cfg.Buffers, nil, payload)}
	defer in.forget(x.s.engine.cfg.Buffers)
	if bad := x.s.inflate(&in); bad != nil {
		return "", bad.code, bad.reason
	}
	return string(in.message), 0, ""
}
