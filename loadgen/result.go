package loadgen

import (
	"slices"
	"time"

	"github.com/pushd/pushd/loadgen/report"
)

// report says what the run has found.
func (r *run) report() (*report.Report, error) {
	made := &report.Report{
		Schema: report.Schema, Scenario: r.scenario, Version: r.Version, Command: r.Command,
		Started: r.started, Seconds: time.Since(r.started).Seconds(), Ended: r.ended,
		Host: host(), Targets: r.URLs, Stopped: r.stopped, Notes: r.notes, Series: r.series(),
	}
	total := r.fleet.total
	made.Figures = r.figures
	spread := newDistribution()
	if r.pub != nil { // the first figure of each section is what people look for
		spread = r.spread()
		made.Figures = append(made.Figures, report.Quantiles("latency", "", "delivery latency", total.delivery.Histogram)...)
		made.Figures = append(made.Figures, report.Quantiles("spread", "spread_", "first to last subscriber", spread.Histogram)...)
		made.Figures = append(made.Figures, r.deliveryFigures()...)
	}
	made.Figures = append(made.Figures, r.connectionFigures()...)
	made.Figures = append(made.Figures, report.Quantiles("connections", "connect_", "handshake", total.connect.Histogram)...)
	if r.pub != nil {
		made.Figures = append(made.Figures, report.Quantiles("publishing", "publish_", "answer to a publish", r.pub.answers.Histogram)...)
	}
	made.Figures = append(made.Figures, r.costFigures()...)
	histograms := []struct {
		name, label string
		distribution
	}{
		{"delivery", "delivery latency", total.delivery}, {"spread", "first to last subscriber", spread},
		{"connect", "handshake", total.connect}, {"return", "return after the restart", total.back},
	}
	for _, h := range histograms {
		if h.TotalCount() == 0 {
			continue
		}
		encoded, err := report.EncodeHistogram(h.name, h.label, h.Histogram)
		if err != nil {
			return nil, err
		}
		made.Histograms = append(made.Histograms, encoded)
	}
	all := r.fleet.causes()
	if r.pub != nil {
		all.merge(r.pub.causes)
	}
	for _, c := range all {
		made.Causes = append(made.Causes, c.shown())
	}
	slices.SortFunc(made.Causes, func(a, b report.Cause) int { return b.Count - a.Count })
	made.Void = r.judge()
	made.Notes = append(made.Notes, r.watch.Problems()...)
	return made, nil
}

func figure(section, name, label string, v float64, unit report.Unit, better report.Better) report.Figure {
	return report.Figure{Section: section, Name: name, Label: label, Value: v, Unit: unit, Better: better}
}

func (r *run) connectionFigures() []report.Figure {
	c := r.end.counts
	const s = "connections"
	all := []report.Figure{
		figure(s, "open", "open at the end", float64(c.open()), report.Count, report.Higher),
		figure(s, "opened", "handshakes done", float64(c.Opened), report.Count, report.Neither),
		figure(s, "refused", "handshakes refused or failed", float64(c.Refused), report.Count, report.Lower),
		figure(s, "connections_lost", "connections lost", float64(c.Lost), report.Count, report.Lower),
	}
	if r.opened > 0 {
		all = append(all, figure(s, "connects_per_second", "handshakes a second", float64(r.fullCounts().Opened)/r.opened.Seconds(), report.PerSecond, report.Higher))
	}
	for k := stopped; k < classes; k++ {
		if n := c.Open[k] + c.LostBy[k]; n > 0 {
			all = append(all,
				figure(s, k.String()+"_open", k.String()+" clients still open", float64(c.Open[k]), report.Count, report.Neither),
				figure(s, k.String()+"_closed", k.String()+" clients closed by the server", float64(c.LostBy[k]), report.Count, report.Neither))
		}
	}
	return all
}

// fullCounts are the counts when all connections were there.
func (r *run) fullCounts() *counts {
	for i := range r.rows {
		if !r.rows[i].seen.At.Before(r.full.At) {
			return &r.rows[i].counts
		}
	}
	return &r.end.counts
}

// deliveryFigures count messages. What is lost is what was published to a
// subscriber and never came, whatever the reason.
func (r *run) deliveryFigures() []report.Figure {
	c := r.end.counts
	published, refused := r.pub.counts()
	const s = "delivery"
	return []report.Figure{
		figure(s, "lost", "deliveries lost", float64(c.Lacking), report.Count, report.Lower),
		figure(s, "published", "messages published", float64(published), report.Count, report.Neither),
		figure(s, "publish_refused", "messages that the server did not take", float64(refused), report.Count, report.Lower),
		figure(s, "expected", "deliveries expected", float64(c.Delivered+c.Lacking), report.Count, report.Neither),
		figure(s, "delivered", "deliveries", float64(c.Delivered), report.Count, report.Higher),
		figure(s, "deliveries_per_second", "deliveries a second", float64(c.Delivered-r.begin.counts.Delivered)/r.measured().Seconds(), report.PerSecond, report.Higher),
		figure(s, "repeated", "repeated", float64(c.Repeated), report.Count, report.Lower),
		figure(s, "disordered", "after a newer message", float64(c.Disordered), report.Count, report.Lower),
		figure(s, "gaps", "gaps that were told", float64(c.Gaps), report.Count, report.Lower),
		figure(s, "received_bytes", "bytes received", float64(c.Bytes-r.begin.counts.Bytes), report.Bytes, report.Neither),
	}
}

