package loadgen

import (
	"context"
	"fmt"
	"time"

	"github.com/pushd/pushd/loadgen/report"
)

// Hold finds how many connections a server holds.
type Hold struct {
	Common
	N    int           // connections; 0: as many as there can be
	Rate float64       // connections a second; 0: as fast as goes
	For  time.Duration // how long they are then held; every lost one is told
	Idle bool          // measure what an idle connection costs in CPU, for at least 10 s
}

// Run opens the connections and keeps them. It returns a report also where ctx
// ends it early, and an error only where there is nothing to report.
func (h Hold) Run(ctx context.Context) (*report.Report, error) {
	if h.N < 0 || h.For < 0 {
		return nil, fmt.Errorf("%d connections for %v: expected 0 or more", h.N, h.For)
	}
	if err := checkRate("connections", h.Rate, true); err != nil {
		return nil, err
	}
	r, err := h.start("hold", Audience{Topics: 1, Each: 1}, h.N, nil)
	if err != nil {
		return nil, err
	}
	return r.finish(ctx, h.run(ctx, r))
}

func (h Hold) run(ctx context.Context, r *run) (err error) {
	if h.N > 0 {
		err = r.open(ctx, h.N, h.Rate)
	} else {
		err = h.search(ctx, r)
	}
	r.begin = r.mark(ctx)
	if err != nil {
		return err
	}
	lasts := h.For
	if h.Idle {
		lasts = max(lasts, 10*time.Second)
	}
	if lasts == 0 {
		return nil
	}
	err = r.pause(ctx, "holding", lasts)
	now := r.sample(ctx)
	a, b := r.begin.seen.Server, now.seen.Server
	if h.Idle && a != nil && b != nil && a.CPU != nil && b.CPU != nil && now.counts.open() > 0 {
		took := now.at.Sub(r.begin.at).Seconds()
		r.figures = append(r.figures, figure("connections", "idle_cpu", "CPU of the server while idle, of one processor, a million connections",
			(*b.CPU-*a.CPU)/took/float64(now.counts.open())*1e6, report.Count, report.Lower))
	}
	return err
}

// search adds worker after worker until something stops the count from rising.
func (h Hold) search(ctx context.Context, r *run) error {
	began := time.Now()
	for n := r.fleet.each; ; n += r.fleet.each {
		if len(h.Worker) == 0 && n > r.fleet.each {
			r.notes = append(r.notes, "All that one process can hold was held: with worker processes there may be more.")
			return nil
		}
		if err := r.fleet.hold(n, 0); err != nil {
			return err
		}
		if err := r.fleet.grow(growth{To: n, Rate: h.Rate, GiveUp: giveUp}); err != nil {
			return err
		}
		err := r.wait(ctx, "searching", func(c counts) bool {
			l := r.fleet.load()
			return l.obeyed && c.Pending == 0 && (c.open()+c.Denied+c.Lost >= n || l.gaveUp)
		})
		r.opened = time.Since(began)
		r.full = r.sample(ctx).seen
		if err != nil {
			return err
		}
		if c := r.fleet.counts(); c.open() < n {
			if r.stopped = r.whatStopped(); c.open() == 0 {
				return errNone
			}
			return nil
		}
		if k := r.full.Kernel; k != nil && k.MemAvailable != nil && *k.MemAvailable < 1<<30 {
			r.stopped = &report.Stop{Limit: "memory", Of: "this host", Value: report.Value(float64(*k.MemAvailable), report.Bytes) + " available",
				Set: "more memory", Why: "the search ends at 1 GiB, before the kernel kills somebody"}
			return nil
		}
	}
}
