package broadcast

// laggard is a subscription that is not where its audience is: it could not
// take all of a pass, or it resumes from the past, or it is to be sent what the
// topic retains. It has a cursor and passes leave it out (rule B5).
type laggard struct {
	audience *audience
	sub      uint32
	slot     uint32
	cursor   uint64    // the last message begun; where values are sent instead, the start of the round
	live     uint64    // where replay ends
	ahead    *Position // it resumed from where the log has not come yet
	from     Position  // of cursor, as it was when the log had it; not under Disconnect
	round    round     // where values are sent
	high     uint64    // the newest of these
	due      bool      // Live is to be told at live
	queued   bool      // on shard.ready
	waiting  bool      // on audience.waiting
	turn     bool      // at a rate: it may begin a round
	gone     bool
	window   int64 // of the audience's patience

	next, prev               *laggard // audience.behind
	nextWaiting, prevWaiting *laggard
}

// lag gives subscription i of a, which is up to date, a cursor of its own.
func (s *Shard) lag(a *audience, i uint32, cursor uint64) *laggard {
	sub := s.subs.at(i)
	sub.place |= lagBit
	l := &laggard{audience: a, sub: i, slot: sub.slot, next: a.behind}
	s.moveTo(l, cursor)
	if length := s.hub.window(); length > 0 && a.policy != Conflate {
		a.topic.mu.Lock()
		if a.patience == nil {
			a.patience = new(patience)
		}
		l.window = a.patience.fellBehind(cursor, s.hub.now(), length)
		a.topic.mu.Unlock()
	}
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
	if l.waiting {
		l.waitNoMore()
	}
	if a, length := l.audience, s.hub.window(); a.patience != nil && a.policy != Conflate {
		a.topic.mu.Lock()
		if a.patience.caughtUp(l.window, length) {
			a.topic.madeRoomLocked()
		}
		a.topic.mu.Unlock()
	}
	l.gone = true
	s.subs.at(l.sub).place &^= lagBit
	delete(s.lags, l.sub)
	s.stats.Lagging.Add(-1)
}

// moveTo sets l's cursor. Where its position may have to be told, it is kept: the
// log may have lost it by then.
func (s *Shard) moveTo(l *laggard, cursor uint64) {
	l.cursor = cursor
	if t := l.audience.topic; l.audience.policy != Disconnect {
		t.mu.Lock()
		if t.exactLocked(cursor) {
			l.from = t.positionLocked(cursor)
		}
		t.mu.Unlock()
	}
}

func (s *Shard) makeReady(l *laggard) {
	if !l.queued && !l.waiting {
		l.queued = true
		s.ready = append(s.ready, l)
	}
}

// wait has l wait for the end of its audience's pass, or of the next.
func (s *Shard) wait(l *laggard) {
	a := l.audience
	l.waiting, l.turn = true, false
	if l.nextWaiting = a.waiting; a.waiting != nil {
		a.waiting.prevWaiting = l
	}
	a.waiting = l
	if a.rate != 0 && a.pass == nil && (l.cursor < a.cursor || l.due) { // nobody may have news for it
		s.schedule(a)
	}
}

// waitNoMore takes l from the list of those that wait: where nothing is published
// no pass does.
func (l *laggard) waitNoMore() {
	if l.prevWaiting == nil {
		l.audience.waiting = l.nextWaiting
	} else {
		l.prevWaiting.nextWaiting = l.nextWaiting
	}
	if l.nextWaiting != nil {
		l.nextWaiting.prevWaiting = l.prevWaiting
	}
	l.nextWaiting, l.prevWaiting, l.waiting = nil, nil, false
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
	switch {
	case l.gone:
	case l.ahead != nil && !s.reach(l):
		s.wait(l)
	case l.round.on || a.policy == Conflate:
		s.advanceRound(l)
	default:
		s.advanceLog(l)
	}
}

