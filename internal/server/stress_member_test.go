package server_test

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/pushd/pushd/broadcast"
)

// stressMember is what the model knows of one subscription.
type stressMember struct {
	*stressTopic
	policy  string
	began   time.Time
	maxRate float64

	last  uint64 // the newest message that is behind it: received, in a gap, or before its beginning
	seen  string // the position that the next message must name as the one before, and what to resume from
	live  uint64 // where live is due
	due   bool   // it is
	first bool   // nothing of the log has come

	retained   bool                 // retained values come, until live
	from       uint64               // what came after is owed; where values are sent, for each key its newest
	claimed    uint64               // nothing up to here is still to come, the last position said
	got        map[int]*stressValue // by key
	low        [stressKeys]uint64   // of raw: the newest value of each key
	anchor     uint64               // of raw: it began at or before this message
	unanchored bool                 // of raw: where it began nobody can say yet, for retained values look like any
	forgotten  uint64               // what may be missing, after a gap between values
}

// stressValue is what a subscription has of a key. Which of several deletions it
// was told of nobody can say: one of those in [low, high].
type stressValue struct {
	low, high uint64
	deleted   bool
	count     int
}

// said is what a frame of pushd.v1 says.
type said struct {
	Op, Topic, Key, Code, Message         string
	ID                                    *int
	Position, Previous, History, From, To string
	Recovered                             *bool
	Policy                                string
	MaxRate                               float64 `json:"max_rate"`
	Retain, Retained                      bool
	Data                                  json.RawMessage
	Text                                  string
	Base64                                []byte
}

func (h *said) payload() []byte {
	switch {
	case h.Data != nil:
		return h.Data
	case h.Base64 != nil:
		return h.Base64
	default:
		return []byte(h.Text)
	}
}

// newMember checks how a subscription was answered that asked for since.
func newMember(t *stressTopic, h *said, since string, asked time.Time) (*stressMember, error) {
	m := &stressMember{stressTopic: t, policy: h.Policy, began: asked, maxRate: h.MaxRate, seen: h.Position, first: true, got: map[int]*stressValue{}}
	position, err := t.number(h.Position)
	issued, _ := t.at()
	switch {
	case err != nil && (h.Recovered == nil || !*h.Recovered):
		return nil, err
	case t.steady && (h.Policy != t.policy.String() || h.Retain != (t.retain && (h.Recovered == nil || !*h.Recovered))):
		return nil, fmt.Errorf("policy %s, retain %t", h.Policy, h.Retain)
	case (since != "") != (h.Recovered != nil):
		return nil, fmt.Errorf("since %q was answered with recovered %v", since, h.Recovered)
	}
	m.last, m.from, m.live, m.claimed = position, position, position, position
	if h.Retain {
		m.due, m.retained = true, true
		if t.steady { // what was not retained for a while is not all known
			m.from = 0
		}
	}
	if since == "" {
		return m, nil
	}
	from, err := t.number(since)
	if !*h.Recovered {
		history, bad := t.number(h.History)
		if bad != nil || err == nil && !t.given && history <= from && from <= position {
			return nil, fmt.Errorf("not recovered since %q, but history begins at %q: %v", since, h.History, bad)
		}
		return m, nil
	}
	if err != nil || position < from || position > max(from, issued) {
		return nil, fmt.Errorf("recovered since %q, position %q, %d are issued: %v", since, h.Position, issued, err)
	}
	m.last, m.from, m.claimed, m.seen, m.due = from, from, from, since, true
	return m, nil
}

func (m *stressMember) conflates() bool { return m.policy == broadcast.Conflate.String() }

