package broadcast

import (
	"slices"
	"strings"
)

// TopicInfo is what there is to know of a topic.
type TopicInfo struct {
	Name        string
	Position    Position // of its newest message
	Oldest      Position // messages after it are held
	Bytes       int      // what they count against the topic's limit
	Subscribers int
	Settings    Settings // with their defaults
	Keys        int      // whose newest value is known
	KeyBytes    int      // what these take
}

func (t *topic) infoLocked() TopicInfo {
	i := TopicInfo{t.name, t.positionLocked(t.log.head), t.positionLocked(t.log.tail), t.log.size, int(t.subscribers.Load()), t.set.Settings, 0, 0}
	if t.keys != nil {
		i.Keys, i.KeyBytes = len(t.keys.places), t.keys.size
	}
	return i
}

// lookup returns the topic of that name, locked, or nil.
func (h *Hub) lookup(name string) *topic {
	h.mu.RLock()
	t := h.topics[name]
	h.mu.RUnlock()
	if t == nil {
		return nil
	}
	t.mu.Lock()
	if t.gone {
		t.mu.Unlock()
		return nil
	}
	return t
}

// Topic returns what there is to know of a topic, and whether there is one.
func (h *Hub) Topic(name string) (TopicInfo, bool) {
	t := h.lookup(name)
	if t == nil {
		return TopicInfo{}, false
	}
	defer t.mu.Unlock()
	return t.infoLocked(), true
}

// Topics returns up to limit topics in the order of their names, beginning
// behind after.
func (h *Hub) Topics(after string, limit int) []TopicInfo {
	var names []string
	h.mu.RLock()
	for name := range h.topics {
		if name > after {
			names = append(names, name)
		}
	}
	h.mu.RUnlock()
	slices.SortFunc(names, strings.Compare)
	infos := []TopicInfo{}
	for _, name := range names {
		if len(infos) == limit {
			break
		}
		if info, ok := h.Topic(name); ok {
			infos = append(infos, info)
		}
	}
	return infos
}

// Messages calls f with up to limit messages after the given position, or all
// that are held where it is nil, oldest first, until f returns false. What is
// lost is left out. The payload is the caller's to keep. It returns ErrNoTopic
// or ErrNoPosition.
func (h *Hub) Messages(name string, after *Position, limit int, f func(Message) bool) error {
	t := h.lookup(name)
	if t == nil {
		return ErrNoTopic
	}
	seq := t.log.tail
	if after != nil {
		at := unknown
		if seq, at = t.findLocked(*after); at == unknown || at == ahead {
			t.mu.Unlock()
			return ErrNoPosition
		}
		seq = max(seq, t.log.tail)
	}
	var found []Message
	for seq++; seq <= t.log.head && len(found) < limit; seq++ {
		m := Message{Topic: t.name}
		t.messageLocked(seq, &m)
		found = append(found, m)
	}
	t.mu.Unlock()
	for _, m := range found { // the log's bytes never change, so they can be copied without the lock
		m.Payload = slices.Clone(m.Payload)
		if !f(m) {
			break
		}
	}
	return nil
}

// HubStats is what a hub holds.
type HubStats struct {
	Topics    int
	LogBytes  int64 // of all logs, by capacity of their chunks
	Published uint64
	Waiting   int64 // publishers that wait for room
	Users     int   // topics of users among Topics
	IDs       int   // of messages that are remembered
	Keys      int64 // whose newest value is known, and what these take
	KeyBytes  int64
}

// Stats returns what the hub holds now.
func (h *Hub) Stats() HubStats {
	h.mu.RLock()
	n, users := len(h.topics), h.users
	h.mu.RUnlock()
	return HubStats{n, h.memory.Load(), h.published.Load(), h.waiting.Load(), users, h.ids.len(), h.keys.keys.Load(), h.keys.bytes.Load()}
}

// Name returns the name as a string: the topic's own, without allocating, where
// there is a topic of that name.
func (h *Hub) Name(name []byte) string {
	h.mu.RLock()
	t := h.topics[string(name)]
	h.mu.RUnlock()
	if t != nil {
		return t.name
	}
	return string(name)
}
