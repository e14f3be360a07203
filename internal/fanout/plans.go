package main

import (
	"context"
	"fmt"
)

// run carries out plans one after the other, for one table.
func run(ctx context.Context, o *options, plans ...plan) (*table, error) {
	var s sheet
	var notes []string
	for _, p := range plans {
		p.rounds, p.while = o.rounds, o.while()
		if err := p.compare(ctx, o.server, &s, &notes); err != nil {
			return nil, err
		}
	}
	t := s.table()
	t.notes = notes
	return t, nil
}

func one(ctx context.Context, o *options) (*table, error) {
	return run(ctx, o, plan{
		conns:    o.conns,
		audience: audience{1, 1},
		size:     128,
		bursts:   []burst{{"50 at once", messages(50, 1), 1}, {"100 at once", messages(100, 1), 1}},
		times:    6,
		calls:    true,
	})
}

func payloads(ctx context.Context, o *options) (*table, error) {
	var plans []plan
	for _, p := range []struct {
		label       string
		conns, size int
		messages    int
	}{
		{"32 B, ", 5_000, 32, 50},
		{"1 KiB, ", 5_000, 1 << 10, 50},
		{"16 KiB, ", 2_000, 16 << 10, 20}, // 650 MB in all, most of which may stand in the kernel at once
	} {
		plans = append(plans, plan{
			label:    p.label,
			conns:    o.scaled(p.conns),
			audience: audience{1, 1},
			size:     p.size,
			bursts:   []burst{{fmt.Sprintf("%d at once", p.messages), messages(p.messages, 1), 1}},
		})
	}
	return run(ctx, o, plans...)
}

func portfolio(ctx context.Context, o *options) (*table, error) {
	n := o.scaled(2_000)
	topics := max(100, n/4)
	return run(ctx, o, plan{
		conns:    n,
		audience: audience{topics, 50},
		size:     128,
		calls:    true,
		bursts:   []burst{{"1 to each topic at once", messages(1, topics), 3}, {"5 to each topic at once", messages(5, topics), 1}},
	})
}

func topics(ctx context.Context, o *options) (*table, error) {
	return run(ctx, o, plan{
		conns:    o.conns,
		audience: audience{o.conns, 1},
		size:     128,
		calls:    true,
		bursts:   []burst{{"1 to each topic at once", messages(1, o.conns), 10}, {"10 to each topic at once", messages(10, o.conns), 1}},
	})
}
