package broadcast

// Configure has every topic, those that exist and those to come, be as settings
// says, which may be called by several goroutines at once. Limits, history and
// retention change at once; the policy and the rate hold for whoever subscribes
// from now on. Publishers are held up by no more than one topic's change.
func (h *Hub) Configure(settings func(topic string) Settings) {
	h.configureMu.Lock()
	defer h.configureMu.Unlock()
	h.setsMu.Lock()
	h.settings = settings
	h.sets = make(map[Settings]*topicSettings)
	h.setsMu.Unlock()
	var topics []*topic
	h.mu.RLock() // who creates a topic from now on asks the new settings
	for _, t := range h.topics {
		topics = append(topics, t)
	}
	h.mu.RUnlock()
	for _, t := range topics {
		h.configure(t)
	}
}

// configure gives t its settings, of which many topics have the same.
func (h *Hub) configure(t *topic) {
	h.setsMu.Lock()
	s := h.settings(t.name)
	set := h.sets[s]
	if set == nil {
		set = &topicSettings{s.withDefaults(h.cfg.LogLimit), h}
		h.sets[s] = set
	}
	h.setsMu.Unlock()
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.gone {
		return
	}
	t.configureLocked(set)
	h.expiringMu.Lock()
	defer h.expiringMu.Unlock()
	if set.Retain && set.RetainFor > 0 {
		h.expiring[t] = struct{}{}
	} else {
		delete(h.expiring, t)
	}
}

// topicSettings are what many topics share: settings of which no field is zero that
// has a default, and what these do not say.
type topicSettings struct {
	Settings
	hub *Hub
}

func (s Settings) withDefaults(logLimit int) Settings {
	set := func(v *int, d int) {
		if *v == 0 {
			*v = d
		}
	}
	set(&s.MaxKeys, defaultMaxKeys)
	set(&s.MaxKeyBytes, defaultMaxKeyBytes)
	set(&s.LogLimit, logLimit)
	s.LogLimit = max(s.LogLimit, minLogLimit)
	return s
}

// Expire deletes the retained values that are older than their topics keep
// them, and tells the subscribers. Call it every second or so; it looks only at
// topics that have a limit.
func (h *Hub) Expire() {
	var topics []*topic
	h.expiringMu.Lock()
	for t := range h.expiring {
		topics = append(topics, t)
	}
	h.expiringMu.Unlock()
	for _, t := range topics {
		for h.expire(t) {
		}
	}
}

// expireTurn is how many values expire at a time: the topic's lock is held.
const expireTurn = 1 << 10

// expire deletes values of t that are too old, as far as the log has room. It
// reports whether there may be more.
func (h *Hub) expire(t *topic) (more bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.gone || !t.set.Retain || t.set.RetainFor <= 0 { // it may have changed since Expire looked
		return false
	}
	now, deleted := h.now(), 0
	for p := t.keys.oldest; p != 0 && deleted < expireTurn; {
		v := &t.keys.values[p-1]
		p = v.next
		if v.at >= now-int64(t.set.RetainFor) {
			break
		}
		if v.kind == Delete {
			continue
		}
		grown, _, err := t.appendLocked(&Message{Kind: Delete, Key: v.key, expired: true}, now)
		h.memory.Add(int64(grown))
		if err != nil {
			break // no room: later
		}
		deleted++
	}
	if deleted > 0 {
		t.markLocked()
	}
	return deleted == expireTurn
}
