package main

import (
	"context"
	"fmt"
	"time"
)

// plan is a comparison of server and floor.
type plan struct {
	label    string // in front of each row's name
	conns    int
	audience audience
	size     int // of a payload, in bytes
	bursts   []burst
	times    float64 // the floor's rate that the server is sustained at, or 0
	calls    bool    // whether system calls are counted

	rounds int
	while  time.Duration
}

// burst is some messages in one request, and some such requests, each when all is delivered of the one before.
type burst struct {
	name   string
	topics []int // of the messages
	times  int
}

// messages are n to each of so many topics: one to each, then the next to each.
func messages(n, topics int) (list []int) {
	for range n {
		for t := range topics {
			list = append(list, t)
		}
	}
	return list
}

// compare lets floor and server take turns, and puts what they do down in sheet and notes.
func (p plan) compare(ctx context.Context, server string, sh *sheet, notes *[]string) error {
	floor, err := newFloor(ctx, p.audience, p.size)
	if err != nil {
		return err
	}
	defer floor.stop()
	ours, err := newServer(ctx, server, p.audience, p.size)
	if err != nil {
		return err
	}
	defer ours.stop()
	for _, s := range []*subject{floor, ours} {
		if err := s.open(p.conns, 0, false); err != nil {
			return err
		}
	}
	c := comparison{plan: p, sheet: sh}
	if c.capacity, err = floor.capacity(p.bursts[0]); err != nil {
		return err
	}
	if _, err := ours.burst(p.bursts[0]); err != nil { // what is done for the first time is not measured
		return err
	}
	if err := c.turn(ctx, floor); err != nil {
		return err
	}
	for range p.rounds {
		if err := c.turn(ctx, ours); err != nil {
			return err
		}
		if err := c.turn(ctx, floor); err != nil {
			return err
		}
	}
	*notes = append(*notes, fmt.Sprintf("%s%s connections, each subscribed to %d of %s topics; the floor's rate is %s messages a second. Lost %d, extra %d, of %s deliveries.",
		p.label, commas(p.conns), p.audience.Each, commas(p.audience.Topics), figure(c.capacity), c.lost, c.extra, commas(int(c.got))))
	if c.lost+c.extra > 0 {
		return fmt.Errorf("%d deliveries lost, %d extra: expected none", c.lost, c.extra)
	}
	if !p.calls {
		return nil
	}
	counted, err := c.systemCalls(ctx, ours)
	if !counted {
		*notes = append(*notes, "System calls are left out: perf is not there, or may not count them.")
	}
	return err
}

// comparison is a plan that is carried out.
type comparison struct {
	plan
	sheet            *sheet
	capacity         float64 // messages a second that the floor can send
	got, lost, extra uint64
}

// turn is one turn of a subject: the bursts, then a message now and then, then more than the floor could do.
func (c *comparison) turn(ctx context.Context, s *subject) error {
	for _, b := range c.bursts {
		t, err := s.burst(b)
		if err != nil {
			return err
		}
		c.count(t)
		c.sheet.note(s, c.label+b.name+": deliveries a second", t.perSecond())
		c.sheet.note(s, c.label+b.name+": deliveries a CPU second", t.perCPUSecond())
	}
	t, err := s.paced(ctx, messages(1, c.audience.Topics), c.capacity/2, c.while)
	if err != nil {
		return err
	}
	c.count(t)
	name := c.label + "half the floor's rate: "
	c.sheet.note(s, name+"CPU s a million deliveries", t.cpuPerMillion())
	c.sheet.note(s, name+"p50, ms", milliseconds(t.P50))
	c.sheet.note(s, name+"p99, ms", milliseconds(t.P99))
	if c.times == 0 {
		return nil
	}
	name = fmt.Sprintf("%s%v times the floor's rate: ", c.label, c.times)
	if s.floor != nil { // which cannot: what it does at half its rate stands for it
		c.sheet.note(s, name+"CPU s a million deliveries", t.cpuPerMillion())
		return nil
	}
	if t, err = s.paced(ctx, messages(1, c.audience.Topics), c.capacity*c.times, c.while); err != nil {
		return err
	}
	c.count(t)
	c.sheet.note(s, name+"CPU s a million deliveries", t.cpuPerMillion())
	c.sheet.note(s, name+"p99, ms", milliseconds(t.P99))
	c.sheet.note(s, name+"publisher late, s", t.late.Seconds())
	return nil
}

func (c *comparison) count(t turn) {
	c.got += t.Got
	c.lost += t.lost
	c.extra += t.Extra
}

// systemCalls counts them at half the floor's rate, if it can, apart from what is measured otherwise, because to be counted
// costs.
func (c *comparison) systemCalls(ctx context.Context, s *subject) (counted bool, err error) {
	var t turn
	n, counted, err := s.process.systemCalls(ctx, func() (err error) {
		t, err = s.paced(ctx, messages(1, c.audience.Topics), c.capacity/2, min(c.while, 2*time.Second))
		return err
	})
	if counted && err == nil {
		c.sheet.note(s, c.label+"half the floor's rate: system calls a delivery", float64(n)/float64(max(t.Got, 1)))
	}
	return counted, err
}

func mean(xs []int) float64 {
	sum := 0
	for _, x := range xs {
		sum += x
	}
	return float64(sum) / float64(len(xs))
}
