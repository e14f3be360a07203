package server

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strconv"
	"time"

	"github.com/gobwas/ws"
	"golang.org/x/sys/unix"

	"github.com/pushd/pushd/broadcast"
	"github.com/pushd/pushd/conn"
	"github.com/pushd/pushd/internal/dialect"
)

// owner is a shard as the server sees it: what its connections ask, and the
// audiences that they belong to. All of it runs on the shard's goroutine.
type owner struct {
	*Server
	shard    *conn.Shard
	audience *broadcast.Shard
	grants   grants
	answers  []byte           // being written
	waiting  []waitingPublish // from the public door, for room
	retried  time.Time
	tick     *time.Timer // when the audience has work again
}

// waitingPublish is a publish that found no room. Its connection is not read
// until it is answered.
type waitingPublish struct {
	from conn.Handle
	*command
}

var (
	_ conn.Owner       = (*owner)(nil)
	_ broadcast.Writer = (*owner)(nil)
)

func (s *Server) newOwner(shard *conn.Shard) conn.Owner {
	o := &owner{Server: s, shard: shard}
	o.audience = s.hub.NewShard(o, shard.Wake)
	s.owners = append(s.owners, o)
	return o
}

func list(c *conn.Conn) *broadcast.List { return (*broadcast.List)(&c.List) }

// Write implements broadcast.Writer.
func (o *owner) Write(slot uint32, a, b []byte) (int, broadcast.Outcome) {
	n, outcome := o.shard.Write(slot, a, b)
	return n, broadcast.Outcome(outcome)
}

// The outcomes are the same three: where they are not, this does not compile.
var (
	_ = [1]struct{}{}[broadcast.Sent-broadcast.Outcome(conn.Sent)]
	_ = [1]struct{}{}[broadcast.Blocked-broadcast.Outcome(conn.Blocked)]
	_ = [1]struct{}{}[broadcast.Ended-broadcast.Outcome(conn.Ended)]
)

// Keep implements broadcast.Writer.
func (o *owner) Keep(slot uint32, rest []byte) { o.shard.Keep(slot, rest) }

// Tell implements broadcast.Writer.
func (o *owner) Tell(slot uint32, topic string, n broadcast.Notice) {
	c := o.shard.At(slot)
	speaks := dialect.ID(c.Kind).IsJSON()
	switch {
	case n.Kind == broadcast.Lost, n.Kind == broadcast.Gap && !speaks: // what raw cannot say it does not hide
		o.shard.EndSoon(slot, dialect.CloseTryAgainLater, dialect.RetryReason(jitter(slowRetry)))
	case n.Kind == broadcast.Gap:
		o.shard.Send(c, dialect.AppendGap(nil, topic, dialect.Position(n.From), dialect.Position(n.To), "slow"))
	case speaks:
		o.shard.Send(c, dialect.AppendLive(nil, topic))
	}
}

// slowRetry is when somebody who was too slow may come back, at the earliest.
const slowRetry = time.Second

// jitter returns from once to twice d: what was closed at once is not to come back at
// once.
func jitter(d time.Duration) time.Duration { return d + rand.N(d) }

// Ask implements conn.Owner.
func (o *owner) Ask(c *conn.Conn, p *conn.Post) (done bool) {
	done = true
	o.answers = p.Out
	switch ask := p.Ask.(type) {
	case *opening:
		o.open(c, ask)
		openings.Put(ask)
	case *command:
		switch ask.Op {
		case dialect.OpPublish:
			done = o.publish(c, ask)
		case dialect.OpAuth:
			o.auth(c, ask)
		}
		for _, t := range ask.Topics {
			switch {
			case t.Err != nil:
				o.answers = dialect.AppendError(o.answers, t.Err)
			case ask.Op == dialect.OpSubscribe:
				o.subscribe(c, ask.ID, t, false)
			default:
				o.unsubscribe(c, ask.ID, t.Topic)
			}
		}
	}
	p.Out, o.answers = o.answers, nil
	return done
}

