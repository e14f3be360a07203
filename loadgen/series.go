package loadgen

import (
	"github.com/pushd/pushd/loadgen/report"
)

// column is how a series is made of rows: of one, and of the one before it.
type column struct {
	chart, name, label string
	unit               report.Unit
	value              func(now, was *row) (float64, bool)
}

// rate is the growth a second of a count.
func rate(of func(*row) float64) func(now, was *row) (float64, bool) {
	return func(now, was *row) (float64, bool) {
		if took := now.at.Sub(was.at).Seconds(); took > 0 {
			return (of(now) - of(was)) / took, true
		}
		return 0, false
	}
}

func level(of func(*row) float64) func(now, was *row) (float64, bool) {
	return func(now, _ *row) (float64, bool) { return of(now), true }
}

func percentile(q float64) func(now, was *row) (float64, bool) {
	return func(now, _ *row) (float64, bool) {
		return quantile(now.window.delivery, q).Seconds(), now.window.delivery.TotalCount() > 0
	}
}

func known(p *uint64) (float64, bool) {
	if p == nil {
		return 0, false
	}
	return float64(*p), true
}

var columns = []column{
	{"connections", "open", "open", report.Count, level(func(r *row) float64 { return float64(r.counts.open()) })},
	{"connections", "refused", "refused or failed", report.Count, level(func(r *row) float64 { return float64(r.counts.Refused) })},
	{"connections", "connections_lost", "lost", report.Count, level(func(r *row) float64 { return float64(r.counts.Lost) })},
	{"connecting", "connects", "handshakes done", report.PerSecond, rate(func(r *row) float64 { return float64(r.counts.Opened) })},
	{"latency", "p50", "p50", report.Seconds, percentile(50)},
	{"latency", "p90", "p90", report.Seconds, percentile(90)},
	{"latency", "p99", "p99", report.Seconds, percentile(99)},
	{"latency", "max", "max", report.Seconds, percentile(100)},
	{"messages", "published", "published", report.PerSecond, rate(func(r *row) float64 { return float64(r.published) })},
	{"messages", "delivered", "delivered", report.PerSecond, rate(func(r *row) float64 { return float64(r.counts.Delivered) })},
	{"memory", "server_rss", "server", report.Bytes, func(now, _ *row) (float64, bool) {
		if now.seen.Server == nil {
			return 0, false
		}
		return known(now.seen.Server.RSS)
	}},
	{"memory", "kernel_slab", "kernel's objects", report.Bytes, func(now, _ *row) (float64, bool) {
		if now.seen.Kernel == nil {
			return 0, false
		}
		return known(now.seen.Kernel.Slab)
	}},
	{"memory", "tcp_memory", "socket buffers", report.Bytes, func(now, _ *row) (float64, bool) {
		if now.seen.Kernel == nil {
			return 0, false
		}
		return known(now.seen.Kernel.TCPMemory)
	}},
	{"memory", "generator_rss", "load generator", report.Bytes, level(func(r *row) float64 { return float64(r.load.rss) })},
	{"cpu", "server_cpu", "server, processors", report.Count, func(now, was *row) (float64, bool) {
		a, b := was.seen.Server, now.seen.Server
		if a == nil || b == nil || a.CPU == nil || b.CPU == nil {
			return 0, false
		}
		return rate(func(r *row) float64 { return *r.seen.Server.CPU })(now, was)
	}},
	{"cpu", "generator_cpu", "load generator, processors", report.Count, rate(func(r *row) float64 { return r.load.cpu })},
}

// series are the rows as columns; what was never measured has none. The spread
// stands at the second in which a message was first received.
func (r *run) series() (s report.Series) {
	if len(r.rows) < 2 {
		return s
	}
	for i := range r.rows[1:] {
		s.At = append(s.At, r.rows[i+1].at.Sub(r.started).Seconds())
	}
	for _, c := range columns {
		made := report.Column{Chart: c.chart, Name: c.name, Label: c.label, Unit: c.unit}
		seen := false
		for i := range r.rows[1:] {
			var v *float64
			if x, ok := c.value(&r.rows[i+1], &r.rows[i]); ok {
				v, seen = &x, true
			}
			made.Values = append(made.Values, v)
		}
		if seen {
			s.Columns = append(s.Columns, made)
		}
	}
	if r.pub != nil {
		s.Columns = append(s.Columns, r.spreadColumn(s.At))
	}
	return s
}

func (r *run) spreadColumn(at []float64) report.Column {
	c := report.Column{Chart: "spread", Name: "spread", Label: "first to last subscriber, worst", Unit: report.Seconds, Values: make([]*float64, len(at))}
	r.fleet.mu.Lock()
	defer r.fleet.mu.Unlock()
	for _, s := range r.fleet.spread {
		when := float64(s.First-r.started.UnixNano()) / 1e9
		for i := range at {
			if when <= at[i] {
				if took := float64(s.Last-s.First) / 1e9; s.N > 1 && (c.Values[i] == nil || *c.Values[i] < took) {
					c.Values[i] = &took
				}
				break
			}
		}
	}
	return c
}
