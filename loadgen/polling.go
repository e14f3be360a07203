package loadgen

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pushd/pushd/loadgen/report"
)

// Polling says how HTTP polling is compared: what one poll costs is measured,
// and multiplied by how many it would take.
type Polling struct {
	URL string        // what a client would ask again and again; may hold {topic}
	For time.Duration // how long polls are measured; 0: 3 s
}

// pollers is how many ask at a time, each on a connection that is kept.
const pollers = 8

// measure polls as fast as the server answers, and works out what the same
// freshness would cost.
func (p *Polling) measure(ctx context.Context, r *run) error {
	url := strings.ReplaceAll(p.URL, "{topic}", r.audience.Name(0))
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: pollers}, Timeout: 10 * time.Second}
	defer client.CloseIdleConnections()
	lasts := p.For
	if lasts == 0 {
		lasts = 3 * time.Second
	}
	pushEnd := r.sample(ctx)
	r.phase = "polling"
	limit, stop := context.WithTimeout(ctx, lasts)
	defer stop()
	var polls, bytes atomic.Int64
	failed := make(chan error, pollers)
	var all sync.WaitGroup
	for range pollers {
		all.Go(func() {
			for limit.Err() == nil {
				n, err := poll(limit, client, url)
				if err != nil {
					if limit.Err() == nil {
						failed <- err
					}
					return
				}
				polls.Add(1)
				bytes.Add(n)
			}
		})
	}
	all.Wait()
	end := r.sample(ctx)
	select {
	case err := <-failed:
		return fmt.Errorf("polling: %w", err)
	default:
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	n := float64(max(1, polls.Load()))
	age := quantile(r.fleet.total.delivery, 50).Seconds()
	needed := float64(r.asked) / max(2*age, 1e-3) // polled every T a value is T/2 old in the mean
	const s = "polling"
	r.figures = append(r.figures,
		figure(s, "poll_bytes", "bytes of one answer, without its header", float64(bytes.Load())/n, report.Bytes, report.Neither),
		figure(s, "polls_needed", "polls a second for the freshness that pushing gave", needed, report.PerSecond, report.Neither))
	a, b := pushEnd.seen.Server, end.seen.Server
	if a != nil && b != nil && a.CPU != nil && b.CPU != nil {
		each := (*b.CPU - *a.CPU) / n
		r.figures = append(r.figures,
			figure(s, "poll_cpu", "CPU of the server a poll", each, report.Seconds, report.Neither),
			figure(s, "polling_processors", "processors that these polls would take", each*needed, report.Count, report.Neither))
		if began := r.begin.seen.Server; began != nil && began.CPU != nil {
			r.figures = append(r.figures, figure(s, "push_processors", "processors that pushing took",
				(*a.CPU-*began.CPU)/max(pushEnd.at.Sub(r.begin.at).Seconds(), 1e-3), report.Count, report.Neither))
		}
	}
	r.notes = append(r.notes, fmt.Sprintf("Polling: one poll of %s was measured %d times; a value that is polled every T is T/2 old in the mean, so polls_needed is the subscribers over twice the p50 of pushing. The rest is arithmetic.", url, polls.Load()))
	return nil
}

func poll(ctx context.Context, client *http.Client, url string) (int64, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, err
	}
	response, err := client.Do(request)
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	n, err := io.Copy(io.Discard, response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("GET %s was answered %s: expected 200", url, response.Status)
	}
	return n, err
}