// open does what a request asked for.
func (o *owner) open(c *conn.Conn, ask *opening) {
	if ask.grant != nil {
		o.grant(c, ask.grant)
	}
	if x, banned := o.banned(c, ask.grant); banned { // since the handler looked
		e := x.refusal()
		o.shard.EndSoon(c.Slot(), closeOfRefusal(e.Code), e.Message)
		return
	}
	if o.cfg.Auth != nil && ask.grant == nil && len(ask.topics) == 0 && !o.cfg.Dev {
		o.expectToken(c)
	}
	for i, topic := range ask.topics {
		t := dialect.Subscription{Topic: topic}
		if i < ask.named {
			t.Since, t.Skip, t.MaxRate = ask.since, ask.skip, ask.maxRate
		}
		o.subscribe(c, nil, t, true)
	}
}

// errorOf says what one of broadcast's errors means to a client.
func errorOf(err error) *dialect.Error {
	code := dialect.CodeOverloaded
	switch {
	case errors.Is(err, broadcast.ErrAlready):
		code = dialect.CodeBadRequest
	case errors.Is(err, broadcast.ErrTooLarge):
		code = dialect.CodeTooLarge
	case errors.Is(err, broadcast.ErrPositionConflict):
		code = dialect.CodePositionConflict
	case errors.Is(err, broadcast.ErrNoKey):
		code = dialect.CodeNotFound
	case errors.Is(err, broadcast.ErrNoRoom):
		code = dialect.CodeQueueFull
	}
	return &dialect.Error{Code: code, Message: err.Error()}
}

// publish tries to publish what c asks for and answers, or lets it wait for
// room.
func (o *owner) publish(c *conn.Conn, cmd *command) (done bool) {
	if err := o.mayPublish(c, cmd.Topic); err != nil {
		e := err.(*dialect.Error)
		e.ID, e.Topic = cmd.ID, cmd.Topic
		o.answers = dialect.AppendError(o.answers, e)
		return true
	}
	r, err := o.hub.TryPublish(cmd.Topic, cmd.Message)
	if errors.Is(err, broadcast.ErrNoRoom) {
		now := time.Now()
		if cmd.deadline.IsZero() {
			cmd.deadline = now.Add(o.cfg.PublishTimeout)
			o.waiting = append(o.waiting, waitingPublish{o.shard.Handle(c), cmd})
			time.AfterFunc(retryPause, o.shard.Wake)
			o.counts.queued.Add(1)
			return false
		}
		if now.Before(cmd.deadline) {
			return false
		}
	}
	if err != nil {
		e := errorOf(err)
		e.ID, e.Topic = cmd.ID, cmd.Topic
		o.answers = dialect.AppendError(o.answers, e)
	} else {
		o.answers = dialect.AppendPublished(o.answers, cmd.ID, cmd.Topic, dialect.Position(r.Position))
	}
	return true
}

const (
	retryPause = 5 * time.Millisecond // how often waiting publishes are tried again
	maxRetries = 256                  // and how many of them, the oldest first
)

// retry tries the waiting publishes again.
func (o *owner) retry() {
	if len(o.waiting) == 0 || time.Since(o.retried) < retryPause {
		return
	}
	o.retried = time.Now()
	tried := 0
	o.waiting = slices.DeleteFunc(o.waiting, func(w waitingPublish) bool {
		if tried++; tried > maxRetries {
			return false
		}
		c := o.shard.Conn(w.from)
		if c != nil {
			o.answers = o.answers[:0]
			if !o.publish(c, w.command) {
				return false
			}
			o.shard.Send(c, o.answers)
			o.shard.Answered(c)
		}
		o.counts.queued.Add(-1)
		return true
	})
	if len(o.waiting) > 0 {
		time.AfterFunc(retryPause, o.shard.Wake)
	}
}

