package loadgen

import (
	"fmt"
	"math"

	"github.com/pushd/pushd/loadgen/report"
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
			if p.SoftFiles == math.MaxUint64 || p.OpenFiles == nil {
				continue
			}
			if reserve := min(p.SoftFiles/2, serverReserve); uint64(*p.OpenFiles) >= p.SoftFiles-reserve-p.SoftFiles/50 {
				return &report.Stop{
					Limit: "RLIMIT_NOFILE", Of: fmt.Sprintf("%s (pid %d)", p.Name, p.PID), Value: fmt.Sprint(p.SoftFiles),
					Set: fmt.Sprintf("LimitNOFILE=%d under [Service] of its unit, or ulimit -n %d before it is started; then bin/pushd tune", nice(p.SoftFiles), nice(p.SoftFiles)),
					Why: fmt.Sprintf("%d of its descriptors are open; the server keeps the rest for refusals and all else", *p.OpenFiles),
				}
			}
		}
		if s.OpenFiles != nil && s.MaxFiles != nil && float64(*s.OpenFiles) >= 0.96*float64(*s.MaxFiles) {
			return &report.Stop{Limit: "RLIMIT_NOFILE", Of: "the server", Value: fmt.Sprint(*s.MaxFiles),
				Set: "LimitNOFILE= under [Service] of its unit, or ulimit -n before it is started", Why: fmt.Sprintf("%v of its descriptors are open", *s.OpenFiles)}
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

// serverReserve is what a pushd leaves of its descriptors for all else.
const serverReserve = 704

// nice is the limit of open files to set in place of one that was too low.
func nice(now uint64) uint64 {
	for _, n := range []uint64{1 << 16, 1 << 20} {
		if now < n {
			return n
		}
	}
	return now * 2
}
