package broadcast

// subscription is one connection's membership in one audience: 16 bytes without
// a pointer, so that the collector has nothing to walk when millions sleep.
type subscription struct {
	slot     uint32
	audience uint32 // index in shard.audiences
	place    uint32 // in the audience's members; the top bit says that it lags
	next     uint32 // the connection's next subscription plus one; 0 ends the list
}

const lagBit = 1 << 31

func (s *subscription) lagging() bool     { return s.place&lagBit != 0 }
func (s *subscription) at() uint32        { return s.place &^ lagBit }
func (s *subscription) setPlace(p uint32) { s.place = p | s.place&lagBit }

// subTable holds subscriptions in chunks, which never move.
type subTable struct {
	chunks []*[subChunk]subscription
	used   uint32 // how many places were ever used
	free   uint32 // list of free places, as subscription.next
}

const subChunk = 1024

func (t *subTable) at(i uint32) *subscription { return &t.chunks[i/subChunk][i%subChunk] }

func (t *subTable) alloc() uint32 {
	if t.free != 0 {
		i := t.free - 1
		t.free = t.at(i).next
		return i
	}
	if int(t.used/subChunk) == len(t.chunks) {
		t.chunks = append(t.chunks, new([subChunk]subscription))
	}
	t.used++
	return t.used - 1
}

func (t *subTable) release(i uint32) {
	*t.at(i) = subscription{next: t.free}
	t.free = i + 1
}

// List is a connection's subscriptions on its shard: the first one plus one, or
// 0 where it has none. Whoever keeps connections keeps one for each and hands
// it to the shard.
type List uint32

// Options say how a subscription is to be.
type Options struct {
	Since   *Position // what came after it is sent first; nil: nothing
	Skip    uint64    // but for so many messages, which the subscriber has already; not where the topic conflates
	MaxRate float64   // values per key and second where the topic conflates, if lower than the topic's own; 0: no lower
}

// Subscribed says where a subscription begins, and how it is.
type Subscribed struct {
	Position  Position // everything after it will be sent
	Recovered bool     // with Since: what came after it will be sent too, first
	History   Position // with Since and not Recovered: the oldest position that Since could name
	Policy    Policy
	MaxRate   float64 // one of Rates; 0: none
	Retain    bool    // what the topic retains is sent first, and then Live is told
}

// Subscribe subscribes the connection in slot to a topic in a dialect. What is to
// be sent first is followed by Live. Nothing is written before the next Work, so
// that the caller can answer first. It returns ErrAlready, ErrTooManyTopics,
// ErrTooManyUsers or nil.
func (s *Shard) Subscribe(slot uint32, list *List, topic string, dialect uint8, o Options) (Subscribed, error) {
	if i, _ := s.find(list, topic); i != none {
		return Subscribed{}, ErrAlready
	}
	a, err := s.join(topic, dialect, o.MaxRate)
	if err != nil {
		return Subscribed{}, err
	}
	i := s.subs.alloc()
	*s.subs.at(i) = subscription{slot: slot, audience: a.index, place: uint32(len(a.members)), next: uint32(*list)}
	*list = List(i + 1)
	a.members = append(a.members, i)
	s.stats.Subscriptions.Add(1)
	a.topic.subscribers.Add(1)

	t, r := a.topic, Subscribed{Policy: a.policy}
	if a.rate != 0 {
		r.MaxRate = Rates[a.rate-1]
	}
	t.mu.Lock()
	cursor := a.cursor
	if a.rate != 0 { // it may be sent what came before, too
		cursor = t.log.head
	}
	r.Position = t.positionLocked(cursor)
	from, at := uint64(0), unknown
	if o.Since != nil {
		if from, at, r.History = t.resumeLocked(*o.Since, o.Skip, a.policy, s.hub.now()); at == held {
			r.Position = t.positionLocked(max(cursor, from))
		} else if at == ahead {
			r.Position = *o.Since
		}
	}
	if r.Recovered = at == held || at == ahead; r.Recovered {
		r.History = Position{}
	}
	r.Retain = t.set.Retain && !r.Recovered
	t.mu.Unlock()
	if r.Recovered {
		l := s.lag(a, i, from)
		if l.from.Epoch == "" {
			l.from = *o.Since // the log has lost it meanwhile
		}
		l.live, l.due, l.turn = max(cursor, from), true, true
		if at == ahead {
			l.ahead = o.Since
		}
		s.makeReady(l)
	} else if r.Retain {
		l := s.lag(a, i, a.cursor)
		l.live, l.due = cursor, true
		l.round = round{end: a.cursor, to: l.from, on: true, retained: true, careful: true}
		s.makeReady(l)
	}
	return r, nil
}

