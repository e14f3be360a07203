package broadcast

// sent notes what was begun of l's round.
func (l *laggard) sent(f *frames, n int, whole bool) {
	l.high = max(l.high, l.round.sent(f, n, whole))
	if !l.round.on {
		l.cursor, l.from = l.round.end, l.round.to
	}
}

// advanceRound is advance for a laggard that is sent the newest values: whoever
// is behind a topic that conflates, and whoever is to be sent what one retains.
func (s *Shard) advanceRound(l *laggard) {
	a := l.audience
	if !l.round.on {
		s.tellLive(l)
		switch {
		case l.cursor == a.cursor && a.pass == nil && !l.due && (l.high <= a.cursor || a.rate != 0):
			s.unlag(l) // rule C4
			return
		case l.cursor >= a.cursor, l.high > a.cursor && a.rate == 0, a.rate != 0 && !l.turn:
			s.wait(l)
			return
		}
		l.turn = false
		l.round = round{start: l.cursor, from: l.from, end: a.cursor, to: a.at(), on: true, careful: !l.round.careful, told: l.round.told}
	}
	upTo := noLow
	switch {
	case a.policy != Conflate:
		upTo = l.round.end // what is newer comes from the log
	case l.round.careful:
		upTo = a.cursor // what is newer comes by a pass, or in the next round
	}
	t := a.topic
	t.mu.Lock()
	gap, whole := (*Notice)(nil), true
	if s.frames.reset(); t.keys != nil {
		gap = t.gapLocked(&l.round)
		whole = t.encodeRoundLocked(&l.round, a.dialect, upTo, &s.frames)
	}
	t.mu.Unlock()
	if gap != nil {
		s.stats.Gaps.Add(1)
		s.w.Tell(l.slot, t.name, *gap)
	}
	f := &s.frames
	if len(f.ends) == 0 {
		l.sent(f, 0, whole)
		s.makeReady(l)
		return
	}
	n, outcome := s.w.Write(l.slot, f.data, nil)
	begun, rest := f.begun(n)
	l.sent(f, begun, whole)
	s.stats.add(&delivered{uint64(begun), n, 1}, 0)
	s.stats.Conflated.Add(uint64(begun))
	s.written(l, outcome, rest)
}

// gapLocked returns what has to be told to whoever is in round r: values that it
// should have been sent had to be forgotten.
func (t *topic) gapLocked(r *round) *Notice {
	lost := t.keys.lost()
	if r.retained || max(r.start, r.told) >= lost {
		return nil
	}
	gap := &Notice{Kind: Gap, From: t.positionLocked(max(r.start, r.told)), To: t.positionLocked(lost)}
	if r.told <= r.start && r.from.Epoch != "" {
		gap.From = r.from
	}
	if r.told = lost; r.start < t.keys.forgotten { // the least recent values go first: what is left is newer
		r.start, r.from = t.keys.forgotten, Position{}
	}
	if r.end < r.start {
		r.end, r.to = r.start, Position{}
	}
	return gap
}
