package broadcast

// laggard is a subscription that is not where its audience is: it could not
// take all of a pass, or it resumes from the past. It has a cursor in the log
// and passes leave it out (rule B5).
type laggard struct {
	audience *audience
	sub      uint32
	slot     uint32
	cursor   uint64 // the last message begun
	live     uint64 // where replay ends
	due      bool   // Live is to be told there
	queued   bool   // on shard.ready
	waiting  bool   // on audience.waiting, for the pass under way to end
	gone     bool

	next, prev *laggard // audience.behind
}

// lag gives subscription i of a, which is up to date, a cursor of its own.
func (s *Shard) lag(a *audience, i uint32, cursor uint64) *laggard {
	sub := s.subs.at(i)
	sub.place |= lagBit
	l := &laggard{audience: a, sub: i, slot: sub.slot, cursor: cursor, next: a.behind}
	if a.behind == nil {
		a.lowest = cursor
	} else {
		a.behind.prev = l
		a.lowest = min(a.lowest, cursor)
	}
	a.behind = l
	s.lags[i] = l
	s.stats.Lagging.Add(1)
	return l
}

// unlag takes l's cursor away: it is up to date, or leaves.
func (s *Shard) unlag(l *laggard) {
	if l.prev == nil {
		l.audience.behind = l.next
	} else {
		l.prev.next = l.next
	}
	if l.next != nil {
		l.next.prev = l.prev
	}
	l.gone = true
	s.subs.at(l.sub).place &^= lagBit
	delete(s.lags, l.sub)
	s.stats.Lagging.Add(-1)
}

func (s *Shard) makeReady(l *laggard) {
	if !l.queued && !l.waiting {
		l.queued = true
		s.ready = append(s.ready, l)
	}
}

// Writable says that the connection with these subscriptions takes output
// again.
func (s *Shard) Writable(list List) {
	for i := uint32(list); i != 0; i = s.subs.at(i - 1).next {
		if s.subs.at(i - 1).lagging() {
			s.makeReady(s.lags[i-1])
		}
	}
}

// advance sends l what comes next for it, at most a segment, and lets it rejoin
// its audience where it has come as far.
func (s *Shard) advance(l *laggard) {
	a := l.audience
	if l.gone {
		return
	}
	if l.due && l.cursor >= l.live {
		l.due = false
		s.w.Tell(l.slot, a.topic.name, Live)
	}
	if l.cursor == a.cursor && !a.passing {
		s.unlag(l)
		return
	}
	if l.cursor >= a.cursor {
		l.waiting = true
		a.waiting = append(a.waiting, l)
		return
	}
	limit := a.cursor
	if l.due {
		limit = min(limit, l.live)
	}
	t := a.topic
	t.mu.Lock()
	lost := l.cursor < t.log.tail
	var seg segment
	switch {
	case lost:
	case t.log.covers(a.dialect, l.cursor):
		seg = t.log.segment(a.dialect, l.cursor, limit)
	default:
		seg = t.encodeLocked(a.dialect, l.cursor, limit, &s.backlog)
	}
	t.mu.Unlock()
	if lost {
		s.lose(l)
		return
	}
	n, outcome := s.w.Write(l.slot, seg.a, seg.b)
	begun, rest := seg.split(n)
	l.cursor = begun
	s.stats.delivered(begun-seg.start, n, 1)
	switch outcome {
	case Sent:
		s.makeReady(l)
	case Blocked:
		if len(rest) > 0 {
			s.w.Keep(l.slot, rest)
		}
	case Ended: // it will leave
	}
}

// lose tells that what l needs next is gone from the log.
func (s *Shard) lose(l *laggard) {
	s.stats.Lost.Add(1)
	l.cursor, l.due = ^uint64(0), false // once is enough; it will leave
	s.w.Tell(l.slot, l.audience.topic.name, Lost)
}

// dropLost looks for laggards of a whose next message lies at or below tail.
func (s *Shard) dropLost(a *audience, tail uint64) {
	if a.behind == nil || a.lowest >= tail {
		return
	}
	a.lowest = ^uint64(0)
	for l := a.behind; l != nil; l = l.next {
		if l.cursor < tail {
			s.lose(l)
		} else {
			a.lowest = min(a.lowest, l.cursor)
		}
	}
}
