package loadgen

import (
	"bytes"
	"fmt"
	"maps"
	"strconv"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// class is how a client behaves.
type class uint8

const (
	healthy  class = iota
	stopped        // reads nothing after the handshake
	crawling       // reads a few bytes a second
	vanished       // is cut off from the network: it acknowledges nothing and sends no FIN
	classes
)

func (c class) String() string { return [...]string{"healthy", "stopped", "crawling", "vanished"}[c] }

// counts are what a crowd has seen since it began. Those of messages are of
// healthy clients.
type counts struct {
	Attempts, Opened, Refused   int // handshakes begun, done, and refused or failed
	Open                        [classes]int
	Left, Lost                  int          // connections closed by us, and by whatever else
	LostBy                      [classes]int // the lost, by class
	Pending, Denied             int          // handshakes under way; clients that were refused and do not try again
	Waiting                     int          // clients that are lost and will come back
	Returned                    int
	MostRetries                 int    // of one client, after its first refused attempt
	Delivered, Lacking          uint64 // messages received, each once; messages known to be missing
	Repeated, Disordered        uint64
	Gaps, Foreign, Other, Bytes uint64 // gaps told; messages of other runs, and without a marker; bytes received
	Pings                       uint64
	ForeignHost                 bool // a message came from another host's clock
}

func (c *counts) add(o *counts) {
	c.Attempts, c.Opened, c.Refused = c.Attempts+o.Attempts, c.Opened+o.Opened, c.Refused+o.Refused
	c.Left, c.Lost, c.Waiting, c.Returned = c.Left+o.Left, c.Lost+o.Lost, c.Waiting+o.Waiting, c.Returned+o.Returned
	for i := range c.Open {
		c.Open[i] += o.Open[i]
		c.LostBy[i] += o.LostBy[i]
	}
	c.Pending, c.Denied = c.Pending+o.Pending, c.Denied+o.Denied
	c.MostRetries = max(c.MostRetries, o.MostRetries)
	c.Delivered, c.Lacking = c.Delivered+o.Delivered, c.Lacking+o.Lacking
	c.Repeated, c.Disordered = c.Repeated+o.Repeated, c.Disordered+o.Disordered
	c.Gaps, c.Foreign, c.Other, c.Bytes = c.Gaps+o.Gaps, c.Foreign+o.Foreign, c.Other+o.Other, c.Bytes+o.Bytes
	c.Pings += o.Pings
	c.ForeignHost = c.ForeignHost || o.ForeignHost
}

func (c counts) open() (n int) {
	for _, of := range c.Open {
		n += of
	}
	return n
}

// cause is why connections failed or were lost.
type cause struct {
	Kind    kind
	What    string // details that tell causes apart: "HTTP 503 Service Unavailable", "close 1013"
	Class   class
	N       int
	Example string // what was said, once
}

func (c *cause) key() string { return fmt.Sprint(c.Kind, c.Class, c.What) }

// causes counts by cause. Beyond maxCauses all else is one cause, since a
// server could say something new each time.
type causes map[string]*cause

const maxCauses = 50

func (all causes) add(c cause) {
	have := all[c.key()]
	if have == nil && len(all) >= maxCauses {
		c.What = "other"
		have = all[c.key()]
	}
	if have == nil {
		c.Example = c.Example[:min(len(c.Example), 300)]
		all[c.key()] = &c
		return
	}
	have.N += c.N
}

// merge adds the causes of another crowd.
func (all causes) merge(of causes) {
	for _, c := range of {
		all.add(*c)
	}
}

// distribution counts durations in µs. The zero value is not usable.
type distribution struct{ *hdrhistogram.Histogram }

// longest is the longest duration that is told from longer ones, in µs: 10 min.
const longest = 600_000_000

func newDistribution() distribution { return distribution{hdrhistogram.New(1, longest, 3)} }

// add counts ns nanoseconds.
func (d distribution) add(ns int64) {
	d.RecordValue(min(max(ns/1000, 1), longest)) // within the bounds: cannot fail
}

// merge adds what o has counted, which may be nothing.
func (d distribution) merge(o distribution) {
	if o.Histogram != nil {
		d.Merge(o.Histogram)
	}
}

// MarshalText implements encoding.TextMarshaler: the counts that are not 0, each with
// its place. (The library's own form is compressed, and making it takes more
// memory than ten thousand clients.)
func (d distribution) MarshalText() (b []byte, err error) {
	if d.Histogram == nil || d.TotalCount() == 0 {
		return nil, nil
	}
	for i, n := range d.Export().Counts {
		if n > 0 {
			b = strconv.AppendInt(append(strconv.AppendInt(b, int64(i), 10), ':'), n, 10)
			b = append(b, ' ')
		}
	}
	return b, nil
}

// UnmarshalText implements encoding.TextUnmarshaler.
func (d *distribution) UnmarshalText(b []byte) error {
	if len(b) == 0 {
		return nil
	}
	s := newDistribution().Export()
	for _, field := range bytes.Fields(b) {
		place, count, _ := bytes.Cut(field, []byte(":"))
		i, err1 := strconv.Atoi(string(place))
		n, err2 := strconv.ParseInt(string(count), 10, 64)
		if err1 != nil || err2 != nil || i < 0 || i >= len(s.Counts) {
			return fmt.Errorf("%q: expected PLACE:COUNT of a distribution", field)
		}
		s.Counts[i] = n
	}
	d.Histogram = hdrhistogram.Import(s)
	return nil
}

// span is when the first and the last of a crowd's clients got a message.
type span struct {
	Topic, Seq  uint32
	First, Last int64 // ns since 1970
	N           int
}

// tick is what a crowd tells once an interval: counts since it began, and the
// rest since the tick before.
type tick struct {
	Counts   counts
	Causes   causes `json:",omitempty"`
	Delivery distribution
	Connect  distribution // from when a client was to connect until its handshake was done
	Return   distribution // of who came back: from the moment of the order
	Served   []served     `json:",omitempty"`
	Spans    []span       `json:",omitempty"`
	Busy     float64      // share of one processor that the process used
	CPU      float64      // that it has used, in seconds
	RSS      uint64       // of the process, in bytes…
	Idle     uint64       // …and before it had clients
	Late     float64      // seconds that opening connections is behind its rate
	GaveUp   bool         // growing, after too many refusals in a row
	Orders   int          // that have been carried out
	Ended    string       // why the crowd has ended, where that was not asked for
}

// served counts who came back in one second after the order, and attempts.
type served struct{ Second, Returned, Attempts, Refused int }

func cloneCauses(c causes) causes {
	out := maps.Clone(c)
	for k, v := range out {
		copied := *v
		out[k] = &copied
	}
	return out
}
