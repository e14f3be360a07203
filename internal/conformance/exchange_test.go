package conformance_test

import (
	"testing"
)

// alive is the end of an exchange after which the connection goes on.
const alive = 0

// exchange is a case: what is sent on a new connection to /echo, and all that has
// to come.
type exchange struct {
	rule, label string
	send        []byte
	want        []frame
	end         int // the code that it is closed with, 1005 for none, or alive
}

// short is how many bytes are cut in every place.
const short = 48

func (x exchange) run(t *testing.T, h *host) {
	n := len(x.send)
	x.play(t, h)
	if n > short {
		x.play(t, h, n/3, n-1)
		return
	}
	every := make([]int, 0, n)
	for cut := 1; cut < n; cut++ {
		x.play(t, h, cut)
		every = append(every, cut)
	}
	x.play(t, h, every...)
}

func (x exchange) play(t *testing.T, h *host, cuts ...int) {
	t.Helper()
	p := h.echo(t)
	defer p.leave()
	p.pieces(x.send, cuts...)
	p.gets(x.want...)
	if x.end == alive {
		p.lives()
	} else {
		p.closed(x.end)
	}
	if t.Failed() {
		t.Logf("sent in pieces that end at %v", cuts)
	}
}

// story is a case that takes more than one exchange.
type story struct {
	rule, label string
	play        func(t *testing.T, h *host)
}

func runExchanges(t *testing.T, cases []exchange) {
	h := open(t)
	for _, x := range cases {
		t.Run(x.rule+": "+x.label, func(t *testing.T) { x.run(t, h) })
	}
}

func runStories(t *testing.T, cases []story) {
	h := open(t)
	for _, s := range cases {
		t.Run(s.rule+": "+s.label, func(t *testing.T) { s.play(t, h) })
	}
}
