package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// What the topic of the stuck is like, and what is published to it.
const (
	stuckBytes = 1 << 10
	stuckRate  = 20 // messages a second
)

// stuckBurst is more than the log and a socket hold, and at no time so much that somebody who reads could fall behind by the log.
var stuckBurst = burst{topics: messages(50, 1), times: 8}

// stuckFlags are for a log that the stuck can fall out of: it must hold four of the longest messages.
var stuckFlags = []string{"--log-limit", "256KiB", "--max-message", "32KiB"}

// slowness is a way in which subscribers can be slow: what becomes of them, and how many of a hundred they are.
type slowness struct {
	policy  string
	percent int
}

// stuckOnes measures what the others notice of subscribers that never read, beside the same without any.
func stuckOnes(ctx context.Context, o *options) (*table, error) {
	kinds := []slowness{{"", 0}}
	for _, policy := range []string{"disconnect", "drop", "conflate"} {
		kinds = append(kinds, slowness{policy, 1}, slowness{policy, 10})
	}
	found := make([]slowTurns, len(kinds))
	n := o.scaled(5_000)
	for range o.rounds {
		for i, k := range kinds {
			if err := found[i].turn(ctx, o, k, n, found[0].heap); err != nil {
				return nil, err
			}
		}
	}
	t := &table{head: []string{"of the subscribers are stuck", "burst, deliveries a second", "beside none", "p99, ms", "beside none", "closed by the server", "heap, bytes each"}}
	none := found[0]
	for i, k := range kinds {
		f := found[i]
		if i == 0 {
			t.add("none", figure(median(f.burst)), spread(f.burst), figure(median(f.p99)), spread(f.p99), "", "")
			continue
		}
		t.add(fmt.Sprintf("%d%%, %s", k.percent, k.policy),
			figure(median(f.burst)), figure(median(f.burst)/median(none.burst)),
			figure(median(f.p99)), figure(median(f.p99)/median(none.p99)),
			f.closed, figure(median(f.each)))
	}
	t.notes = []string{fmt.Sprintf("%s subscribers, a log of 256 KiB. The burst is %d times %d messages of 1 KiB, each time when the last are delivered; "+
		"p99 is of %d messages a second after it. "+
		"Beside `none` stand its lowest and highest turn against the median. Bytes each: what the server's objects take more than without stuck "+
		"subscribers, after a collection, over their number. None of the others has lost anything.", commas(n), stuckBurst.times, len(stuckBurst.topics), stuckRate)}
	return t, nil
}

// slowTurns is what was measured with one kind of slowness, by turn.
type slowTurns struct {
	burst  []float64 // deliveries a second, to the others
	p99    []float64 // ms, of the others
	heap   []float64 // bytes that the server's objects take in the end
	each   []float64 // of a stuck one, beside a server without any
	closed string    // how many the server has closed, and with what
}

// turn measures one server with n subscribers, some of them stuck. none is what the objects of servers without stuck ones
// take, the last that of this round.
func (f *slowTurns) turn(ctx context.Context, o *options, k slowness, n int, none []float64) error {
	flags, remove, err := k.flags()
	if err != nil {
		return err
	}
	defer remove()
	s, err := newServer(ctx, o.server, audience{1, 1}, stuckBytes, flags...)
	if err != nil {
		return err
	}
	defer s.stop()
	stuck := n * k.percent / 100
	if err := s.open(n, stuck, false); err != nil {
		return err
	}
	if _, err := s.burst(burst{topics: messages(1, 1), times: 1}); err != nil {
		return err
	}
	b, err := s.burst(stuckBurst)
	if err != nil {
		return err
	}
	p, err := s.paced(ctx, messages(1, 1), stuckRate, o.while())
	if err != nil {
		return err
	}
	if lost, extra := b.lost+p.lost, b.Extra+p.Extra; lost+extra > 0 || p.Ended > p.StuckEnded {
		return fmt.Errorf("%d stuck, %s: of the others %d connections ended, %d deliveries are lost, %d extra: expected none",
			stuck, k.policy, p.Ended-p.StuckEnded, lost, extra)
	}
	f.burst, f.p99 = append(f.burst, b.perSecond()), append(f.p99, milliseconds(p.P99))
	heap, err := s.server.heap()
	f.heap = append(f.heap, heap)
	if err != nil || stuck == 0 {
		return err
	}
	f.each = append(f.each, (heap-none[len(none)-1])/float64(stuck))
	f.closed, err = k.closes(ctx, s.server, stuck)
	return err
}

// flags are those of a server on which slow subscribers meet the policy, until remove is called.
func (k slowness) flags() (flags []string, remove func(), err error) {
	if k.policy == "" || k.policy == "disconnect" { // which is the default
		return stuckFlags, func() {}, nil
	}
	folder, err := os.MkdirTemp("", "fanout")
	if err != nil {
		return nil, nil, err
	}
	remove = func() { os.RemoveAll(folder) }
	file := filepath.Join(folder, "pushd.yaml")
	text := fmt.Sprintf("topics: [{pattern: %s, slow: %s, log: 256KiB}]\n", topicName(0), k.policy)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		remove()
		return nil, nil, err
	}
	return append([]string{"--config", file}, stuckFlags...), remove, nil
}

// closes says how many connections the server has closed, and with what code. Where all of the stuck must be, it gives it ten
// seconds.
func (k slowness) closes(ctx context.Context, server *pushd, stuck int) (string, error) {
	for end := time.Now().Add(10 * time.Second); ; {
		codes, err := server.closes()
		if err != nil {
			return "", err
		}
		if k.policy != "disconnect" || codes["1013"] >= stuck || time.Now().After(end) {
			return listed(codes, stuck), nil
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
			return "", ctx.Err()
		}
	}
}
