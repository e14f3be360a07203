package conn

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gobwas/ws"

	"github.com/pushd/pushd/netpoll"
	"github.com/pushd/pushd/pool"
)

// Handler decides, on a worker, what requests and messages mean. Its methods may
// be called for many connections at a time, for one connection one at a time.
// They must not wait.
type Handler interface {
	// Request is called when a request head has come whole. It must Accept,
	// Refuse or HandOff.
	Request(c *Conn, r *Request, p *Post)
	// Refuses is called when a message begins, before any of it is kept, and again
	// if its header comes in pieces. It returns the reason for which c's messages
	// of that kind are refused, with code 1003, or "".
	Refuses(c *Conn, op ws.OpCode) (reason string)
	// Message is called with a whole data message. The payload is valid during
	// the call; text is UTF-8.
	Message(c *Conn, op ws.OpCode, payload []byte, p *Post)
	// Refused is called when a request was refused before Request could be
	// asked: it was malformed or took too long.
	Refused(r *Refusal)
}

// Config says how an Engine is to be. Handler, NewOwner and Workers must be set.
type Config struct {
	Handler  Handler
	NewOwner func(s *Shard) Owner // called once for each shard
	Workers  *pool.Workers
	Buffers  *pool.Buffers // 0: its own
	Logger   *slog.Logger  // nil: discard
	Peers    Peers         // nil: nobody counts
	Preface  Preface       // nil: there is none

	Shards           int                // 0: GOMAXPROCS; at most MaxShards
	MaxConns         int                // connections; those above are marked OverLimit. 0: 10,000
	MaxPending       int                // connections that have not become WebSockets; those above are closed at once. 0: as many as there may be
	Headroom         int                // how many above the limit are heard; those beyond are closed at once. 0: 64
	MaxQueued        int64              // bytes of output that all connections may have waiting; who needs more is cut off. 0: 64 MiB
	MaxMessage       int                // bytes of an inbound message; 0: 64 KiB
	MaxPartial       int64              // bytes that requests, frames and messages which are not whole may take together; who needs more is closed. 0: 64 MiB
	MessageTimeout   time.Duration      // for a frame, and for a message, from its first byte to its last; 0: 30 s
	HandshakeTimeout time.Duration      // for the whole request head; 0: 5 s
	CloseTimeout     time.Duration      // for the close handshake; 0: 5 s
	PingInterval     time.Duration      // 0: never
	Ping             func(*Conn) []byte // the frame that pings a connection; nil: an empty ping
	IdleTimeout      time.Duration      // closes what sends nothing for as long, pongs included; 0: never

	MaxMessageRate int                            // messages and control frames, but for pongs, that a WebSocket may send in a second; 0: 1,000; negative: any number
	MaxByteRate    int                            // and bytes; 0: 4 MiB, or four times MaxMessage if that is more; negative: any number
	TooFast        func() (ws.StatusCode, string) // code and reason that who exceeds them is closed with; nil: 1008. Any worker calls it

	LeaveOver time.Duration                  // how long it takes, when Run is to end, until the last is told; 0: all are at once
	Farewell  func() (ws.StatusCode, string) // code and reason that a connection is then closed with; nil: 1001. Any shard calls it
	Crowded   func() (ws.StatusCode, string) // code and reason for who is closed because of MaxPartial; nil: 1013. Any worker calls it
}

