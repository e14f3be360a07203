package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"
)

// subject is what is measured, server or floor, and the crowd that it sends to.
type subject struct {
	process
	server  *pushd // nil for the floor
	floor   *worker
	crowd   *worker
	address string

	audience audience
	size     int      // of a payload, in bytes
	numbers  []uint32 // by topic: the number of the last message
	readers  []int    // by topic: how many get it
	conns    int      // with the stuck
	stuck    int
}

// newServer starts a server, with flags of its own, and a crowd for it that is still empty.
func newServer(ctx context.Context, binary string, a audience, size int, flags ...string) (*subject, error) {
	s := newSubject(a, size)
	var err error
	if s.server, err = startPushd(ctx, binary, flags...); err != nil {
		return nil, err
	}
	s.process, s.address = process(s.server.cmd.Process.Pid), s.server.public
	if s.crowd, err = start(ctx, "crowd"); err != nil {
		s.stop()
		return nil, err
	}
	return s, nil
}

// newFloor starts a floor and a crowd for it that is still empty.
func newFloor(ctx context.Context, a audience, size int) (*subject, error) {
	s := newSubject(a, size)
	var err error
	if s.floor, err = start(ctx, "floor"); err != nil {
		return nil, err
	}
	s.process = process(s.floor.cmd.Process.Pid)
	var where accepted
	if err = s.floor.ask(request{Accept: &accept{}}, &where); err == nil {
		s.address = where.Address
		s.crowd, err = start(ctx, "crowd")
	}
	if err != nil {
		s.stop()
		return nil, err
	}
	return s, nil
}

func newSubject(a audience, size int) *subject {
	return &subject{audience: a, size: size, numbers: make([]uint32, a.Topics), readers: make([]int, a.Topics)}
}

func (s *subject) stop() {
	if s.crowd != nil {
		s.crowd.stop()
	}
	if s.server != nil {
		s.server.stop()
	} else {
		s.floor.stop()
	}
}

// open adds n subscribers, of whom the first so many are stuck; each is a user of its own if so asked.
func (s *subject) open(n, stuck int, users bool) error {
	shaken := make(chan error, 1)
	go func() {
		if s.floor == nil {
			shaken <- nil
			return
		}
		shaken <- s.floor.ask(request{Accept: &accept{n}}, new(accepted))
	}()
	err := s.crowd.ask(request{Open: &opening{Address: s.address, Audience: s.audience, Users: users, N: n, Stuck: stuck}}, new(opened))
	if err != nil {
		return err // the floor may wait for ever; it ends with stop
	}
	for topic, readers := range s.audience.sizes(s.conns+stuck, s.conns+n) {
		s.readers[topic] += readers
	}
	s.conns += n
	s.stuck += stuck
	return <-shaken
}

// number makes the heads of the next messages of topics, one each, and says how many deliveries they are.
func (s *subject) number(topics []int) (heads []string, deliveries uint64) {
	now := time.Now()
	for _, t := range topics {
		s.numbers[t]++
		heads = append(heads, head{s.numbers[t], uint32(t), now}.String())
		deliveries += uint64(s.readers[t])
	}
	return heads, deliveries
}

// errRefused: the server has answered that a message was not published.
var errRefused = errors.New("the server has refused a message")

// publish sends what the heads begin, and returns when server or floor says that it has them.
func (s *subject) publish(heads []string) error {
	if s.floor != nil {
		return s.floor.ask(request{Send: &send{heads, s.size}}, new(sent))
	}
	status, err := s.server.post(heads, s.size)
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("%w: HTTP %d", errRefused, status)
	}
	return err
}

// turn is one measurement of a subject.
type turn struct {
	counted
	wall time.Duration // from the publishing of the first message to the last delivery
	cpu  time.Duration // that the subject used
	lost uint64        // deliveries that never came
	late time.Duration // how far behind its pace the publisher ended
}

func (t turn) perSecond() float64    { return float64(t.Got) / t.wall.Seconds() }
func (t turn) perCPUSecond() float64 { return float64(t.Got) / max(t.cpu.Seconds(), 1./ticks) }
func (t turn) cpuPerMillion() float64 {
	return t.cpu.Seconds() / float64(max(t.Got, 1)) * 1e6
}

// patience is after how long a silence a delivery counts as lost.
const patience = 5 * time.Second

// measure has f publish and counts what comes of it. f returns how many deliveries that should be and how late it was.
func (s *subject) measure(f func() (deliveries uint64, late time.Duration, err error)) (t turn, err error) {
	before, err := s.cpu()
	if err != nil {
		return t, err
	}
	began := time.Now()
	want, late, err := f()
	if err != nil {
		return t, err
	}
	if err := s.crowd.ask(request{Count: &counting{want, patience}}, &t.counted); err != nil {
		return t, err
	}
	after, err := s.cpu()
	t.wall, t.cpu, t.late = t.Last.Sub(began), after-before, late
	t.lost = want - min(t.Got, want)
	return t, err
}

// burst publishes b. Its latencies are those of the last request.
func (s *subject) burst(b burst) (sum turn, err error) {
	for range b.times {
		t, err := s.measure(func() (uint64, time.Duration, error) {
			heads, deliveries := s.number(b.topics)
			return deliveries, 0, s.publish(heads)
		})
		if err != nil {
			return sum, err
		}
		t.Got, t.Extra, t.lost = t.Got+sum.Got, t.Extra+sum.Extra, t.lost+sum.lost
		t.wall, t.cpu = t.wall+sum.wall, t.cpu+sum.cpu
		sum = t
	}
	return sum, nil
}

// capacity is how many messages a second the subject can send, the better of two bursts.
func (s *subject) capacity(b burst) (rate float64, err error) {
	for range 2 {
		t, err := s.burst(b)
		if err != nil {
			return 0, err
		}
		rate = max(rate, t.perSecond()/mean(s.readers))
	}
	return rate, nil
}

// paced publishes the next of topics, over and over, rate a second for a while, as many at a time as keeps it at no more than
// a hundred requests a second.
func (s *subject) paced(ctx context.Context, topics []int, rate float64, while time.Duration) (turn, error) {
	return s.measure(func() (total uint64, late time.Duration, err error) {
		at := 0
		batch := max(1, int(rate/100))
		late, err = pace(ctx, rate/float64(batch), while, func() error {
			next := make([]int, batch)
			for i := range next {
				next[i] = topics[at%len(topics)]
				at++
			}
			heads, deliveries := s.number(next)
			total += deliveries
			return s.publish(heads)
		})
		return total, late, err
	})
}

// pace calls f rate times a second for a while, at least once, and returns how late the last call ended.
func pace(ctx context.Context, rate float64, while time.Duration, f func() error) (late time.Duration, err error) {
	began := time.Now()
	calls := max(1, int(rate*while.Seconds()))
	due := began
	for i := range calls {
		due = began.Add(time.Duration(float64(i) / rate * float64(time.Second)))
		select {
		case <-time.After(time.Until(due)):
		case <-ctx.Done():
			return 0, ctx.Err()
		}
		if err := f(); err != nil {
			return 0, err
		}
	}
	return time.Since(due), nil
}
