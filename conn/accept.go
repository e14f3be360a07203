package conn

import (
	"context"
	"errors"
	"net/netip"
	"time"

	"github.com/pushd/pushd/internal/sys"
	"github.com/pushd/pushd/netpoll"
)

const (
	// acceptPause is how long nothing is accepted after accept(2) has failed, most
	// likely for want of descriptors.
	acceptPause = 100 * time.Millisecond
	// acceptBatch is how many connections one listener may bring before the next.
	acceptBatch = 64
)

// accept takes connections from the listeners until ctx ends.
func (e *Engine) accept(ctx context.Context, listeners []*netpoll.Listener) error {
	poller, err := netpoll.Open()
	if err != nil {
		return err
	}
	defer poller.Close()
	for i, l := range listeners {
		if err := poller.Add(l.FD(), uint64(i)); err != nil {
			return err
		}
	}
	defer context.AfterFunc(ctx, func() { poller.Wake() })()
	events := make([]netpoll.Event, 16)
	more := make([]bool, len(listeners)) // edges come once: who has not been drained yet
	wait := time.Duration(-1)
	var failing time.Time // since when accept(2) fails
	for ctx.Err() == nil {
		n, err := poller.Wait(events, wait)
		if err != nil {
			return err
		}
		for _, ev := range events[:n] {
			more[ev.Handle] = true
		}
		wait = -1
		var failed error
		for i, l := range listeners {
			if !more[i] {
				continue
			}
			more[i] = false
			switch err := e.acceptFrom(l); {
			case err == nil:
				more[i], wait = true, max(wait, 0)
			case errors.Is(err, netpoll.ErrWouldBlock):
			case errors.Is(err, netpoll.ErrClosed):
				return err
			default: // EMFILE and ENFILE above all; accept(2) names a dozen others that pass
				more[i], wait, failed = true, 0, err
			}
		}
		switch {
		case failed != nil:
			e.stats.AcceptPauses.Add(1)
			if failing.IsZero() {
				failing = time.Now()
				e.log.Warn("accept fails: newcomers wait", "err", failed, "connections", e.Live(), "again every", acceptPause)
			}
			select { // and not in the poller, which each newcomer would wake
			case <-time.After(acceptPause):
			case <-ctx.Done():
			}
		case !failing.IsZero():
			e.log.Warn("accept works again", "after", time.Since(failing).Round(acceptPause), "connections", e.Live())
			failing = time.Time{}
		}
	}
	for _, l := range listeners {
		poller.Delete(l.FD())
	}
	return nil
}

// acceptFrom takes up to a batch from l. It returns nil where there may be more.
func (e *Engine) acceptFrom(l *netpoll.Listener) error {
	for range acceptBatch {
		fd, from, err := l.Accept()
		if err != nil {
			return err
		}
		e.stats.Accepted.Add(1)
		e.arm(fd, from)
	}
	return nil
}

// arm gives a socket to the shard with the fewest connections.
func (e *Engine) arm(fd int, from netip.Addr) {
	count := int(e.live.Add(1))
	s := e.shards[0]
	for _, t := range e.shards[1:] {
		if t.live.Load() < s.live.Load() {
			s = t
		}
	}
	c, mark := s.seat(from, count)
	if c == nil {
		e.stats.Turned.Add(1)
		e.live.Add(-1)
		sys.Close(fd)
		return
	}
	s.live.Add(1)
	c.fd = int32(fd)
	c.From = mark
	c.overLimit = count > e.cfg.MaxConns
	s.table.due(c.slot).Store(e.tickAt(time.Now()) + ticks(e.cfg.HandshakeTimeout))
	generation := word(c.word.Load()).generation()
	if err := s.poller.Add(fd, uint64(newHandle(s.index, c.slot, generation))); err != nil {
		e.log.Warn("a connection could not be watched", "err", err)
		p := e.posts.get()
		p.gone = true
		c.post = p
		s.change(c, generation, live|posted|linked, 0)
		return
	}
	s.change(c, generation, live, 0) // from here on it is the shard's
}

// seat finds a slot for the count-th connection, unless there are too many, of all, of those that are not WebSockets yet, or of those from
// there.
func (s *Shard) seat(from netip.Addr, count int) (c *Conn, mark uint32) {
	cfg := &s.engine.cfg
	if count > cfg.MaxConns+cfg.Headroom || cfg.MaxPending > 0 && s.engine.Pending() > cfg.MaxPending {
		return nil, 0
	}
	mark, ok := cfg.Peers.Arrive(from)
	if !ok {
		return nil, 0
	}
	if c = s.table.alloc(); c == nil {
		cfg.Peers.Leave(mark)
	}
	return c, mark
}
