package main

import (
	"cmp"
	"slices"
	"time"
)

// sheet collects what server and floor do in turns: floor, server, floor, server, …, floor.
type sheet struct {
	rows []*row
}

// row is one quantity, by turn.
type row struct {
	name   string
	server []float64
	floor  []float64 // one more
}

// row returns the one of that name, which it makes where there is none.
func (s *sheet) row(name string) *row {
	for _, r := range s.rows {
		if r.name == name {
			return r
		}
	}
	r := &row{name: name}
	s.rows = append(s.rows, r)
	return r
}

// note puts down a turn's value of a quantity.
func (s *sheet) note(who *subject, name string, value float64) {
	r := s.row(name)
	if who.floor != nil {
		r.floor = append(r.floor, value)
	} else {
		r.server = append(r.server, value)
	}
}

// ratio is the median of the server's turns, each against the mean of the floor's around it.
func (r *row) ratio() float64 {
	var ratios []float64
	for i, x := range r.server {
		ratios = append(ratios, x/((r.floor[i]+r.floor[i+1])/2))
	}
	return median(ratios)
}

// spread is the lowest and highest ratio of two neighbouring turns of the floor.
func (r *row) spread() (low, high float64) {
	for i, x := range r.floor[1:] {
		ratio := x / r.floor[i]
		if i == 0 {
			low, high = ratio, ratio
		}
		low, high = min(low, ratio), max(high, ratio)
	}
	return low, high
}

// table shows medians and ratios. Quantities that the floor does not have stand alone.
func (s *sheet) table() *table {
	t := &table{head: []string{"", "pushd", "floor", "pushd / floor", "floor / floor"}}
	for _, r := range s.rows {
		if len(r.floor) == 0 {
			t.add(r.name, figure(median(r.server)), "", "", "")
			continue
		}
		low, high := r.spread()
		t.add(r.name, figure(median(r.server)), figure(median(r.floor)), figure(r.ratio()), figure(low)+"–"+figure(high))
	}
	return t
}

// median is the middle of xs, which may come in any order, of two middles the upper; 0 if there is none.
func median[T cmp.Ordered](xs []T) (m T) {
	if len(xs) == 0 {
		return m
	}
	return slices.Sorted(slices.Values(xs))[len(xs)/2]
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// spread is the lowest and the highest of xs against their median.
func spread(xs []float64) string {
	m := median(xs)
	return figure(slices.Min(xs)/m) + "–" + figure(slices.Max(xs)/m)
}