// resumeLocked returns after which message somebody goes on who has been sent
// all up to p and skip more, and whether all that comes after it can be sent
// (held, ahead). If not, it returns the oldest position for which it can.
func (t *topic) resumeLocked(p Position, skip uint64, policy Policy, now int64) (seq uint64, at standing, history Position) {
	oldest := t.historyLocked(now)
	if policy == Conflate && t.keys != nil {
		oldest = max(oldest, t.keys.lost())
	}
	seq, at = t.findLocked(p)
	if at == lost && policy == Conflate && t.keys != nil && t.set.History == (History{}) && seq >= t.keys.lost() {
		return seq, held, Position{} // no message need be held: the newest values are
	}
	for ; at == held && skip > 0; skip-- {
		if seq++; seq > t.log.head {
			at = unknown
		} else if t.log.record(seq).kind == Delete { // raw, which skips, is not sent it
			skip++
		}
	}
	if at == held && seq < oldest {
		at = lost
	}
	if at == ahead && skip > 0 {
		at = unknown
	}
	return seq, at, t.positionLocked(oldest)
}

// Resumable reports whether a subscriber to topic that has been sent all up to
// since, and skip messages more, could be sent all that came after; if not, it
// returns the oldest position from which one could.
func (h *Hub) Resumable(topic string, since Position, skip uint64) (history Position, ok bool) {
	t := h.lookup(topic)
	if t == nil {
		return Position{}, false
	}
	defer t.mu.Unlock()
	_, at, history := t.resumeLocked(since, skip, t.set.Slow, h.now())
	return history, at == held || at == ahead
}

// Unsubscribe ends a subscription. It reports whether there was one.
func (s *Shard) Unsubscribe(list *List, topic string) bool {
	i, before := s.find(list, topic)
	if i == none {
		return false
	}
	if next := s.subs.at(i).next; before == none {
		*list = List(next)
	} else {
		s.subs.at(before).next = next
	}
	s.drop(i)
	return true
}

// Leave ends all subscriptions of a connection.
func (s *Shard) Leave(list *List) {
	for *list != 0 {
		i := uint32(*list) - 1
		*list = List(s.subs.at(i).next)
		s.drop(i)
	}
}

// Topics calls f with the name of each topic in list, and how many messages the
// subscriber is behind what its audience has been sent, until f returns false.
func (s *Shard) Topics(list List, f func(topic string, behind uint64) bool) {
	for i := uint32(list); i != 0; i = s.subs.at(i - 1).next {
		sub := s.subs.at(i - 1)
		a, behind := s.audiences[sub.audience], uint64(0)
		if sub.lagging() {
			behind = a.cursor - min(a.cursor, s.lags[i-1].cursor)
		}
		if !f(a.topic.name, behind) {
			return
		}
	}
}

// Count returns how many subscriptions list has.
func (s *Shard) Count(list List) (n int) {
	for i := uint32(list); i != 0; i = s.subs.at(i - 1).next {
		n++
	}
	return n
}

// find returns the subscription to topic and the one before it in the list.
func (s *Shard) find(list *List, topic string) (i, before uint32) {
	before = none
	for at := uint32(*list); at != 0; {
		i := at - 1
		sub := s.subs.at(i)
		if s.audiences[sub.audience].topic.name == topic {
			return i, before
		}
		before, at = i, sub.next
	}
	return none, none
}

// drop ends subscription i, which is on no connection's list any more.
func (s *Shard) drop(i uint32) {
	sub := s.subs.at(i)
	a := s.audiences[sub.audience]
	if sub.lagging() {
		s.unlag(s.lags[i])
	}
	a.leave(sub.at())
	a.topic.subscribers.Add(-1)
	s.stats.Subscriptions.Add(-1)
	s.subs.release(i)
	if len(a.members) == 0 { // not so during a pass, which sees to it when it ends
		s.remove(a)
	}
}
