package loadgen

import (
	"net/netip"
	"time"
)

// plan is what a crowd is told first: what its clients are.
type plan struct {
	Targets   []Target
	Sources   []netip.Addr // client i has the source i/PerSource, modulo how many there are; none: the kernel chooses
	PerSource int
	Headers   []string
	Frames    []string
	Answers   []pair // what is to be answered to messages that are keep-alives
	Gap       string // what a message holds that tells of a gap
	Audience  Audience
	First, N  int           // the clients' numbers are First to First+N-1
	Pending   int           // handshakes under way at most; 0: any number
	Timeout   time.Duration // for a handshake
	Tick      time.Duration
	Tag       uint32
	Sample    uint32 // of how many messages one is looked at for its spread

	Life                time.Duration // of a connection, after which its client closes it and another takes its place; 0: for ever
	Stop, Crawl, Vanish float64       // share of the clients that behave so
	CrawlBytes          int           // that a crawling client reads a second
	Await               bool          // who is lost waits for an order to return
	Dump                bool          // client First shows its wire on standard error
}

// pair is a message and the answer that it is given.
type pair struct{ Message, Answer string }

// order changes what a crowd is to do. A field that is zero changes nothing.
type order struct {
	Grow   *growth  `json:",omitempty"`
	Return bool     `json:",omitempty"` // the clients that wait, and those that are lost from now on, come back
	Heads  []uint32 `json:",omitempty"` // by topic, the number of its last message: what is missing is counted
	Settle bool     `json:",omitempty"` // with Heads, which may be empty
	Reset  bool     `json:",omitempty"` // forget what was published so far: the numbers begin with 1
	Vanish bool     `json:",omitempty"` // clients that are to vanish do
	Leave  bool     `json:",omitempty"` // close all, with a close frame
}

// growth is how many connections there are to be, and how fast.
type growth struct {
	To     int
	Rate   float64 // connections a second; 0: as fast as goes
	GiveUp int     // after so many refusals in a row; 0: never
}
