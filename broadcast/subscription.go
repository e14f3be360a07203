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

// Subscribed says where a subscription begins.
type Subscribed struct {
	Position  Position // everything after it will be sent
	Recovered bool     // with since: everything after since will be sent too, first
	History   Position // with since and not Recovered: the oldest position that since could name
}

// Subscribe subscribes the connection in slot to a topic in a dialect. since may
// be nil; otherwise what the log holds after it is sent first, and then Live is
// told. Nothing is written before the next Work, so that the caller can answer
// first. It returns ErrAlready, ErrTooManyTopics or nil.
func (s *Shard) Subscribe(slot uint32, list *List, topic string, dialect uint8, since *Position) (Subscribed, error) {
	if i, _ := s.find(list, topic); i != none {
		return Subscribed{}, ErrAlready
	}
	a, err := s.join(topic, dialect)
	if err != nil {
		return Subscribed{}, err
	}
	i := s.subs.alloc()
	*s.subs.at(i) = subscription{slot: slot, audience: a.index, place: uint32(len(a.members)), next: uint32(*list)}
	*list = List(i + 1)
	a.members = append(a.members, i)
	s.stats.Subscriptions.Add(1)
	a.topic.subscribers.Add(1)

	t := a.topic
	t.mu.Lock()
	r := Subscribed{Position: t.positionLocked(a.cursor)}
	from := uint64(0)
	if since != nil {
		var at standing
		if from, at = t.findLocked(*since); at == held {
			r.Recovered = true
			r.Position = t.positionLocked(max(a.cursor, from))
		} else {
			r.History = t.positionLocked(t.log.tail)
		}
	}
	t.mu.Unlock()
	if r.Recovered {
		l := s.lag(a, i, from)
		l.live, l.due = max(a.cursor, from), true
		s.makeReady(l)
	}
	return r, nil
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