// Writable implements conn.Owner.
func (o *owner) Writable(c *conn.Conn) { o.audience.Writable(*list(c)) }

// Gone implements conn.Owner.
func (o *owner) Gone(c *conn.Conn, opened bool, code ws.StatusCode) {
	o.audience.Leave(list(c))
	o.grants.set(c.Slot(), nil, 0)
	if opened {
		o.counts.closes.add(closeLabel(code))
	}
	if o.cfg.Logger.Enabled(context.Background(), slog.LevelDebug) {
		o.cfg.Logger.Debug("connection ends", "connection", o.shard.Handle(c).String(), "opened", opened, "code", int(code))
	}
}

// closeLabel is what a close code is counted as. Peers may send any of 3000 to
// 4999: those that mean nothing here are one.
func closeLabel(code ws.StatusCode) string {
	switch code {
	case dialect.CloseUnauthorized, dialect.CloseForbidden, dialect.CloseGone, dialect.CloseRateLimited:
	default:
		if code >= 3000 {
			return "other"
		}
	}
	return itoa(int(code))
}

// HandOff implements conn.Owner. Those that asked at once may be more than there
// are places: the handler could not know. Who is handed over is counted for its
// address until it is closed.
func (o *owner) HandOff(c *conn.Conn, fd int, read []byte) {
	from := c.From
	c.From = 0
	if o.pages.take(given{fd, read, func() { o.peers.Leave(from) }}) {
		return
	}
	o.pages.refused()
	unix.Write(fd, refusePage.Append(nil)) // the first that is written: there is room
	unix.Close(fd)
	o.peers.Leave(from)
}

// Work implements conn.Owner.
func (o *owner) Work(until time.Time) (more bool) {
	o.retry()
	o.expire(time.Now())
	if o.audience.Work(until) {
		return true
	}
	if d, ok := o.audience.Idle(); ok {
		if o.tick == nil {
			o.tick = time.AfterFunc(d, o.shard.Wake)
		} else {
			o.tick.Reset(d)
		}
	}
	return false
}

// ping is what keeps a connection alive, and shows it to be: browser code cannot
// see RFC 6455 pings, so pushd.v1 has its own.
func ping(c *conn.Conn) []byte {
	if dialect.ID(c.Kind).IsJSON() {
		return jsonPing
	}
	return ws.CompiledPing
}

var jsonPing = dialect.AppendPingOp(nil)

// connInfo is what there is to know of a connection.
type connInfo struct {
	Handle        conn.Handle
	User          string // whose connection it is, or ""
	TokenID       string // jti of its token, or ""
	Dialect       string
	Opened        time.Duration // ago
	FD            int           // valid during the call
	From          uint32        // mark of its address, valid during the call
	Queued        int           // bytes of its own output that have not left
	Topics        []string      // the first few
	Subscriptions int
	Behind        uint64 // messages, in the topic where it is furthest
}

const shownTopics = 10

// inspect calls f with the connections in at most limit slots, beginning at from.
// It returns the slot to go on with, and whether there are more.
func (o *owner) inspect(from uint32, limit int, f func(connInfo)) (next uint32, more bool) {
	return o.shard.Each(from, limit, func(c *conn.Conn, i conn.Info) {
		info := connInfo{Handle: i.Handle, Dialect: kindName(c.Kind), Opened: i.Opened, FD: i.FD, From: c.From, Queued: i.Queued}
		if g := o.grants.of(c.Slot()); g != nil {
			info.TokenID = g.ID
		}
		o.audience.Topics(*list(c), func(topic string, behind uint64) bool {
			if info.Subscriptions++; len(info.Topics) < shownTopics {
				info.Topics = append(info.Topics, topic)
			}
			if user, ok := userOf(topic); ok {
				info.User = user
			}
			info.Behind = max(info.Behind, behind)
			return true
		})
		f(info)
	})
}

func quote(s string) string { return strconv.Quote(s) }
func itoa(n int) string     { return strconv.Itoa(n) }
