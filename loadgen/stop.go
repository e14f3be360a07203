package loadgen

import (
	"fmt"

	"github.com/pushd/pushd/loadgen/observe"
	"github.com/pushd/pushd/loadgen/report"
	"github.com/pushd/pushd/tuning"
)

// whatStopped finds the limit that kept the count of connections from rising,
// or nil where nothing tells.
func (r *run) whatStopped() *report.Stop {
	if len(r.rows) == 0 {
		return nil
	}
	now := r.rows[len(r.rows)-1]
	most := r.mostTelling()
	switch most.Kind {
	case noPorts:
		return &report.Stop{Limit: "net.ipv4.ip_local_port_range", Of: "this host", Value: fmt.Sprint(ports(), " ports"),
			Set: "--source A-B with more addresses, or more targets with --url", Why: "connecting said: " + most.Example}
	case noFiles:
		return &report.Stop{Limit: "RLIMIT_NOFILE", Of: "the load generator", Value: fmt.Sprint(r.fleet.each + reservedFiles),
			Set: "ulimit -n", Why: most.Example}
	}
	if s := now.seen.Server; s != nil {
		for _, p := range s.Processes {
			if stop := r.bound(p, now.counts.open()); stop != nil {
				return stop
			}
		}
		if s.OpenFiles != nil && s.MaxFiles != nil && float64(*s.OpenFiles) >= near*float64(*s.MaxFiles) {
			limit := fmt.Sprint(*s.MaxFiles)
			return &report.Stop{Limit: tuning.OpenFiles, Of: "the server", Value: limit,
				Set: tuning.HowTo(tuning.OpenFiles, fmt.Sprint(2**s.MaxFiles)).Systemd, Why: fmt.Sprintf("%d of its descriptors are open", *s.OpenFiles)}
		}
	}
	if most.N == 0 {
		return nil
	}
	shown := most.shown()
	return &report.Stop{Limit: shown.Name, Of: "the server", Value: fmt.Sprint(now.counts.open(), " connections"), Set: shown.Advice, Why: most.Example}
}

// mostTelling is the most frequent cause; what a server said counts before that it
// closed without a word.
func (r *run) mostTelling() (most cause) {
	for _, c := range r.fleet.causes() {
		if silent := c.Kind == shutOut; most.N == 0 || silent == (most.Kind == shutOut) && c.N > most.N || !silent && most.Kind == shutOut {
			most = *c
		}
	}
	return most
}

// near is the share of a limit from which on it is what stops.
const near = 0.96

// bound finds the limit of a server's process that so many connections have come
// to, as pushd tune judges them.
func (r *run) bound(p observe.ProcessSample, open int) *report.Stop {
	h, err := tuning.Read(p.PID)
	if err != nil {
		return nil
	}
	want := max(uint64(r.asked), 2*uint64(open))
	f, ok := tuning.Judge(h, tuning.Ask{Connections: want / uint64(len(r.targets))}).Binding()
	if !ok || f.Holds == tuning.Unlimited || float64(open)/float64(len(r.targets)) < near*float64(f.Holds) {
		return nil
	}
	return &report.Stop{Limit: f.Setting, Of: fmt.Sprintf("%s (pid %d)", p.Name, p.PID), Value: f.Show(), Set: f.How, Why: f.Why}
}
