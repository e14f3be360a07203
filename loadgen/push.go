package loadgen

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/pushd/pushd/loadgen/report"
)

// Fanout publishes on a schedule and measures how that reaches subscribers.
type Fanout struct {
	Common
	N           int     // subscribers
	ConnectRate float64 // connections a second; 0: as fast as goes
	Topics      int     // a subscriber has one of them; 0: 1

	Rate     float64       // messages a second, of all topics together
	Messages int           // 0: as many as there are in For
	For      time.Duration // 0, without Messages: 10 s
	Arrivals Arrivals      // "": Even
	Burst    int           // messages at once, with Bursts

	Patience time.Duration // how long no message must have come before those that are missing count as lost; 0: 10 s

	Poll *Polling // compare with HTTP polling, or nil
}

// Run measures. See [Hold.Run].
func (f Fanout) Run(ctx context.Context) (*report.Report, error) {
	return f.push("fanout", Audience{Topics: max(1, f.Topics), Each: 1}, nil).run(ctx)
}

func (f Fanout) push(scenario string, a Audience, change func(*plan)) push {
	s := schedule{arrivals: f.Arrivals, rate: f.Rate, burst: max(1, f.Burst), messages: f.Messages, lasts: f.For, audience: a}
	if s.messages == 0 && s.lasts == 0 {
		s.lasts = 10 * time.Second
	}
	return push{Fanout: f, scenario: scenario, audience: a, dues: s.dues(), change: change}
}

// mostTopics is how many topics a marker can name.
const mostTopics = 9_999_999

// Ticker is many topics of unlike popularity, and subscribers with a portfolio
// of them.
type Ticker struct {
	Fanout         // Topics: 1000 where it is 0
	Each   int     // topics of a subscriber; 0: 20
	Skew   float64 // Zipf's exponent, of what is subscribed to and of what is published to; 0: 1
	Tape   string  // an NDJSON file, whose timing and topics are played in place of a schedule
	Speed  float64 // of the tape; 0: 1
}

// Run measures. See [Hold.Run].
func (t Ticker) Run(ctx context.Context) (*report.Report, error) {
	if t.Topics == 0 {
		t.Topics = 1000
	}
	if t.Each == 0 {
		t.Each = 20
	}
	if t.Skew == 0 {
		t.Skew = 1
	}
	if t.Topics < 1 || t.Topics > mostTopics || t.Each < 1 || !(t.Skew > 0) || t.Skew > 10 {
		return nil, fmt.Errorf("%d topics, %d to a subscriber, a skew of %v: expected 1 to %d topics, 1 or more to a subscriber, and a skew above 0 and up to 10",
			t.Topics, t.Each, t.Skew, mostTopics)
	}
	if t.Tape == "" {
		a := Audience{Topics: t.Topics, Each: min(t.Each, t.Topics), Skew: t.Skew}
		return t.push("ticker", a, nil).run(ctx)
	}
	tape, err := readTape(t.Tape)
	if err != nil {
		return nil, err
	}
	if t.Speed == 0 {
		t.Speed = 1
	}
	if !(t.Speed > 0) || t.Speed > 1e6 {
		return nil, fmt.Errorf("a speed of %v: expected more than 0, and no more than 1,000,000", t.Speed)
	}
	a := Audience{Names: tape.names, Topics: len(tape.names), Each: min(t.Each, len(tape.names)), Skew: t.Skew}
	p := t.push("ticker", a, nil)
	p.dues = tape.play(t.Speed, t.For)
	return p.run(ctx)
}

// Slow is a Fanout to subscribers of whom some stop reading, read a few bytes a
// second, or vanish without a FIN. What is measured is what the others get.
type Slow struct {
	Fanout
	Stop, Crawl, Vanish float64 // shares of the subscribers, 0 to 1
	CrawlBytes          int     // a second; 0: 100
}

// Run measures. See [Hold.Run].
func (s Slow) Run(ctx context.Context) (*report.Report, error) {
	if !(s.Stop >= 0 && s.Crawl >= 0 && s.Vanish >= 0 && s.Stop+s.Crawl+s.Vanish <= 1) {
		return nil, fmt.Errorf("shares of %v, %v and %v: expected 0 to 1, and no more than 1 together", s.Stop, s.Crawl, s.Vanish)
	}
	p := s.push("slow", Audience{Topics: max(1, s.Topics), Each: 1}, func(p *plan) {
		p.Stop, p.Crawl, p.Vanish, p.CrawlBytes = s.Stop, s.Crawl, s.Vanish, s.CrawlBytes
		if p.CrawlBytes == 0 {
			p.CrawlBytes = 100
		}
	})
	p.vanish = s.Vanish > 0
	return p.run(ctx)
}

