package loadgen

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"
)

// fleet is all workers, seen as one crowd.
type fleet struct {
	plan    plan // of each, but for First and N
	command []string
	each    int // clients of one worker at most

	crews []*crew
	wg    sync.WaitGroup

	mu     sync.Mutex // over what the workers have told
	ended  error      // why one has ended before it was to
	window window     // since the last time that it was taken
	total  window
	spread map[uint64]span
	served map[int]*served
}

// window are the distributions of some time.
type window struct{ delivery, connect, back distribution }

func newWindow() window { return window{newDistribution(), newDistribution(), newDistribution()} }

func (w *window) merge(o window) {
	w.delivery.merge(o.delivery)
	w.connect.merge(o.connect)
	w.back.merge(o.back)
}

func newFleet(p plan, command []string, each int) *fleet {
	return &fleet{
		plan: p, command: command, each: each,
		window: newWindow(), total: newWindow(),
		spread: make(map[uint64]span), served: make(map[int]*served),
	}
}

// hold has workers for n clients, and no fewer than workers.
func (f *fleet) hold(n, workers int) error {
	if len(f.crews) == 0 && workers > 1 {
		f.each = min(f.each, (n+workers-1)/workers)
	}
	for len(f.crews)*f.each < n {
		p := f.plan
		p.First = len(f.crews) * f.each
		p.N = min(f.each, n-p.First)
		p.Dump = p.Dump && p.First == 0
		c, err := hire(f.command, p)
		if err != nil {
			return err
		}
		f.mu.Lock()
		f.crews = append(f.crews, c)
		f.mu.Unlock()
		f.wg.Go(func() { f.listen(c) })
	}
	return nil
}

// listen takes in what a worker tells, until it ends.
func (f *fleet) listen(c *crew) {
	for {
		var t tick
		err := c.ticks.Decode(&t)
		f.mu.Lock()
		if err != nil {
			if !errors.Is(err, io.EOF) && f.ended == nil {
				f.ended = fmt.Errorf("a worker has ended: %w", err)
			}
			f.mu.Unlock()
			return
		}
		c.last = t
		f.window.merge(window{t.Delivery, t.Connect, t.Return})
		for _, s := range t.Spans {
			f.stretch(s)
		}
		for _, s := range t.Served {
			all := f.served[s.Second]
			if all == nil {
				all = &served{Second: s.Second}
				f.served[s.Second] = all
			}
			all.Returned, all.Attempts, all.Refused = all.Returned+s.Returned, all.Attempts+s.Attempts, all.Refused+s.Refused
		}
		f.mu.Unlock()
	}
}

// stretch joins what several workers say of one message.
func (f *fleet) stretch(s span) {
	key := uint64(s.Topic)<<32 | uint64(s.Seq)
	if have, ok := f.spread[key]; ok {
		s.First, s.Last, s.N = min(s.First, have.First), max(s.Last, have.Last), s.N+have.N
	}
	f.spread[key] = s
}

// take returns the distributions since it was last called.
func (f *fleet) take() window {
	f.mu.Lock()
	defer f.mu.Unlock()
	w := f.window
	f.window = newWindow()
	f.total.merge(w)
	return w
}

// counts are those of all workers.
func (f *fleet) counts() (all counts) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, c := range f.crews {
		all.add(&c.last.Counts)
	}
	return all
}

// causes are those of all workers.
func (f *fleet) causes() causes {
	f.mu.Lock()
	defer f.mu.Unlock()
	all := causes{}
	for _, c := range f.crews {
		all.merge(cloneCauses(c.last.Causes))
	}
	return all
}

// load is what the workers cost.
type load struct {
	busiest  float64 // share of a processor
	cpu      float64 // seconds
	rss      uint64
	idle     uint64 // resident bytes before there were connections
	late     float64
	gaveUp   bool
	obeyed   bool // each has carried out what it was told
	separate int  // workers that are processes of their own
}

func (f *fleet) load() (l load) {
	f.mu.Lock()
	defer f.mu.Unlock()
	l.obeyed, l.gaveUp = true, len(f.crews) > 0
	for _, c := range f.crews {
		l.busiest, l.late = max(l.busiest, c.last.Busy), max(l.late, c.last.Late)
		l.cpu, l.rss, l.idle = l.cpu+c.last.CPU, l.rss+c.last.RSS, l.idle+c.last.Idle
		l.gaveUp = l.gaveUp && (c.last.GaveUp || c.last.Counts.Attempts == 0 || c.last.Counts.open() == c.n)
		l.obeyed = l.obeyed && c.last.Orders >= c.sent
	}
	if len(f.command) > 0 {
		l.separate = len(f.crews)
	}
	return l
}

// tell gives all workers an order.
func (f *fleet) tell(o order) error {
	for _, c := range f.crews {
		if err := f.tellOne(c, o); err != nil {
			return err
		}
	}
	return nil
}

func (f *fleet) tellOne(c *crew, o order) error {
	f.mu.Lock()
	c.sent++
	f.mu.Unlock()
	if err := c.encode.Encode(o); err != nil {
		return fmt.Errorf("a worker takes no orders: %w", errors.Join(err, f.trouble()))
	}
	return nil
}

// trouble is why a worker has ended, or nil.
func (f *fleet) trouble() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.ended
}

// grow has the first n clients connect; those of a worker at its share of the
// rate.
func (f *fleet) grow(g growth) error {
	for _, c := range f.crews {
		own := g
		own.To = min(max(0, g.To-c.first), c.n)
		own.Rate = g.Rate * float64(own.To) / float64(max(1, g.To))
		if own.To == 0 {
			continue
		}
		if err := f.tellOne(c, order{Grow: &own}); err != nil {
			return err
		}
	}
	return nil
}

// dismiss ends the workers and waits for them.
func (f *fleet) dismiss() error {
	var errs []error
	for _, c := range f.crews {
		c.in.Close()
	}
	f.wg.Wait()
	for _, c := range f.crews {
		errs = append(errs, c.wait())
	}
	return errors.Join(errs...)
}

// until asks every few milliseconds whether something has come about.
func until(ctx context.Context, come func() bool) error {
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	for !come() {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}