// measured is how long what is measured took: to the last delivery.
func (r *run) measured() time.Duration {
	last := r.end.at
	for i := len(r.rows) - 1; i > 0 && r.rows[i-1].counts.Delivered == r.end.counts.Delivered && r.rows[i-1].at.After(r.begin.at); i-- {
		last = r.rows[i-1].at
	}
	return max(last.Sub(r.begin.at), time.Millisecond)
}

// costFigures are what the server, the kernel and the generator have used.
func (r *run) costFigures() (all []report.Figure) {
	deliveries := float64(r.end.counts.Delivered-r.begin.counts.Delivered) / 1e6
	conns := float64(r.fullCounts().open())
	first, full, begin, end := r.first.Server, r.full.Server, r.begin.seen.Server, r.end.seen.Server
	if end != nil && end.RSS != nil {
		all = append(all, figure("server", "server_rss", "resident memory", float64(*end.RSS), report.Bytes, report.Lower))
	}
	if first != nil && full != nil && first.RSS != nil && full.RSS != nil && conns > 0 {
		all = append(all, figure("server", "server_bytes_per_connection", "resident memory a connection", (float64(*full.RSS)-float64(*first.RSS))/conns, report.Bytes, report.Lower))
	}
	if k0, k1 := r.first.Kernel, r.full.Kernel; k0 != nil && k1 != nil && k0.Slab != nil && k1.Slab != nil && k0.TCPMemory != nil && k1.TCPMemory != nil && conns > 0 {
		grown := float64(*k1.Slab) - float64(*k0.Slab) + float64(*k1.TCPMemory) - float64(*k0.TCPMemory)
		label := "kernel memory a connection, of the client's end"
		if len(r.fleet.plan.Targets) > 0 && onLoopback(r.fleet.plan.Targets) {
			label = "kernel memory a connection, both ends"
		}
		all = append(all, figure("server", "kernel_bytes_per_connection", label, grown/conns, report.Bytes, report.Lower))
	}
	if first != nil && full != nil && first.CPU != nil && full.CPU != nil && conns > 0 {
		all = append(all, figure("server", "server_cpu_per_connection", "CPU a handshake", (*full.CPU-*first.CPU)/max(1, float64(r.fullCounts().Opened)), report.Seconds, report.Lower))
	}
	if begin != nil && end != nil && begin.CPU != nil && end.CPU != nil {
		spent := *end.CPU - *begin.CPU
		all = append(all, figure("server", "server_cpu", "CPU time while measured", spent, report.CPUSeconds, report.Lower))
		if deliveries > 0 {
			all = append(all, figure("server", "server_cpu_per_million", "CPU time a million deliveries", spent/deliveries, report.CPUSeconds, report.Lower))
		}
	}
	if end != nil && end.OpenFiles != nil {
		all = append(all, figure("server", "server_open_files", "open descriptors", float64(*end.OpenFiles), report.Count, report.Neither))
	}
	l := r.end.load
	all = append(all,
		figure("generator", "workers", "worker processes", float64(max(1, l.separate)), report.Count, report.Neither),
		figure("generator", "generator_busy", "busiest worker, of one processor", r.busiest(), report.Ratio, report.Neither))
	if conns > 0 {
		all = append(all, figure("generator", "generator_bytes_per_client", "memory a client, without garbage", (float64(l.rss)-float64(l.idle))/conns, report.Bytes, report.Neither))
	}
	spent := l.cpu - r.begin.load.cpu
	if l.separate > 0 { // else the one worker is this process
		spent += r.end.seen.Self.CPU - r.begin.seen.Self.CPU
	}
	all = append(all, figure("generator", "generator_cpu", "CPU time while measured", spent, report.CPUSeconds, report.Neither))
	if deliveries > 0 {
		all = append(all, figure("generator", "generator_cpu_per_million", "CPU time a million deliveries", spent/deliveries, report.CPUSeconds, report.Neither))
	}
	if r.pub != nil {
		all = append(all, figure("generator", "publisher_late_p99", "publisher behind its schedule, p99", quantile(r.pub.lateness, 99).Seconds(), report.Seconds, report.Neither))
	}
	return all
}

// busiest is the share of a processor that the busiest worker used, in the
// busiest second that is measured.
func (r *run) busiest() (most float64) {
	for _, row := range r.rows {
		if !row.at.Before(r.begin.at) {
			most = max(most, row.load.busiest)
		}
	}
	return most
}

// spread is how far apart the first and the last subscriber got a message.
func (r *run) spread() distribution {
	d := newDistribution()
	r.fleet.mu.Lock()
	defer r.fleet.mu.Unlock()
	for _, s := range r.fleet.spread {
		if s.N > 1 {
			d.add(s.Last - s.First)
		}
	}
	return d
}