func (c Config) withDefaults() Config {
	setDefault(&c.Shards, min(runtime.GOMAXPROCS(0), MaxShards))
	setDefault(&c.MaxConns, 10_000)
	setDefault(&c.Headroom, 64)
	setDefault(&c.MaxQueued, 64<<20)
	setDefault(&c.MaxMessage, 64<<10)
	setDefault(&c.MaxPartial, 64<<20)
	setDefault(&c.MessageTimeout, 30*time.Second)
	setDefault(&c.HandshakeTimeout, 5*time.Second)
	setDefault(&c.CloseTimeout, 5*time.Second)
	setDefault(&c.MaxMessageRate, 1000)
	setDefault(&c.MaxByteRate, max(4<<20, 4*c.MaxMessage))
	if c.TooFast == nil {
		c.TooFast = tooFast
	}
	if c.Buffers == nil {
		c.Buffers = pool.NewBuffers(pool.BuffersConfig{})
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Peers == nil {
		c.Peers = anybody{}
	}
	if c.Preface == nil {
		c.Preface = noPreface
	}
	if c.Ping == nil {
		ping := ws.CompiledPing
		c.Ping = func(*Conn) []byte { return ping }
	}
	if c.Farewell == nil {
		c.Farewell = goingAway
	}
	if c.Crowded == nil {
		c.Crowded = crowded
	}
	return c
}

func setDefault[T comparable](v *T, d T) {
	var zero T
	if *v == zero {
		*v = d
	}
}

// Engine is the connections of a server. New makes one; Run runs it.
type Engine struct {
	cfg    Config
	log    *slog.Logger
	began  time.Time
	shards []*Shard
	live   atomic.Int64
	opened atomic.Int64 // of these, WebSockets
	stats  EngineStats

	hurry     chan struct{} // closed: leave at once
	hurryOnce sync.Once

	posts     freeList[Post]
	inputs    freeList[input]
	outputs   freeList[output]
	scratches freeList[scratch]
	inflaters freeList[inflater]
}

// EngineStats is what an engine has done so far. Any goroutine may read it.
type EngineStats struct {
	Accepted     atomic.Uint64
	Turned       atomic.Uint64 // closed at once: too far above the limit, or no slot
	AcceptPauses atomic.Uint64 // times that accept(2) failed and was left alone for a moment
	Panics       atomic.Uint64
	QueuedBytes  atomic.Int64  // connections' own output that has not left
	Cut          atomic.Uint64 // connections cut off because QueuedBytes was at MaxQueued
	PartialBytes atomic.Int64  // what partial input takes, in buffers and beside them
	Crowded      atomic.Uint64 // connections closed because PartialBytes was at MaxPartial
	Late         atomic.Uint64 // connections closed because a frame or message was not whole within MessageTimeout

	TooManyMessages atomic.Uint64 // connections closed for MaxMessageRate
	TooManyBytes    atomic.Uint64 // and for MaxByteRate
}

// New returns an engine that does not run yet.
func New(cfg Config) (*Engine, error) {
	cfg = cfg.withDefaults()
	if cfg.Shards < 1 || cfg.Shards > MaxShards {
		return nil, fmt.Errorf("conn: %d shards: expected 1 to %d", cfg.Shards, MaxShards)
	}
	workers := cfg.Workers.Stats().Size
	if workers < cfg.Shards {
		return nil, fmt.Errorf("conn: %d workers for %d shards: expected at least one for each", workers, cfg.Shards)
	}
	e := &Engine{cfg: cfg, log: cfg.Logger, began: time.Now(), hurry: make(chan struct{})}
	e.posts.max, e.inputs.max, e.outputs.max, e.scratches.max = 1024, 1024, 1024, workers
	e.inflaters.max = workers
	for i := range cfg.Shards {
		poller, err := netpoll.Open()
		if err != nil {
			return nil, errors.Join(err, e.closePollers())
		}
		s := &Shard{engine: e, index: uint32(i), poller: poller, wake: make(chan struct{}, 1)}
		s.work = s.workLoop
		s.ready.most = workers / cfg.Shards
		s.tick.Store(1)
		s.owner = cfg.NewOwner(s)
		e.shards = append(e.shards, s)
	}
	return e, nil
}

// Close frees what New has made, for an engine that is not to run. After Run it
// does nothing.
func (e *Engine) Close() error { return e.closePollers() }

func (e *Engine) closePollers() error {
	var errs []error
	for _, s := range e.shards {
		errs = append(errs, s.poller.Close())
	}
	return errors.Join(errs...)
}

// Shards returns the engine's shards.
func (e *Engine) Shards() []*Shard { return e.shards }

// Live returns how many connections there are.
func (e *Engine) Live() int { return int(e.live.Load()) }

// Pending returns how many of them have not become WebSockets: their handshake is
// under way, or was refused and the peer has not gone yet.
func (e *Engine) Pending() int { return int(e.live.Load() - e.opened.Load()) }

// Stats returns the engine's counters.
func (e *Engine) Stats() *EngineStats { return &e.stats }

// Buffers returns what the connections' partial input and output stands in.
func (e *Engine) Buffers() *pool.Buffers { return e.cfg.Buffers }

func (e *Engine) putPost(p *Post) {
	p.reset()
	e.posts.put(p)
}

// Run accepts connections from the listeners and serves them until ctx ends.
// Then it closes the listeners, so that newcomers are refused at once, closes the
// connections evenly over LeaveOver with what Farewell says, waits for the peers
// as long as CloseTimeout, and returns when everything it began has ended. An
// engine runs once.
func (e *Engine) Run(ctx context.Context, listeners ...*netpoll.Listener) error {
	var loops, shards sync.WaitGroup
	stop := make(chan struct{})
	for _, s := range e.shards {
		loops.Go(func() { s.loop() })
		shards.Go(func() { s.run(stop) })
	}
	err := e.accept(ctx, listeners)
	for _, l := range listeners {
		err = errors.Join(err, l.Close())
	}
	if e.cfg.LeaveOver > 0 {
		e.leave()
	}
	e.shutDown()
	close(stop)
	shards.Wait()
	err = errors.Join(err, e.closePollers())
	loops.Wait()
	return err
}

// Hurry has Run, when its context ends or has ended, tell everybody at once and
// wait for nobody. Any goroutine may call it, and more than once.
func (e *Engine) Hurry() { e.hurryOnce.Do(func() { close(e.hurry) }) }

// loop waits for the poller and notes what it says in the state words.
func (s *Shard) loop() {
	events := make([]netpoll.Event, 256)
	for {
		n, err := s.poller.Wait(events, -1)
		if errors.Is(err, netpoll.ErrClosed) {
			return
		}
		if err != nil {
			panic(fmt.Errorf("conn: waiting for events: %w", err)) // no shard can live without
		}
		for _, ev := range events[:n] {
			s.note(ev)
		}
	}
}

func (s *Shard) note(ev netpoll.Event) {
	set := word(0)
	if ev.Events&netpoll.Readable != 0 {
		set |= edge
	}
	if ev.Events&netpoll.Writable != 0 {
		set |= writable
	}
	if ev.Events&netpoll.PeerClosed != 0 {
		set |= edge | rdhup
	}
	if ev.Events&netpoll.Hangup != 0 {
		set |= edge | hup
	}
	h := Handle(ev.Handle)
	s.change(s.table.at(h.slot()), h.generation(), set, 0)
}
