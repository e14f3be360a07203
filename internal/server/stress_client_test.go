package server_test

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/gobwas/ws"
)

// stressClient is one client, which does now this and now that.
type stressClient struct {
	*stressed
	number  int
	rng     *rand.Rand
	isRaw   bool
	keeps   bool // it only reads, so that no topic is ever without a subscriber
	buffer  int  // SO_RCVBUF
	w       *wire
	members map[*stressTopic]*stressMember
	left    map[*stressTopic]*stressMember // what it had of topics that it may resume
	parted  *stressTopic                   // the one of them that it left last: its end may have been decided before
	asked   []stressAsk                    // what has not been answered, oldest first
	said    []string                       // of what happened the last
	stalled time.Time                      // when it last stopped reading
	next    int                            // id of the next command
}

type stressAsk struct {
	op    string
	id    int
	topic *stressTopic
	since string
	at    time.Time
}

// note keeps what happened for when something goes wrong.
func (c *stressClient) note(format string, args ...any) {
	if c.said = append(c.said, time.Since(c.began).Round(time.Millisecond).String()+" "+fmt.Sprintf(format, args...)); len(c.said) > 40 {
		c.said = slices.Delete(c.said, 0, 20)
	}
}

func (c *stressClient) fail(err error) {
	if !c.failed.Swap(true) { // what follows the first mistake says little
		c.t.Errorf("client %d, raw %t: %v\nits last events:\n%s", c.number, c.isRaw, err, strings.Join(c.said, "\n"))
	}
}

// run plays the client until the time is over, and then has it read all.
func (c *stressClient) run() {
	defer func() {
		if c.w != nil {
			c.w.Close()
		}
	}()
	for !c.over.Load() && !c.failed.Load() {
		if c.w == nil {
			c.connect()
		} else if !c.keeps {
			c.act()
		}
		c.read(time.Duration(1+c.rng.IntN(60))*time.Millisecond, 16<<10)
	}
	c.settle()
}

// settle reads until everything has come, and leaves.
func (c *stressClient) settle() {
	for until := time.Now().Add(30 * time.Second); !c.failed.Load(); {
		var missing error
		if c.w == nil {
			c.connect()
			missing = errors.New("not connected")
		}
		for t, m := range c.members {
			if err := m.complete(c.isRaw); err != nil {
				missing = fmt.Errorf("%s under %s, from %d: %w", t.name, m.policy, m.from, err)
			}
		}
		if len(c.asked) > 0 {
			missing = fmt.Errorf("not answered: %+v", c.asked)
		}
		if missing == nil {
			break
		}
		if time.Now().After(until) {
			c.fail(missing)
		}
		c.read(50*time.Millisecond, 64<<10)
	}
	if c.leave(); !c.failed.Load() && c.w != nil {
		c.fail(errors.New("its close was not answered"))
	}
}

// act does one of the things that clients do.
func (c *stressClient) act() {
	switch n := c.rng.IntN(40); {
	case n < 8 && !c.isRaw:
		c.subscribe()
	case n < 10 && !c.isRaw && len(c.members) > 0:
		c.ask("unsubscribe", c.some(), "", "")
	case n == 10 && !c.isRaw:
		c.ask("ping", nil, "", "")
	case n == 11:
		c.happened("stall")
		c.note("stalls, subscribed to %v", slices.Collect(maps.Keys(c.members)))
		c.stalled = time.Now()
		time.Sleep(time.Duration(c.rng.IntN(1500)) * time.Millisecond)
	case n == 12:
		c.happened("byte by byte")
		for range 200 {
			c.read(0, 1)
		}
	case n == 13 && c.rng.IntN(3) == 0:
		c.happened("reset")
		c.note("resets")
		c.w.reset()
		c.gone()
	case n == 14 && c.rng.IntN(3) == 0:
		c.happened("close")
		c.leave()
	}
}

// some returns one of the topics that the client is subscribed to.
func (c *stressClient) some() *stressTopic {
	for _, t := range c.shuffled() {
		if c.members[t] != nil {
			return t
		}
	}
	return nil
}

func (c *stressClient) shuffled() []*stressTopic {
	all := slices.Clone(c.topics)
	c.rng.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return all
}

// ask sends a command.
func (c *stressClient) ask(op string, t *stressTopic, since, more string) {
	command := fmt.Sprintf(`{"op":"%s","id":%d}`, op, c.next)
	if t != nil {
		if since != "" {
			more += fmt.Sprintf(`,"since":"%s"`, since)
		}
		command = fmt.Sprintf(`{"op":"%s","id":%d,"topics":[{"name":"%s"%s}]}`, op, c.next, t.name, more)
	}
	c.asked = append(c.asked, stressAsk{op, c.next, t, since, time.Now()})
	c.next++
	c.note("> %s", command)
	if err := c.w.say(ws.OpText, command); err != nil {
		c.broke(err)
	}
}