// push is what the scenarios that publish share.
type push struct {
	Fanout
	scenario string
	audience Audience
	dues     iter.Seq[due]
	change   func(*plan)
	vanish   bool
}

func (p push) run(ctx context.Context) (*report.Report, error) {
	if err := errors.Join(checkRate("messages", p.Rate, p.audience.Names != nil), checkRate("connections", p.ConnectRate, true)); err != nil {
		return nil, err
	}
	if p.N < 1 || p.Topics < 0 || p.Topics > mostTopics || p.Messages < 0 || p.For < 0 || p.Patience < 0 {
		return nil, fmt.Errorf("%d subscribers, %d topics, %d messages, %v, a patience of %v: expected 1 subscriber or more, and nothing below 0",
			p.N, p.Topics, p.Messages, p.For, p.Patience)
	}
	r, err := p.start(p.scenario, p.audience, p.N, func(pl *plan) {
		pl.Sample = uint32(max(1, p.Rate/100))
		if p.change != nil {
			p.change(pl)
		}
	})
	if err != nil {
		return nil, err
	}
	out, err := newOutlet(p.Publishing, or(p.Admin, "127.0.0.1:8081"), p.AdminToken, r.audience.Name, r.tag)
	if err != nil {
		return nil, errors.Join(err, r.close())
	}
	r.pub = newPublisher(out, r.audience.Topics)
	defer out.http.CloseIdleConnections()
	return r.finish(ctx, p.measure(ctx, r))
}

// settling is how long subscriptions may take that were asked for in frames.
const settling = 500 * time.Millisecond

func (p push) measure(ctx context.Context, r *run) error {
	if err := r.open(ctx, p.N, p.ConnectRate); err != nil {
		r.begin = r.mark(ctx)
		return err
	}
	if p.vanish {
		if err := r.fleet.tell(order{Vanish: true}); err != nil {
			return err
		}
	}
	if err := r.pause(ctx, "settling", settling); err != nil {
		return err
	}
	r.begin = r.mark(ctx)
	patience := p.Patience
	if patience == 0 {
		patience = 10 * time.Second
	}
	err := r.publish(ctx, p.dues, patience)
	if err == nil && p.Poll != nil {
		err = p.Poll.measure(ctx, r)
	}
	return err
}

// publish publishes what is due, waits until it has come or nothing has come
// for so long, and counts what has not.
func (r *run) publish(ctx context.Context, dues iter.Seq[due], patience time.Duration) error {
	published := make(chan error, 1)
	go func() { published <- r.pub.run(ctx, dues) }()
	var sent error
	for done := false; !done; {
		err := r.wait(ctx, "publishing", func(counts) bool {
			select {
			case sent = <-published:
				done = true
			default:
			}
			return done
		})
		if err != nil && !done {
			<-published // ctx has ended, or ends soon: it is the publisher's too
			return r.settle(ctx, err)
		}
	}
	want, last, since := r.wanted(), uint64(0), time.Now()
	err := r.wait(ctx, "waiting for the last", func(c counts) bool {
		if c.Delivered != last {
			last, since = c.Delivered, time.Now()
		}
		return c.Delivered >= want || time.Since(since) > patience
	})
	if sent != nil {
		err = sent
	}
	return r.settle(ctx, err)
}

// wanted is how many deliveries there will be if none is lost and all clients
// have been let in.
func (r *run) wanted() (n uint64) {
	heads := r.pub.last()
	c := r.audience.chooser()
	var topics []int
	for i := range r.asked {
		if r.fleet.plan.classOf(i) != healthy {
			continue
		}
		topics = c.topics(i, topics[:0])
		for _, t := range topics {
			n += uint64(heads[t])
		}
	}
	return n
}

// settle has the workers count what is missing.
func (r *run) settle(ctx context.Context, cause error) error {
	if err := r.fleet.tell(order{Settle: true, Heads: r.pub.last()}); err != nil {
		return err
	}
	ctx, stop := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer stop()
	if err := until(ctx, func() bool { return r.fleet.load().obeyed }); err != nil {
		return fmt.Errorf("the workers do not answer: %w", err)
	}
	return cause
}
