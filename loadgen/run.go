package loadgen

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/pushd/pushd/loadgen/observe"
	"github.com/pushd/pushd/loadgen/report"
)

// run is one scenario under way.
type run struct {
	*Common
	scenario string
	asked    int // connections, or 0: as many as can be
	audience Audience
	tag      uint32
	targets  []Target
	fleet    *fleet
	watch    *observe.Watch
	pub      *publisher // nil while nothing is published
	started  time.Time
	phase    string

	first   observe.Sample // before there were connections
	full    observe.Sample // when all were there
	opened  time.Duration  // how long that took
	begin   mark           // of what is measured
	end     mark
	rows    []row
	stopped *report.Stop
	ended   string // why it ended before it was through
	void    []report.Void
	notes   []string
	figures []report.Figure // of the scenario itself
}

// mark is where the counts stand at a moment.
type mark struct {
	row
	load load
}

// row is one line of the series.
type row struct {
	at        time.Time
	counts    counts
	published int
	window    window
	load      load
	seen      observe.Sample
}

// start makes a run that has no connections yet.
func (c *Common) start(scenario string, a Audience, asked int, change func(*plan)) (*run, error) {
	a.Prefix = or(c.Topic, or(a.Prefix, "loadgen"))
	r := &run{Common: c, scenario: scenario, asked: asked, audience: a, tag: newTag(), started: time.Now()}
	p, err := c.plan(a, r.tag)
	if err != nil {
		return nil, err
	}
	if change != nil {
		change(&p)
	}
	r.targets = p.Targets
	each, err := sockets()
	if err != nil {
		return nil, err
	}
	if len(c.Worker) == 0 && asked > each {
		return nil, fmt.Errorf("%d clients in one process: expected at most %d, which the limit of open files allows", asked, each)
	}
	cfg := observe.Config{PIDs: c.ServerPIDs, Admin: observe.AdminConfig{Address: c.Admin, Token: c.AdminToken}}
	for _, t := range p.Targets {
		if observe.IsLocal(t.Addr.Addr()) {
			cfg.Servers = append(cfg.Servers, t.Addr)
		}
	}
	if r.watch, err = observe.NewWatch(cfg); err != nil {
		return nil, err
	}
	r.fleet = newFleet(p, c.Worker, each)
	r.first = r.watch.Sample(context.Background())
	return r, nil
}

// close ends the workers.
func (r *run) close() error {
	r.watch.Close()
	return r.fleet.dismiss()
}

// errGone: there is no server any more.
var errGone = errors.New("the server is gone")

// wait samples until come, or ctx ends, or the server is gone.
func (r *run) wait(ctx context.Context, phase string, come func(c counts) bool) error {
	r.phase = phase
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for {
		c := r.fleet.counts()
		if err := r.fleet.trouble(); err != nil {
			return err
		}
		if len(r.rows) == 0 || time.Since(r.rows[len(r.rows)-1].at) >= time.Second {
			r.sample(ctx)
		}
		if come(c) {
			return nil
		}
		if c.Opened > 0 && c.open() == 0 && c.Lost > 0 && c.Pending == 0 && !r.fleet.plan.Await && r.fleet.plan.Life == 0 {
			return errGone
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// pause waits for so long.
func (r *run) pause(ctx context.Context, phase string, d time.Duration) error {
	until := time.Now().Add(d)
	return r.wait(ctx, phase, func(counts) bool { return !time.Now().Before(until) })
}

// sample adds a row, and tells how far the run has come.
func (r *run) sample(ctx context.Context) row {
	now := row{at: time.Now(), counts: r.fleet.counts(), window: r.fleet.take(), load: r.fleet.load(), seen: r.watch.Sample(ctx)}
	if r.pub != nil {
		now.published, _ = r.pub.counts()
	}
	r.rows = append(r.rows, now)
	if r.Progress != nil {
		p := Progress{
			Phase: r.phase, Elapsed: now.at.Sub(r.started), Asked: r.asked,
			Open: now.counts.open(), Refused: now.counts.Refused, Lost: now.counts.Lost,
			Published: now.published, Delivered: now.counts.Delivered,
			P50: quantile(now.window.delivery, 50), P99: quantile(now.window.delivery, 99),
		}
		if n := len(r.rows); n > 1 {
			was := r.rows[n-2]
			took := now.at.Sub(was.at).Seconds()
			p.PerSecond = float64(now.counts.Opened-was.counts.Opened) / took
			p.DeliveriesPerSecond = float64(now.counts.Delivered-was.counts.Delivered) / took
		}
		r.Progress(p)
	}
	return now
}

func quantile(d distribution, q float64) time.Duration {
	return time.Duration(d.ValueAtQuantile(q)) * time.Microsecond
}

// mark samples what is measured from here on, or up to here.
func (r *run) mark(ctx context.Context) mark { return mark{r.sample(ctx), r.fleet.load()} }

// giveUp is after how many refusals in a row no more connections are tried.
const giveUp = 200

// open has n clients connect and waits until each is there or was refused.
func (r *run) open(ctx context.Context, n int, rate float64) error {
	if err := r.fleet.hold(n, r.Workers); err != nil {
		return err
	}
	began := time.Now()
	if err := r.fleet.grow(growth{To: n, Rate: rate, GiveUp: giveUp}); err != nil {
		return err
	}
	err := r.wait(ctx, "connecting", func(c counts) bool {
		l := r.fleet.load()
		return l.obeyed && c.Pending == 0 && (c.open()+c.Denied+c.Lost >= n || l.gaveUp)
	})
	r.opened = time.Since(began)
	r.full = r.sample(ctx).seen
	if c := r.fleet.counts(); err == nil && c.open() < n {
		r.stopped = r.whatStopped()
		if c.open() == 0 {
			return errNone
		}
	}
	return err
}

// errNone: no client was let in.
var errNone = errors.New("no client was let in")

// finish makes the report of a run that ended with err; err is returned where
// there is nothing to report.
func (r *run) finish(ctx context.Context, err error) (*report.Report, error) {
	switch {
	case err == nil:
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		r.ended = "interrupted"
	default:
		r.ended = err.Error()
	}
	r.end = r.mark(context.WithoutCancel(ctx))
	made, err := r.report()
	return made, errors.Join(err, r.close())
}
