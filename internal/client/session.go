package client

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"slices"
	"time"

	"github.com/gobwas/ws"
)

const (
	handshakeTimeout = 10 * time.Second // dial, upgrade and welcome, each
	writeTimeout     = 10 * time.Second
)

// session is one connection of a Subscriber.
type session struct {
	*Subscriber
	ctx     context.Context
	conn    net.Conn
	silence time.Duration // the longest that nothing may arrive; 0 means for ever
	token   string
	env     envelope
	msg     Message

	commands int // sent so far
}

// session connects, subscribes and hands messages on until the connection
// ends. It never returns nil.
func (s *Subscriber) session(ctx context.Context) error {
	c := &session{Subscriber: s, ctx: ctx, silence: handshakeTimeout}
	if s.cfg.Token != nil {
		var err error
		if c.token, err = s.cfg.Token(); err != nil {
			return stop(err)
		}
	}
	early, err := c.dial()
	if err != nil {
		return err
	}
	defer c.conn.Close()
	defer context.AfterFunc(ctx, func() { c.conn.SetReadDeadline(time.Now()) })()

	err = c.read(&frameReader{br: bufio.NewReaderSize(&input{c, early}, readBuffer)})
	code := ws.StatusNormalClosure
	if errors.Is(err, errProtocol) {
		code, err = ws.StatusProtocolError, stop(err)
	}
	c.write(ws.OpClose, ws.NewCloseFrameBody(code, "")) // as a courtesy: the error that counts is known
	return err
}

// input reads the socket: what came with the handshake first.
type input struct {
	c     *session
	early *bufio.Reader // nil, once it is read
}

func (in *input) Read(p []byte) (int, error) {
	if in.early != nil {
		n, err := in.early.Read(p[:min(len(p), in.early.Buffered())])
		if in.early.Buffered() == 0 {
			ws.PutReader(in.early)
			in.early = nil
		}
		return n, err
	}
	c := in.c
	if c.cfg.OnIdle != nil {
		if err := c.cfg.OnIdle(); err != nil {
			return 0, stop(err)
		}
	}
	var deadline time.Time
	if c.silence > 0 {
		deadline = time.Now().Add(c.silence)
	}
	c.conn.SetReadDeadline(deadline)
	// Looked at after the deadline is set: if ctx ends later than this, its
	// AfterFunc sets the deadline that counts.
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := c.conn.Read(p)
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		err = fmt.Errorf("nothing came from the server for %v", c.silence)
	}
	return n, err
}

func (c *session) read(frames *frameReader) error {
	for {
		opcode, payload, err := frames.next()
		if err != nil {
			return err
		}
		switch opcode {
		case ws.OpText:
			err = c.handle(payload)
		case ws.OpPing: // 5.5.3: the pong carries the ping's data
			err = c.write(ws.OpPong, payload)
		case ws.OpClose:
			code, reason := ws.ParseCloseFrameData(payload)
			return c.closed(&CloseError{code, reason}, c.token, !c.welcomed.IsZero())
		case ws.OpBinary:
			err = fmt.Errorf("%w: pushd.v1 has no binary messages", errProtocol)
		}
		if err != nil {
			return err
		}
	}
}

func (c *session) handle(b []byte) error {
	e := &c.env
	if err := e.decode(b); err != nil {
		return stop(err)
	}
	t := c.topics[e.Topic]
	if t == nil {
		t = &topicState{} // of no topic, or of one that we did not ask for
	}
	switch e.Op {
	case "message", "delete":
		return c.deliver(t, b)
	case "ping":
		return c.write(ws.OpText, []byte(`{"op":"pong"}`))
	case "welcome":
		c.welcomed, c.reached = time.Now(), true
		// Two pings may be late, but not lost.
		c.silence = time.Duration(e.PingMS) * time.Millisecond * 5 / 2
		return c.subscribe()
	case "subscribed":
		if e.ID == 0 && isUser(e.Topic) { // by the URL: the answer to our command follows
			return nil
		}
		gap, ok := t.subscribed(e)
		if ok && c.cfg.OnGap != nil {
			c.cfg.OnGap(gap)
		}
		if t.muted {
			return c.again(e.Topic)
		}
	case "live":
		t.live()
	case "gap":
		t.skip(e.To)
		if c.cfg.OnGap != nil {
			c.cfg.OnGap(Gap{Topic: e.Topic, From: e.From, To: e.To, Reason: e.Reason})
		}
	case "error":
		if e.Code == "unauthorized" {
			return c.unauthorized(&ServerError{Code: e.Code, Message: e.Message}, c.token, false)
		}
		return refusal(e)
	}
	return nil
}

// deliver hands a message on, unless it is a repeat.
func (c *session) deliver(t *topicState, b []byte) error {
	e := &c.env
	if !t.accept(e) {
		return nil
	}
	if t.missing(e) { // then resume may bring them
		return fmt.Errorf("messages of %s are missing between %s and %s", e.Topic, t.resume, e.Position)
	}
	payload, err := e.payload()
	if err != nil {
		return stop(err)
	}
	c.msg = Message{Topic: e.Topic, Position: e.Position, Event: e.Event, Key: e.Key,
		Payload: payload, Envelope: b, Retained: e.Retained, Deleted: e.Op == "delete"}
	if c.cfg.OnMessage != nil {
		if err := c.cfg.OnMessage(&c.msg); err != nil {
			return stop(err)
		}
	}
	t.delivered(e)
	return nil
}

// maxTopics is the most topics of one command.
const maxTopics = 128

// subscribe asks for every topic, each from where it was left.
func (c *session) subscribe() error {
	for names := range slices.Chunk(c.order, maxTopics) {
		if err := c.ask(names); err != nil {
			return err
		}
	}
	return nil
}

// again subscribes anew to a topic that has begun live.
func (c *session) again(name string) error {
	if isUser(name) { // which cannot be left, and may be subscribed to as often as one likes
		return c.ask([]string{name})
	}
	if err := c.command("unsubscribe", []string{name}); err != nil {
		return err
	}
	return c.ask([]string{name})
}

func (c *session) ask(names []string) error {
	type topic struct {
		Name    string  `json:"name"`
		Since   string  `json:"since,omitempty"`
		MaxRate float64 `json:"max_rate,omitempty"`
	}
	var topics []topic
	for _, name := range names {
		t := c.topics[name]
		t.muted = t.muted || isUser(name) // what comes before the answer, the URL had subscribed to
		topics = append(topics, topic{name, t.resume, c.cfg.MaxRate})
	}
	return c.command("subscribe", topics)
}

func (c *session) command(op string, topics any) error {
	c.commands++
	b, err := json.Marshal(struct {
		Op     string `json:"op"`
		ID     int    `json:"id"`
		Topics any    `json:"topics"`
	}{op, c.commands, topics})
	if err != nil {
		return stop(err)
	}
	return c.write(ws.OpText, b)
}

// write sends one frame, masked as a client must (5.3). b is not kept.
func (c *session) write(opcode ws.OpCode, b []byte) error {
	c.conn.SetWriteDeadline(time.Now().Add(writeTimeout))
	frame, err := ws.CompileFrame(ws.MaskFrame(ws.NewFrame(opcode, true, b)))
	if err != nil {
		return err
	}
	_, err = c.conn.Write(frame)
	return err
}
