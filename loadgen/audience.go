package loadgen

import (
	"math"
	"math/rand/v2"
	"slices"
	"sort"
	"strconv"
)

// Audience says who subscribes to what. It is a function of the client's
// number, so that all processes know it without telling each other.
type Audience struct {
	Prefix string   // of topics' names
	Names  []string `json:",omitempty"` // the topics' own names, or none
	Topics int      // how many there are
	Each   int      // subscriptions of a client, at most Topics
	Skew   float64  // Zipf: topic i, from 1, is wanted in proportion to 1/i^Skew; 0: client i has the topics i, i+1, … as on a ring
}

// Name is topic i's, from 0. Without names of their own it is the prefix and
// a number; where there is one topic it is the prefix alone.
func (a Audience) Name(i int) string {
	if a.Names != nil {
		return a.Names[i]
	}
	if a.Topics == 1 {
		return a.Prefix
	}
	return a.Prefix + "." + strconv.Itoa(i)
}

// zipf draws topics by their popularity.
type zipf []float64 // the sum of the weights up to and with each

func newZipf(n int, skew float64) zipf {
	z := make(zipf, n)
	sum := 0.0
	for i := range z {
		sum += math.Pow(float64(i+1), -skew)
		z[i] = sum
	}
	return z
}

func (z zipf) draw(r *rand.Rand) int {
	return min(sort.SearchFloat64s(z, r.Float64()*z[len(z)-1]), len(z)-1)
}

// chooser finds clients' topics.
type chooser struct {
	Audience
	zipf zipf
	pcg  *rand.PCG
	rand *rand.Rand
}

func (a Audience) chooser() *chooser {
	c := &chooser{Audience: a, pcg: rand.NewPCG(0, 0)}
	c.rand = rand.New(c.pcg)
	if a.Skew > 0 {
		c.zipf = newZipf(a.Topics, a.Skew)
	}
	return c
}

// topics are client i's, in ascending order where they are drawn. The result is
// appended to to.
func (c *chooser) topics(i int, to []int) []int {
	from := len(to)
	if c.Skew == 0 || c.Each == c.Topics {
		for s := range c.Each {
			to = append(to, (i+s)%c.Topics)
		}
		return to
	}
	c.pcg.Seed(uint64(i), 0x7075736864)
	for tries := 0; len(to)-from < c.Each; tries++ {
		t := c.zipf.draw(c.rand)
		for tries > 20*c.Each && slices.Contains(to[from:], t) { // all popular ones are taken: the next that is not
			t = (t + 1) % c.Topics
		}
		if !slices.Contains(to[from:], t) {
			to = append(to, t)
		}
	}
	slices.Sort(to[from:])
	return to
}

// slot is which of its subscriptions topic t is to client i, whose drawn topics
// are given.
func (a Audience) slot(i, t int, drawn []uint32) (int, bool) {
	if a.drawn() {
		return slices.BinarySearch(drawn, uint32(t))
	}
	if t >= a.Topics {
		return 0, false
	}
	s := (t - i) % a.Topics
	if s < 0 {
		s += a.Topics
	}
	return s, s < a.Each
}

// drawn reports whether a client's topics have to be remembered.
func (a Audience) drawn() bool { return a.Skew > 0 && a.Each < a.Topics }