// subscribe asks for a topic, from somewhere.
func (c *stressClient) subscribe() {
	t, since, more := c.topics[c.rng.IntN(len(c.topics))], "", ""
	if len(c.members) > 8 && c.members[t] == nil {
		return
	}
	issued, acked := t.at()
	switch n := c.rng.IntN(10); {
	case n < 4 && c.left[t] != nil:
		since = c.left[t].seen
	case n < 6:
		since = t.position(acked - uint64(c.rng.IntN(int(min(acked, 100)))))
	case n == 6:
		since = t.position(1)
	case n == 7:
		since = "elsewhere:1"
	case n == 8 && issued%stressEra < stressEra-10 && issued%stressEra > 10:
		since = t.position(issued + 3)
		c.happened("since ahead")
	}
	if c.rng.IntN(3) == 0 {
		more = `,"max_rate":` + []string{"50", "20", "7", "2"}[c.rng.IntN(4)]
	}
	c.ask("subscribe", t, since, more)
}

// connect opens a connection, and resumes what the one before had.
func (c *stressClient) connect() {
	if c.isRaw {
		c.connectRaw()
		return
	}
	w, status, err := dialWire(c.address, "pushd.v1", "", c.buffer)
	if err != nil {
		c.fail(fmt.Errorf("connect: %d %w", status, err))
		return
	}
	c.w = w
	c.note("connects from %v", w.LocalAddr())
	for _, t := range c.topics {
		if m := c.left[t]; c.w != nil && (m != nil && c.rng.IntN(8) > 0 || m == nil && c.keeps) {
			since := ""
			if m != nil {
				since = m.seen
			}
			c.ask("subscribe", t, since, "")
		}
	}
}

// connectRaw subscribes to a topic from somewhere, or to a few as they are.
func (c *stressClient) connectRaw() {
	var members []*stressMember
	query := ""
	for _, t := range c.shuffled() {
		if !t.steady || len(members) == 3 {
			continue
		}
		m := &stressMember{stressTopic: t, policy: t.policy.String(), began: time.Now(), first: true}
		members = append(members, m)
		query += "&topic=" + t.name
		if _, acked := t.at(); c.rng.IntN(2) == 0 {
			m.from = acked - uint64(c.rng.IntN(int(min(acked, 60))))
			m.last = m.from
			query += "&since=" + t.position(m.from)
			if !m.conflates() && c.rng.IntN(2) == 0 {
				skip := 0
				for n := t.visible(m.last); n <= acked && c.rng.IntN(10) > 0; n = t.visible(n) {
					m.last = n
					skip++
				}
				query += fmt.Sprint("&skip=", skip)
			}
			break
		}
	}
	if len(members) > 1 && strings.Contains(query, "since") { // it goes with one topic alone
		query = query[strings.LastIndex(query, "&topic="):]
		members = members[len(members)-1:]
	}
	w, status, err := dialWire(c.address, "", query[1:], c.buffer)
	switch {
	case status == 409 && strings.Contains(query, "since"):
		c.happened("raw not recovered")
		return
	case err != nil:
		c.fail(fmt.Errorf("connect with %s: %d %w", query, status, err))
		return
	}
	c.w = w
	c.note("connects from %v with %s", w.LocalAddr(), query)
	for _, m := range members {
		c.members[m.stressTopic] = m
		switch issued, _ := m.at(); {
		case strings.Contains(query, "since"):
			c.happened("raw recovered")
		case m.conflates() && m.retain:
		default:
			m.anchor, m.last, m.unanchored = issued, issued, m.retain
		}
	}
}

// gone forgets the connection.
func (c *stressClient) gone() {
	for t, m := range c.members {
		c.left[t] = m
	}
	clear(c.members)
	c.w, c.asked = nil, nil
}

// leave closes the connection and waits for the answer.
func (c *stressClient) leave() {
	if c.w == nil {
		return
	}
	c.note("closes")
	c.asked = append(c.asked, stressAsk{op: "close"})
	err := c.w.say(ws.OpClose, string(ws.NewCloseFrameBody(1000, "")))
	for until := time.Now().Add(patience); err == nil && c.w != nil && !c.failed.Load() && time.Now().Before(until); {
		c.read(time.Second, 16<<10)
	}
	if err != nil && c.w != nil {
		c.broke(err)
	}
}
