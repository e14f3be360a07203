package loadgen

import (
	"fmt"
	"time"

	"github.com/pushd/pushd/loadgen/report"
)

// cpuBound is the share of a processor from which on a worker, being one
// goroutine, cannot keep up: what it measures is then its own queue.
const cpuBound = 0.9

// judge says which figures must not be believed, because of the generator
// itself.
func (r *run) judge() []report.Void {
	all := r.void
	if r.pub == nil {
		return all
	}
	busy, n := 0, 0
	for _, row := range r.rows {
		if row.at.After(r.begin.at) && row.window.delivery.TotalCount() > 0 {
			if n++; row.load.busiest > cpuBound {
				busy++
			}
		}
	}
	latencies := []string{"p50", "p90", "p99", "p999", "max"}
	if n > 0 && busy*10 > n {
		all = append(all, report.Void{Figures: latencies, Why: fmt.Sprintf(
			"a worker used more than %.0f%% of one processor in %d of %d seconds: latencies include its own queue. More workers (--workers) on more processors, or a lower rate.", 100*cpuBound, busy, n)})
	}
	late, p99 := quantile(r.pub.lateness, 99), quantile(r.fleet.total.delivery, 99)
	if late > max(2*time.Millisecond, p99/10) {
		all = append(all, report.Void{Figures: latencies, Why: fmt.Sprintf(
			"the generator was late: 1%% of the messages were due %v or more before they were handed on, and the delivery's p99 is %v", late, p99)})
	}
	if r.end.counts.ForeignHost {
		all = append(all, report.Void{Figures: latencies, Why: "messages came that another host has published: clocks of two hosts cannot be compared"})
	}
	if _, refused := r.pub.counts(); refused > 0 {
		all = append(all, report.Void{Figures: []string{"lost", "expected"}, Why: fmt.Sprintf(
			"the server did not take %d messages, of which nobody can say which were sent all the same", refused)})
	}
	return all
}
