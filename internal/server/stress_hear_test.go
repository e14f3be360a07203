package server_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strings"
	"syscall"
	"time"

	"github.com/gobwas/ws"

	"github.com/pushd/pushd/broadcast"
)

// broke ends a connection that the server has ended. It may do so without a word
// only if nobody reads.
func (c *stressClient) broke(err error) {
	c.note("broke: %v", err)
	closing := len(c.asked) > 0 && c.asked[len(c.asked)-1].op == "close"
	if reset := errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE); !closing && !(reset && time.Since(c.stalled) < 20*time.Second) {
		c.fail(fmt.Errorf("the connection ended: %w", err))
	}
	if !closing {
		c.happened("reset by the server")
	}
	c.w.Close()
	c.gone()
}

// read reads for a while, at most so many bytes at a time, and checks what comes.
func (c *stressClient) read(d time.Duration, most int) {
	for deadline := time.Now().Add(max(d, time.Millisecond)); c.w != nil && !c.failed.Load(); {
		had := len(c.w.in)
		err := c.w.more(most, deadline)
		got := len(c.w.in) - had
		for c.w != nil {
			op, payload, ok := c.w.next()
			if !ok {
				break
			}
			if !bytes.HasPrefix(payload, []byte(`{"op":"ping"`)) {
				c.note("< %x %.110s", op, payload)
			}
			if err := c.hear(op, payload); err != nil {
				c.fail(err)
				return
			}
		}
		if err != nil && c.w != nil {
			c.broke(err)
		}
		if got == 0 || most == 1 || time.Now().After(deadline) {
			return
		}
	}
}

// hear checks a frame.
func (c *stressClient) hear(op ws.OpCode, payload []byte) error {
	switch {
	case op == ws.OpClose:
		return c.closed(payload)
	case op == ws.OpPing:
		c.happened("ping")
		if err := c.w.say(ws.OpPong, string(payload)); err != nil {
			c.broke(err)
		}
		return nil
	case c.isRaw:
		name, _, _ := strings.Cut(strings.TrimPrefix(string(payload), `["`), `"`)
		t := c.byName[name]
		m := c.members[t]
		if m == nil {
			return fmt.Errorf("a message of %q, which it is not subscribed to", name)
		}
		if want := m.kind(max(c.numberOf(payload), 1)) == broadcast.Binary; want != (op == ws.OpBinary) {
			return fmt.Errorf("%.80q came in a frame of opcode %d", payload, op)
		}
		return m.raw(payload)
	}
	var h said
	if err := json.Unmarshal(payload, &h); err != nil {
		return fmt.Errorf("a frame of opcode %d, %q, before %.100q: %w", op, payload, c.w.in, err)
	}
	t := c.byName[h.Topic]
	m := c.members[t]
	switch h.Op {
	case "welcome":
		return nil
	case "ping":
		c.happened("ping")
		if err := c.w.say(ws.OpText, `{"op":"pong"}`); err != nil {
			c.broke(err)
		}
		return nil
	case "subscribed", "unsubscribed", "pong", "error":
		return c.answered(&h, t, m)
	}
	if m == nil {
		return fmt.Errorf("%s of %q, which it is not subscribed to", h.Op, h.Topic)
	}
	switch h.Op {
	case "message", "delete":
		if c.happened(h.Op); h.Retained {
			c.happened("retained")
		}
		return m.message(&h)
	case "live":
		c.happened("live")
		return m.isLive()
	case "gap":
		c.happened("gap")
		return m.gap(&h)
	}
	return fmt.Errorf("op %q", h.Op)
}

func (c *stressClient) numberOf(payload []byte) (n uint64) {
	_, rest, _ := strings.Cut(string(payload), ",")
	fmt.Sscan(rest, &n)
	return n
}

// answered checks the answer to what was asked first.
func (c *stressClient) answered(h *said, t *stressTopic, m *stressMember) error {
	if len(c.asked) == 0 {
		return errors.New("an answer to nothing")
	}
	a := c.asked[0]
	c.asked = c.asked[1:]
	if h.Op != "pong" && (a.topic != t || h.ID == nil || *h.ID != a.id) {
		return fmt.Errorf("%s %s, expected the answer to %+v", h.Op, h.Topic, a)
	}
	switch {
	case a.op == "ping" && h.Op == "pong":
		return nil
	case a.op == "unsubscribe" && h.Op == "unsubscribed":
		if c.happened("unsubscribe"); m != nil {
			c.left[t], c.parted = m, t
		}
		delete(c.members, t)
		return nil
	case a.op == "subscribe" && m != nil && h.Op == "error" && h.Code == "bad_request":
		c.happened("subscribed twice")
		return nil
	case a.op == "subscribe" && m == nil && h.Op == "subscribed":
	default:
		return fmt.Errorf("%s %s %s answers %+v", h.Op, h.Code, h.Message, a)
	}
	m, err := newMember(t, h, a.since, a.at)
	if err != nil {
		return err
	}
	c.members[t] = m
	c.happened("subscribed under " + h.Policy)
	switch old := c.left[t]; {
	case h.Recovered == nil:
	case *h.Recovered:
		c.happened("recovered")
		if h.Position == a.since && a.since == t.position(m.live) {
			c.happened("nothing missed")
		}
	case old != nil && old.policy != h.Policy:
		c.happened("another policy")
	default:
		c.happened("not recovered")
	}
	if h.MaxRate > 0 {
		c.happened("max_rate")
	}
	return nil
}

// closed checks a close frame: only who has been too slow is closed.
func (c *stressClient) closed(payload []byte) error {
	code, reason := ws.ParseCloseFrameData(payload)
	if code == 1000 && len(c.asked) > 0 && c.asked[len(c.asked)-1].op == "close" {
		c.w.Close()
		c.gone()
		return nil
	}
	slow, members := false, maps.Clone(c.members)
	if m := c.left[c.parted]; m != nil && members[c.parted] == nil {
		members[c.parted] = m
	}
	for t, m := range members {
		info, _ := c.hub.Topic(t.name)
		oldest, err := t.number(broadcastPosition(info.Oldest))
		slow = slow || err == nil && oldest > m.last && (m.policy == broadcast.Disconnect.String() || c.isRaw && !m.conflates()) || c.isRaw && (m.first || m.unanchored)
	}
	if code != 1013 || !slow {
		all := ""
		for t, m := range c.members {
			info, _ := c.hub.Topic(t.name)
			all += fmt.Sprintf("; %s: received up to %d, began at or before %d, the oldest is %v", t.name, m.last, m.anchor, info.Oldest)
		}
		return fmt.Errorf("closed with %d %s, though nothing was lost%s", code, reason, all)
	}
	c.happened("1013")
	c.w.say(ws.OpClose, string(payload[:2]))
	c.w.Close()
	c.gone()
	return nil
}

func broadcastPosition(p broadcast.Position) string { return fmt.Sprintf("%s:%d", p.Epoch, p.Offset) }
