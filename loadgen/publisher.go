package loadgen

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"sync"
	"time"
)

// publisher publishes by a schedule. A topic belongs to one of its lanes, in
// which one request follows the other, so that the order is the server's to keep.
type publisher struct {
	out   *outlet
	lanes []*lane

	mu        sync.Mutex // over what was counted
	published int
	refused   int
	causes    causes
	heads     []uint32     // by topic, the number of its last message
	answers   distribution // from the request to its answer
	lateness  distribution // from when a message was due until it was handed to its lane
}

// lane holds what is due and not sent.
type lane struct {
	mu    sync.Mutex
	ready sync.Cond
	queue []letter
	ended bool
}

// maxQueue bounds what may wait in one lane: a server that takes nothing for so long
// has failed.
const maxQueue = 1 << 20

func newPublisher(out *outlet, topics int) *publisher {
	p := &publisher{out: out, causes: causes{}, heads: make([]uint32, topics), answers: newDistribution(), lateness: newDistribution()}
	lanes := 16
	if out.lines {
		lanes = 4
	}
	for range min(lanes, topics) {
		l := new(lane)
		l.ready.L = &l.mu
		p.lanes = append(p.lanes, l)
	}
	return p
}

// run publishes what is due until there is no more, and waits for the answers.
func (p *publisher) run(ctx context.Context, dues iter.Seq[due]) error {
	var sending sync.WaitGroup
	for _, l := range p.lanes {
		sending.Go(func() { p.serve(ctx, l) })
	}
	err := p.keepTime(ctx, dues)
	for _, l := range p.lanes {
		l.mu.Lock()
		l.ended = true
		l.mu.Unlock()
		l.ready.Signal()
	}
	sending.Wait()
	return err
}

// keepTime hands each message to its lane when it is due.
func (p *publisher) keepTime(ctx context.Context, dues iter.Seq[due]) error {
	began := time.Now()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for d := range dues {
		at := began.Add(d.at)
		if wait := time.Until(at); wait > 0 {
			timer.Reset(wait)
			select {
			case <-timer.C:
			case <-ctx.Done():
				return ctx.Err()
			}
		} else if ctx.Err() != nil {
			return ctx.Err()
		}
		p.mu.Lock()
		p.lateness.add(int64(time.Since(at)))
		p.mu.Unlock()
		if !p.lanes[d.topic%len(p.lanes)].put(letter{marker{at: at.UnixNano(), tag: p.out.tag, topic: uint32(d.topic)}, d.size}) {
			return fmt.Errorf("%d messages wait to be taken by the server: expected it to take them as they come", maxQueue)
		}
	}
	return nil
}

func (l *lane) put(m letter) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.queue) >= maxQueue {
		return false
	}
	l.queue = append(l.queue, m)
	l.ready.Signal()
	return true
}

// take returns what is due, at most n; none when there will be no more.
func (l *lane) take(n int) (letters []letter) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for len(l.queue) == 0 && !l.ended {
		l.ready.Wait()
	}
	n = min(n, len(l.queue))
	letters = append(letters, l.queue[:n]...)
	l.queue = l.queue[n:]
	return letters
}

// serve sends what comes into a lane.
func (p *publisher) serve(ctx context.Context, l *lane) {
	n := 1
	if p.out.lines {
		n = maxLines
	}
	for letters := l.take(n); len(letters) > 0; letters = l.take(n) {
		if ctx.Err() != nil {
			return
		}
		p.mu.Lock()
		for i := range letters {
			topic := letters[i].topic
			p.heads[topic]++
			letters[i].seq = p.heads[topic]
		}
		p.mu.Unlock()
		began := time.Now()
		refused, err := p.out.send(ctx, letters)
		p.mu.Lock()
		p.answers.add(int64(time.Since(began)))
		p.published += len(letters) - refused
		p.refused += refused
		if err != nil && ctx.Err() == nil {
			p.causes.add(cause{Kind: "message not taken", N: max(1, refused), Example: err.Error()})
		}
		if refused == len(letters) { // none of them is there: their numbers are free
			for _, m := range letters {
				p.heads[m.topic]--
			}
		}
		p.mu.Unlock()
	}
}

// counts are what was published and what the server did not take.
func (p *publisher) counts() (published, refused int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.published, p.refused
}

// last are the numbers of the topics' last messages.
func (p *publisher) last() []uint32 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.heads)
}
