package main

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"
)

// floorRate is how many messages of size bytes a second a floor can send to n subscribers of one topic.
func floorRate(ctx context.Context, n, size int) (float64, error) {
	f, err := newFloor(ctx, audience{1, 1}, size)
	if err != nil {
		return 0, err
	}
	defer f.stop()
	if err := f.open(n, 0, false); err != nil {
		return 0, err
	}
	return f.capacity(burst{topics: messages(20, 1), times: 1})
}

// crowded starts a server with n subscribers of one topic.
func crowded(ctx context.Context, o *options, n, size int) (*subject, error) {
	s, err := newServer(ctx, o.server, audience{1, 1}, size)
	if err != nil {
		return nil, err
	}
	if err := s.open(n, 0, false); err != nil {
		s.stop()
		return nil, err
	}
	return s, nil
}

// overload measures what a publisher sees that publishes more than a send loop could do, one message after the other.
func overload(ctx context.Context, o *options) (*table, error) {
	const size = 128
	floor, err := floorRate(ctx, o.conns, size)
	if err != nil {
		return nil, err
	}
	s, err := crowded(ctx, o, o.conns, size)
	if err != nil {
		return nil, err
	}
	defer s.stop()
	rate, while := 3*floor, o.while()*10/3
	statuses := make(map[int]int)
	var answers histogram
	t, err := s.measure(func() (want uint64, late time.Duration, err error) {
		late, err = pace(ctx, rate, while, func() error {
			heads, deliveries := s.number([]int{0})
			asked := time.Now()
			status, err := s.server.post(heads, size)
			answers.add(time.Since(asked))
			statuses[status]++
			if status == http.StatusOK {
				want += deliveries
			}
			return err
		})
		return want, late, err
	})
	if err != nil {
		return nil, err
	}
	if t.lost+t.Extra > 0 {
		return nil, fmt.Errorf("%d deliveries of acknowledged messages lost, %d extra: expected none", t.lost, t.Extra)
	}
	table := &table{head: []string{"", "pushd"}}
	table.add("asked for: messages a second", figure(rate))
	for _, status := range slices.Sorted(maps.Keys(statuses)) {
		table.add(fmt.Sprintf("answered %d", status), commas(statuses[status]))
	}
	table.add("publisher late at the end, s", figure(t.late.Seconds()))
	table.add("answer p50, ms", figure(milliseconds(answers.quantile(0.5))))
	table.add("answer p99, ms", figure(milliseconds(answers.quantile(0.99))))
	table.add("answer at worst, ms", figure(milliseconds(answers.max)))
	table.add("deliveries a second", figure(t.perSecond()))
	table.add("delivery p50, ms", figure(milliseconds(t.P50)))
	table.add("delivery p99, ms", figure(milliseconds(t.P99)))
	table.add("CPU s a million deliveries", figure(t.cpuPerMillion()))
	table.notes = []string{fmt.Sprintf("%s subscribers, %d bytes, %s s. Lost %d, extra %d, of %s deliveries of acknowledged messages.",
		commas(o.conns), size, figure(while.Seconds()), t.lost, t.Extra, commas(int(t.Got)))}
	return table, nil
}

// listed names codes and their counts.
func listed(codes map[string]int, of int) string {
	var parts []string
	for _, code := range slices.Sorted(maps.Keys(codes)) {
		if codes[code] > 0 {
			parts = append(parts, fmt.Sprintf("%d × %s", codes[code], code))
		}
	}
	if len(parts) == 0 {
		parts = []string{"0"}
	}
	return fmt.Sprintf("%s of %d", strings.Join(parts, ", "), of)
}
