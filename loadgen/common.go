package loadgen

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"runtime"
	"strings"
	"time"

	"github.com/pushd/pushd/tuning"
)

// Common is what all scenarios share. The zero value, with a URL, is useful.
type Common struct {
	URLs        []string // of the servers, see ParseTarget; client i has the URL i modulo their number
	Headers     []string // NAME: VALUE, of the clients' requests
	FirstFrames []string // text frames that a client sends after the handshake; {topic} (one frame for each), {topics} (a JSON list), {client}, {n} (the frame's number)
	Answers     []string // MESSAGE=ANSWER: keep-alives that the server sends as messages; those of pushd.v1 are known
	Gap         string   // what a message holds that tells of a gap; "": "op":"gap", as in pushd.v1
	Topic       string   // the topic, or where there are several the first part of their names; "": loadgen

	Publishing
	Admin      string // of a pushd: published to, and asked what it costs; "": none
	AdminToken string
	ServerPIDs []int // of the server's processes on this host; none: whoever listens, where that is this host

	Sources []netip.Addr  // addresses that clients come from; none: the host's choice, and 127.0.0.2 to 127.0.0.251 to targets on loopback
	Pending int           // handshakes under way at most, of each worker; 0: 200
	Timeout time.Duration // of a handshake; 0: 10 s
	Workers int           // processes at least; 0: as many as the limit of open files asks for
	Worker  []string      // a command that calls Work with its standard input and output; nil: all clients are in this process

	Dump bool // the first client's wire is shown on standard error

	Progress func(Progress) // called once a second, or nil
	Version  string         // of the program
	Command  []string       // that gives this run again, for the report
}

// Progress is where a run stands.
type Progress struct {
	Phase                      string // "connecting", "publishing", …
	Elapsed                    time.Duration
	Asked, Open, Refused, Lost int
	PerSecond                  float64 // connections opened in the last second
	Published                  int
	Delivered                  uint64
	DeliveriesPerSecond        float64
	P50, P99                   time.Duration // of deliveries in the last second
}

// reservedFiles are the descriptors that a worker leaves for all else.
const reservedFiles = 100

// sockets is how many clients one process may have.
func sockets() (int, error) {
	files, err := tuning.RaiseOpenFiles()
	if err != nil {
		return 0, err
	}
	if files <= 2*reservedFiles {
		return 0, fmt.Errorf("the limit of open files is %d: expected more than %d (ulimit -n)", files, 2*reservedFiles)
	}
	return files - reservedFiles, nil
}

// plan is what workers are told.
func (c *Common) plan(a Audience, tag uint32) (p plan, err error) {
	if c.Pending < 0 || c.Timeout < 0 || c.Workers < 0 {
		return p, fmt.Errorf("%d handshakes under way, a timeout of %v, %d workers: expected 0 or more of each", c.Pending, c.Timeout, c.Workers)
	}
	if len(c.URLs) == 0 {
		return p, errors.New("no URL: expected that of a server, such as ws://127.0.0.1:8080/ws?topic={topic}")
	}
	for _, u := range c.URLs {
		t, err := ParseTarget(u)
		if err != nil {
			return p, err
		}
		p.Targets = append(p.Targets, t)
	}
	for _, h := range c.Headers {
		if name, _, ok := strings.Cut(h, ":"); !ok || name == "" || strings.ContainsAny(h, "\r\n") {
			return p, fmt.Errorf("%q: expected a header as NAME: VALUE", h)
		}
	}
	p.Answers = []pair{{`{"op":"ping"}`, `{"op":"pong"}`}}
	for _, a := range c.Answers {
		message, answer, ok := strings.Cut(a, "=")
		if !ok || message == "" {
			return p, fmt.Errorf("%q: expected MESSAGE=ANSWER", a)
		}
		p.Answers = append(p.Answers, pair{message, answer})
	}
	p.Headers, p.Frames, p.Audience, p.Tag = c.Headers, c.FirstFrames, a, tag
	p.Dump = c.Dump
	p.Gap = or(c.Gap, `"op":"gap"`)
	p.Pending, p.Timeout, p.Tick = c.Pending, c.Timeout, 200*time.Millisecond
	if p.Pending == 0 {
		p.Pending = 200
	}
	if p.Timeout == 0 {
		p.Timeout = 10 * time.Second
	}
	// Once half of an address's ports are taken, Linux looks through all of these first, for each connection.
	p.Sources, p.PerSource = c.Sources, ports()*2/5*len(p.Targets)
	if len(p.Sources) == 0 && runtime.GOOS == "linux" && onLoopback(p.Targets) { // macOS has 127.0.0.1 alone
		for i := range 250 {
			p.Sources = append(p.Sources, netip.AddrFrom4([4]byte{127, 0, 0, byte(i + 2)}))
		}
	}
	return p, nil
}

func onLoopback(targets []Target) bool {
	for _, t := range targets {
		if !t.Addr.Addr().Is4() || !t.Addr.Addr().IsLoopback() {
			return false
		}
	}
	return true
}

// ports is how many there are for outgoing connections of one address
// (net.ipv4.ip_local_port_range of ip(7)).
func ports() int {
	var first, last int
	b, err := os.ReadFile("/proc/sys/net/ipv4/ip_local_port_range")
	if err == nil {
		_, err = fmt.Sscan(string(b), &first, &last)
	}
	if err != nil || last < first {
		return 16_384 // 49152 to 65535 (RFC 6335 section 6), of macOS and FreeBSD
	}
	return last - first + 1
}

// mostRate bounds rates: a million a second is beyond what one generator can do.
const mostRate = 1e6

// checkRate refuses what is no rate, NaN above all. 0 is as fast as goes, where
// that is allowed.
func checkRate(of string, rate float64, zero bool) error {
	if rate > 0 && rate <= mostRate || zero && rate == 0 {
		return nil
	}
	return fmt.Errorf("%v %s a second: expected more than 0, and no more than %.0f", rate, of, mostRate)
}