// message checks a message or a delete.
func (m *stressMember) message(h *said) (err error) {
	at, err := m.number(h.Position)
	if err != nil {
		return err
	}
	deletion, n := h.Op == "delete", at
	if !deletion {
		if n, err = m.read(h.payload()); err != nil {
			return err
		}
		if h.Key != keyName(m.keyOf(n)) {
			return fmt.Errorf("message %d has the key %q", n, h.Key)
		}
	}
	switch {
	case h.Retained && (!m.retained || deletion || h.Previous != ""):
		return fmt.Errorf("%s %d is a retained value, previous %q", h.Op, n, h.Previous)
	case h.Retained && !m.conflates() && (n > m.live || m.steady && m.got[m.keyOf(n)] != nil): // a reload may make the table anew, and the round begin again
		return fmt.Errorf("value %d was retained, which is after %d or comes twice", n, m.live)
	case h.Retained, m.conflates():
		return m.value(h, n, at, deletion)
	case m.retained:
		return fmt.Errorf("message %d came before the end of what is retained", n)
	}
	if deletion {
		m.mu.Lock()
		deletion = m.deleted[n]
		m.mu.Unlock()
		if !deletion || h.Key != keyName(m.keyOf(n)) {
			return fmt.Errorf("message %d is not a deletion of %q", n, h.Key)
		}
	}
	switch {
	case n != m.last+1:
		return fmt.Errorf("message %d came after %d", n, m.last)
	case h.Position != m.position(n):
		return fmt.Errorf("message %d has the position %q, expected %q", n, h.Position, m.position(n))
	case h.Previous != m.seen && (h.Previous != "" || m.steady && !deletion):
		return fmt.Errorf("message %d names %q as the one before, which was %q", n, h.Previous, m.seen)
	case m.due && n > m.live:
		return fmt.Errorf("message %d came before live was told of %d", n, m.live)
	}
	m.last, m.seen, m.first = n, h.Position, false
	return nil
}

// value checks a newest value: of those of a key it is not older than the one
// before, and what its position says is not still to come has come.
func (m *stressMember) value(h *said, n, at uint64, deletion bool) error {
	key := m.keyOf(n)
	if deletion {
		for key = 0; key < stressKeys && keyName(key) != h.Key; key++ {
		}
		if key == stressKeys {
			return fmt.Errorf("the key %q was never used", h.Key)
		}
	}
	v := m.got[key]
	if v == nil {
		v = &stressValue{}
		m.got[key] = v
	}
	v.count++
	switch deleted, last := m.deletion(key, v.low); {
	case deletion && last == 0:
		return fmt.Errorf("the key %q was never deleted", h.Key)
	case deletion && v.deleted: // perhaps the same once more: the round after one that was not careful (rule C2)
		v.high = max(v.high, last)
	case deletion:
		v.low, v.high = max(v.low, deleted), max(v.high, last)
	case n < v.low:
		return fmt.Errorf("key %q went back to %d from %+v", h.Key, n, v)
	default:
		v.low, v.high = n, n
	}
	if v.deleted = deletion; m.maxRate > 0 {
		if most := 3 + int(time.Since(m.began).Seconds()*m.maxRate); v.count > most {
			return fmt.Errorf("key %q was sent %d times in %v at a rate of %v", h.Key, v.count, time.Since(m.began), m.maxRate)
		}
	}
	if h.Retained && !m.conflates() {
		return nil // the log goes on from where the subscription began
	}
	if m.seen, m.first = h.Position, false; h.Retained {
		return nil
	}
	return m.claim(at, fmt.Sprintf("position %s", h.Position))
}

// claim checks that each key that was changed up to message n has come, but for
// those that were changed again since.
func (m *stressMember) claim(n uint64, who string) error {
	newest := m.newestOf()
	for ; m.claimed < n; m.claimed++ {
		s := m.claimed + 1
		key := m.keyOf(s)
		if v := m.got[key]; s > m.forgotten && s > m.from && newest[key] <= n && (v == nil || v.high < s) {
			return fmt.Errorf("%s says that nothing up to %d is to come, of key %q message %d is: %+v", who, n, keyName(key), s, v)
		}
	}
	return nil
}