// reach reports whether the log has come to where l has resumed from.
func (s *Shard) reach(l *laggard) bool {
	t := l.audience.topic
	t.mu.Lock()
	seq, at := t.findLocked(*l.ahead)
	t.mu.Unlock()
	if at == ahead {
		return false
	}
	if at == held || at == lost {
		l.cursor, l.live, l.from = seq, seq, *l.ahead
	}
	l.ahead = nil
	return true
}

// tellLive tells l, where it is due, that its replay has ended.
func (s *Shard) tellLive(l *laggard) {
	if l.due && l.cursor >= l.live {
		l.due = false
		s.w.Tell(l.slot, l.audience.topic.name, Notice{Kind: Live})
	}
}

// advanceLog is advance for a laggard that is sent every message.
func (s *Shard) advanceLog(l *laggard) {
	a := l.audience
	s.tellLive(l)
	if l.cursor == a.cursor && a.pass == nil {
		s.unlag(l)
		return
	}
	if l.cursor >= a.cursor {
		s.wait(l)
		return
	}
	limit := a.cursor
	if l.due {
		limit = min(limit, l.live)
	}
	t := a.topic
	t.mu.Lock()
	missed := l.cursor < t.log.tail
	var seg segment
	switch {
	case missed:
	case t.log.covers(a.dialect, l.cursor):
		seg = t.log.segment(a.dialect, l.cursor, limit)
	default:
		seg = t.encodeLocked(a.dialect, l.cursor, limit, &s.frames)
	}
	s.positions = s.positions[:0]
	if a.policy == Drop && t.eras[len(t.eras)-1].given { // they may be gone when it is known how many were begun
		for seq := seg.start + 1; seq <= seg.end; seq++ {
			s.positions = append(s.positions, t.positionLocked(seq))
		}
	}
	t.mu.Unlock()
	if missed {
		s.lose(l)
		return
	}
	n, outcome := s.send(l.slot, &seg)
	begun, rest := seg.split(n)
	if outcome == Sent {
		begun = seg.end
	}
	if s.moveTo(l, begun); begun > seg.start && len(s.positions) > 0 {
		l.from = s.positions[begun-seg.start-1]
	}
	s.stats.add(&delivered{begun - seg.start, n, 1}, 0)
	s.written(l, outcome, rest)
}

// written goes on after a write to l.
func (s *Shard) written(l *laggard, o Outcome, rest []byte) {
	switch o {
	case Sent:
		s.makeReady(l)
	case Blocked:
		if len(rest) > 0 {
			s.w.Keep(l.slot, rest)
		}
	case Ended: // it will leave
	}
}

// lose is what becomes of l when what it needs next is gone from the log.
func (s *Shard) lose(l *laggard) {
	t := l.audience.topic
	if l.audience.policy != Drop {
		s.stats.Lost.Add(1)
		l.cursor, l.due, l.round.on = ^uint64(0), false, false // once is enough; it will leave
		s.w.Tell(l.slot, t.name, Notice{Kind: Lost})
		return
	}
	t.mu.Lock()
	tail := t.log.tail
	to := t.positionLocked(tail)
	t.mu.Unlock()
	s.stats.Gaps.Add(1)
	s.stats.Dropped.Add(tail - l.cursor)
	from := l.from
	l.cursor, l.from = tail, to
	s.w.Tell(l.slot, t.name, Notice{Kind: Gap, From: from, To: to})
	s.makeReady(l)
}

// dropLost looks for laggards of a whose next message lies at or below tail. Those
// that may be sent less are told when they can be.
func (s *Shard) dropLost(a *audience, tail uint64) {
	if a.policy != Disconnect || a.behind == nil || a.lowest >= tail {
		return
	}
	a.lowest = ^uint64(0)
	for l := a.behind; l != nil; l = l.next {
		if l.cursor < tail && l.ahead == nil {
			s.lose(l)
		} else {
			a.lowest = min(a.lowest, l.cursor)
		}
	}
}
