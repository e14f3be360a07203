package broadcast

import "time"

// pass is the sending of one piece of news to every up-to-date member of an
// audience: messages of the log, or, at a rate, a round of newest values.
type pass struct {
	segment
	next  int      // the member it comes to next
	stop  int      // the members beyond joined after it began
	holes []uint32 // places in members whose member left during the pass

	round  round   // at a rate
	whole  bool    // frames are the last of the round
	gap    *Notice // what every member is to be told before
	frames frames
}

// step goes on with a's pass, or begins one, until it is done or the time has
// come. It reports whether a wants another turn.
func (s *Shard) step(a *audience, until time.Time) (more bool) {
	if a.pass == nil && !s.begin(a) {
		return false
	}
	p, began := a.pass, time.Now()
	if len(p.a)+len(p.b) == 0 && p.gap == nil { // nothing of it has a form in this dialect
		p.next = p.stop
	}
	var d delivered
	for n := 0; p.next < p.stop; p.next++ {
		if n++; n%16 == 0 && !time.Now().Before(until) {
			break
		}
		i := a.members[p.next]
		if i == none {
			continue
		}
		sub := s.subs.at(i)
		if sub.lagging() {
			continue
		}
		if p.gap != nil {
			s.w.Tell(sub.slot, a.topic.name, *p.gap)
		}
		s.sendPass(a, i, &d)
	}
	s.stats.add(&d, time.Since(began))
	if a.rate == 0 {
		s.stats.Latency.observe(s.hub.now()-p.at, d.messages)
	}
	if p.next < p.stop {
		return true
	}
	return s.finish(a)
}

// delivered is what one turn of a pass has done.
type delivered struct {
	messages      uint64
	bytes, writes int
}

func (st *ShardStats) add(d *delivered, took time.Duration) {
	st.PassNanos.Add(uint64(took))
	st.Deliveries.Add(d.messages)
	st.Bytes.Add(uint64(d.bytes))
	st.Writes.Add(uint64(d.writes))
}

// sendPass sends subscription i of a what the pass under way brings.
func (s *Shard) sendPass(a *audience, i uint32, d *delivered) {
	p := a.pass
	n, outcome := s.send(s.subs.at(i).slot, &p.segment)
	d.writes++
	d.bytes += n
	switch outcome {
	case Sent:
		d.messages += p.messages()
	case Blocked:
		d.messages += s.fallBehind(a, i, n)
	case Ended: // it will leave
	}
}

// send writes a segment, of which messages may have no form in its dialect.
func (s *Shard) send(slot uint32, seg *segment) (n int, o Outcome) {
	switch {
	case len(seg.a) > 0:
		return s.w.Write(slot, seg.a, seg.b)
	case len(seg.b) > 0:
		return s.w.Write(slot, seg.b, nil)
	}
	return 0, Sent
}

// fallBehind gives subscription i of a, which took n bytes of the pass under way
// and not all, a cursor of its own. It returns how many messages were begun.
func (s *Shard) fallBehind(a *audience, i uint32, n int) (messages uint64) {
	p := a.pass
	if a.rate == 0 {
		begun, rest := p.split(n)
		if len(rest) > 0 {
			s.w.Keep(s.subs.at(i).slot, rest)
		}
		s.lag(a, i, begun)
		return begun - p.start
	}
	begun, rest := p.frames.begun(n)
	if len(rest) > 0 {
		s.w.Keep(s.subs.at(i).slot, rest)
	}
	l := s.lag(a, i, p.round.start)
	l.round, l.from = p.round, p.round.from
	l.sent(&p.frames, begun, p.whole)
	return uint64(begun)
}

// begin fixes what the next pass sends and to whom (rule B3). It reports false
// where there is no news.
func (s *Shard) begin(a *audience) bool {
	p := s.newPass()
	t := a.topic
	t.mu.Lock()
	tail, news := t.log.tail, true
	if a.rate == 0 {
		p.segment = t.log.segment(a.dialect, a.cursor, t.log.head)
		news = p.messages() > 0
	} else {
		p.round = round{start: a.cursor, from: *a.known, end: t.log.head, to: t.positionLocked(t.log.head), on: true, shared: true}
		news = s.encodePassLocked(a, p)
		a.cursor, *a.known = p.round.end, p.round.to
	}
	t.mu.Unlock()
	s.dropLost(a, tail)
	if !news {
		s.putPass(p)
		s.release(a)
		return false
	}
	if a.rate == 0 {
		a.cursor = p.end
	}
	a.pass, p.next, p.stop = p, 0, len(a.members)
	return true
}

// encodePassLocked encodes what comes next in the round of a's pass. It reports
// whether there is something.
func (s *Shard) encodePassLocked(a *audience, p *pass) bool {
	t := a.topic
	p.gap = t.gapLocked(&p.round)
	p.whole = t.encodeRoundLocked(&p.round, a.dialect, noLow, &p.frames)
	p.segment = segment{end: uint64(len(p.frames.ends)), a: p.frames.data, at: s.hub.now()}
	return len(p.frames.ends) > 0 || p.gap != nil
}

// newPass returns one to begin: a shard uses a few over and over.
func (s *Shard) newPass() *pass {
	n := len(s.passesFree)
	if n == 0 {
		return new(pass)
	}
	p := s.passesFree[n-1]
	s.passesFree = s.passesFree[:n-1]
	return p
}

// putPass gives back what newPass returned.
func (s *Shard) putPass(p *pass) {
	p.frames.reset()
	if *p = (pass{holes: p.holes[:0], frames: p.frames}); cap(p.holes) > 1024 {
		p.holes = nil
	}
	if len(s.passesFree) < sparePasses {
		s.passesFree = append(s.passesFree, p)
	}
}

const sparePasses = 64

// finish ends a's pass. It reports whether a wants another turn.
func (s *Shard) finish(a *audience) (more bool) {
	t, p := a.topic, a.pass
	if a.rate != 0 && !p.whole { // the round goes on, for the same members
		p.round.sent(&p.frames, len(p.frames.ends), false)
		t.mu.Lock()
		news := s.encodePassLocked(a, p)
		t.mu.Unlock()
		if p.next = 0; news {
			return true
		}
	}
	s.stats.Passes.Add(1)
	a.pass = nil
	a.fillHoles(p.holes)
	s.putPass(p)
	t.mu.Lock()
	if a.rate == 0 {
		a.low = a.cursor
		t.madeRoomLocked()
	}
	more = t.log.head > a.cursor
	t.mu.Unlock()
	s.release(a)
	if len(a.members) == 0 {
		s.remove(a)
		return false
	}
	return more || a.rate == 0 && a.behind != nil // a mark taken during the pass may have meant an eviction
}

// release lets go on whoever waited for a's pass to end.
func (s *Shard) release(a *audience) {
	l := a.waiting
	a.waiting = nil
	for l != nil {
		next := l.nextWaiting
		l.nextWaiting, l.prevWaiting, l.waiting, l.turn = nil, nil, false, true
		if l.cursor == a.cursor {
			s.advance(l) // it rejoins, now or never if the next pass begins at once
		} else {
			s.makeReady(l)
		}
		l = next
	}
}