// isLive checks a live.
func (m *stressMember) isLive() error {
	switch {
	case !m.due:
		return fmt.Errorf("live was not due")
	case m.conflates() && !m.retained:
		if err := m.claim(m.live, "live"); err != nil {
			return err
		}
	case !m.retained && m.last < m.live:
		return fmt.Errorf("live after %d, expected it after %d", m.last, m.live)
	case m.retained && m.steady:
		if err := m.checkRetained(); err != nil {
			return err
		}
	}
	m.due, m.retained = false, false
	return nil
}

// checkRetained checks that the value that each key had when the subscription
// began has come, unless it has changed since.
func (m *stressMember) checkRetained() error {
	newest, left := m.newestOf(), map[int]bool{}
	for key, n := range newest {
		left[key] = n <= m.live
	}
	for key := range left {
		n := newest[key]
		m.mu.Lock()
		deleted := m.deleted[n]
		m.mu.Unlock()
		if v := m.got[key]; left[key] && n > 0 && !deleted && (v == nil || v.high < n) {
			return fmt.Errorf("of key %q value %d is retained, but was not sent: %+v", keyName(key), n, v)
		}
	}
	return nil
}

// gap checks a notice that messages are missing.
func (m *stressMember) gap(h *said) error {
	to, err := m.number(h.To)
	if err != nil {
		return err
	}
	if m.conflates() {
		m.forgotten, m.seen = max(m.forgotten, to), h.To
		return nil
	}
	from, err := m.number(h.From)
	if err != nil || m.policy != broadcast.Drop.String() || from != m.last || to <= m.last {
		return fmt.Errorf("a gap from %q to %q after %q, policy %s", h.From, h.To, m.seen, m.policy)
	}
	m.last, m.seen = to, h.To
	return nil
}

// raw checks a payload that came without a word about it.
func (m *stressMember) raw(payload []byte) error {
	n, err := m.read(payload)
	if err != nil {
		return err
	}
	if m.conflates() {
		key := m.keyOf(n)
		if n < m.low[key] {
			return fmt.Errorf("key %q went back from %d to %d", keyName(key), m.low[key], n)
		}
		m.low[key], m.first = n, false
		return nil
	}
	want := m.visible(m.last)
	switch {
	case m.unanchored && n <= m.anchor:
		m.last, m.first = max(m.last, n), false
		return nil
	case m.unanchored:
		m.unanchored, want = false, m.visible(m.anchor)
	case m.first && m.anchor > 0 && n <= want:
		want = n
	}
	if n != want {
		return fmt.Errorf("message %d came after %d, expected %d", n, m.last, want)
	}
	m.last, m.first = n, false
	return nil
}

// complete says what is missing when all has been published.
func (m *stressMember) complete(raw bool) error {
	issued, _ := m.at()
	newest := m.newestOf()
	switch {
	case m.live > issued: // it resumed from where the topic has not come
	case m.due:
		return fmt.Errorf("live is due at %d, received up to %d", m.live, m.last)
	case raw && m.conflates():
		for key, n := range newest {
			if _, gone := m.deletion(key, 0); m.low[key] < n && gone != n && n > max(m.from, m.anchor) {
				return fmt.Errorf("key %q is at %d, received up to %d", keyName(key), n, m.low[key])
			}
		}
	case raw:
		last := m.last
		if m.unanchored || m.first {
			last = max(last, m.anchor)
		}
		if want := m.visible(last); want <= issued {
			return fmt.Errorf("message %d is missing, up to %d were published", want, issued)
		}
	case m.conflates():
		for key, n := range newest {
			v := m.got[key]
			switch _, gone := m.deletion(key, 0); {
			case n <= max(m.from, m.forgotten):
			case gone == n && (v == nil && m.from == 0 || v != nil && v.deleted):
			case v == nil, v.deleted, v.low != n:
				return fmt.Errorf("key %q is at %d, received %+v", keyName(key), n, v)
			}
		}
	case m.last < issued:
		return fmt.Errorf("message %d is missing, up to %d were published", m.last+1, issued)
	}
	return nil
}
