package loadgen

import (
	"context"
	"fmt"
	"time"

	"github.com/pushd/pushd/loadgen/report"
)

// Churn has clients come and go.
type Churn struct {
	Common
	Rate float64       // connections a second
	Life time.Duration // how long a client stays; 0: 1 s
	For  time.Duration // 0: 10 s
}

// Run measures. See [Hold.Run].
func (c Churn) Run(ctx context.Context) (*report.Report, error) {
	if err := checkRate("connections", c.Rate, false); err != nil {
		return nil, err
	}
	if c.Life < 0 || c.For < 0 {
		return nil, fmt.Errorf("a life of %v for %v: expected no less than 0", c.Life, c.For)
	}
	if c.Life == 0 {
		c.Life = time.Second
	}
	if c.For == 0 {
		c.For = 10 * time.Second
	}
	there := int(c.Rate*(c.Life+time.Second).Seconds()*1.2) + 100 // with those that are on their way
	r, err := c.start("churn", Audience{Topics: 1, Each: 1}, there, func(p *plan) { p.Life = c.Life })
	if err != nil {
		return nil, err
	}
	return r.finish(ctx, c.run(ctx, r, there))
}

func (c Churn) run(ctx context.Context, r *run, places int) error {
	if err := r.fleet.hold(places, r.Workers); err != nil {
		return err
	}
	r.begin = r.mark(ctx)
	if err := r.fleet.grow(growth{To: places, Rate: c.Rate}); err != nil {
		return err
	}
	err := r.pause(ctx, "churning", c.For)
	now := r.sample(ctx)
	took := now.at.Sub(r.begin.at).Seconds()
	r.figures = append(r.figures,
		figure("connections", "churned_per_second", "handshakes done a second", float64(now.counts.Opened)/took, report.PerSecond, report.Higher),
		figure("connections", "left", "connections that clients closed", float64(now.counts.Left), report.Count, report.Neither))
	r.full = now.seen
	if now.load.late > 0.5 {
		r.void = append(r.void, report.Void{Figures: []string{"connect_p50", "connect_p90", "connect_p99", "connect_p999", "connect_max"},
			Why: fmt.Sprintf("the generator was %.1f s behind its rate: more workers, or a lower rate", now.load.late)})
	}
	return err
}
