package main

import "time"

type (
	Stream   = stream
	Audience = audience
	Sheet    = sheet
	Row      = row
	Table    = table
)

const (
	CarryMax = carryMax
	HeadSize = headSize
)

var (
	Frame       = frame
	Payload     = payload
	FrameHeader = frameHeader
	ParseHead   = parseHead
	Replace     = replace
	Rewrite     = rewrite
	Figure      = figure
	Names       = scenarioNames
	Messages    = messages
)

func (s *stream) Feed(buf []byte, to sightings) error { return s.feed(buf, to) }

func Head(number, topic uint32, at time.Time) string { return head{number, topic, at}.String() }

func (a audience) Slot(i, topic int) (int, bool)        { return a.slot(i, topic) }
func (a audience) Path(i int, more string) string       { return a.path(i, more) }
func (a audience) Sizes(first, end int) (readers []int) { return a.sizes(first, end) }

func NewRow(server, floor []float64) *Row  { return &row{server: server, floor: floor} }
func (r *row) Ratio() float64              { return r.ratio() }
func (r *row) Spread() (low, high float64) { return r.spread() }

func NewTable(head ...string) *Table { return &table{head: head} }
func (t *table) Add(cells ...string) { t.add(cells...) }

// Quantiles are those of durations that a histogram was given.
func Quantiles(ds []time.Duration, qs ...float64) (found []time.Duration) {
	var h histogram
	for _, d := range ds {
		h.add(d)
	}
	for _, q := range qs {
		found = append(found, h.quantile(q))
	}
	return found
}
