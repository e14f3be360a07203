package server_test

import (
	"fmt"
	"strconv"
	"strings"
	"sync"

	"github.com/pushd/pushd/broadcast"
)

// A stressed topic's messages are numbered 1, 2, 3, … by whoever publishes to it:
// one at a time, each after the answer to the last, and again and again what was
// refused. So number n is the nth message of the log, or the server has a fault;
// its key, kind and payload follow from n, and so does its position.
const (
	stressKeys = 24
	stressEra  = 4000 // messages, after which a publisher that gives positions changes the epoch
)

type stressTopic struct {
	name   string
	policy broadcast.Policy // of one that stays as it is
	retain bool
	given  bool // its publisher gives the positions
	steady bool // reloads change its limits alone

	mu      sync.Mutex
	epoch   string               // of one that numbers by itself
	issued  uint64               // the newest that the server may have
	acked   uint64               // the newest that it must have
	deleted map[uint64]bool      // which messages are deletions
	deletes [stressKeys][]uint64 // and by key, in their order
	newest  [stressKeys]uint64   // message of each key, deletions among them
}

func (t *stressTopic) String() string { return t.name }

func (t *stressTopic) hash(n uint64) uint64 {
	h := (n ^ uint64(len(t.name))<<32) * 0x9e3779b97f4a7c15
	return h ^ h>>29
}

// keyOf returns the key of message n. One of them has every other message.
func (t *stressTopic) keyOf(n uint64) int {
	if h := t.hash(n); h&1 == 1 {
		return int(h >> 1 % stressKeys)
	}
	return 0
}

// keyName returns how a key is called; one is empty.
func keyName(key int) string {
	if key == 0 {
		return ""
	}
	return "k" + strconv.Itoa(key)
}

var stressPadding = strings.Repeat("x", 2000)

// payload returns that of message n, which is JSON whatever its kind.
func (t *stressTopic) payload(n uint64) string {
	h, size := t.hash(n)>>20, 0
	if size = int(h % 200); h%40 == 0 {
		size = 1800
	}
	return fmt.Sprintf(`["%s",%d,"%s"]`, t.name, n, stressPadding[:size])
}

func (t *stressTopic) kind(n uint64) broadcast.Kind {
	return []broadcast.Kind{broadcast.JSON, broadcast.Text, broadcast.Binary}[n%3]
}

// position returns that of message n.
func (t *stressTopic) position(n uint64) string {
	if t.given {
		return fmt.Sprintf("feed%d:%d", n/stressEra, 7*n)
	}
	return fmt.Sprintf("%s:%d", t.epoch, n)
}

// number returns the last message at or before a position.
func (t *stressTopic) number(position string) (n uint64, err error) {
	epoch, offset, _ := strings.Cut(position, ":")
	if n, err = strconv.ParseUint(offset, 10, 64); err != nil {
		return 0, fmt.Errorf("%s: position %q: %w", t.name, position, err)
	}
	switch given := strings.HasPrefix(epoch, "feed"); {
	case t.given && given:
		return n / 7, nil
	case t.given && n == 0: // before the publisher's first
		return 0, nil
	case t.given || epoch != t.epoch:
		return 0, fmt.Errorf("%s: position %q is of another epoch", t.name, position)
	}
	return n, nil
}

// read returns which message a payload is, and checks that it is as published.
func (t *stressTopic) read(payload []byte) (n uint64, err error) {
	_, rest, _ := strings.Cut(string(payload), ",")
	number, _, _ := strings.Cut(rest, ",")
	if n, err = strconv.ParseUint(number, 10, 64); err != nil || string(payload) != t.payload(n) {
		return 0, fmt.Errorf("%s: %.80q was never published", t.name, payload)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if n > t.issued || t.deleted[n] {
		return 0, fmt.Errorf("%s: message %d was not published; up to %d were", t.name, n, t.issued)
	}
	return n, nil
}

// issue notes that messages up to n are about to be published, or that n is a
// deletion.
func (t *stressTopic) issue(n uint64, deletion bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for ; t.issued < n; t.issued++ {
		t.newest[t.keyOf(t.issued+1)] = t.issued + 1
	}
	if key := t.keyOf(n); deletion {
		t.deleted[n] = true
		t.deletes[key] = append(t.deletes[key], n)
	}
}

// revoke notes that message n will not be a deletion: there was nothing to delete.
func (t *stressTopic) revoke(n uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	key := t.keyOf(n)
	delete(t.deleted, n)
	t.deletes[key] = t.deletes[key][:len(t.deletes[key])-1]
}

func (t *stressTopic) ack(n uint64) {
	t.mu.Lock()
	t.acked = n
	t.mu.Unlock()
}

// at returns the newest message that the server may have, and that it must have.
func (t *stressTopic) at() (issued, acked uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.issued, t.acked
}

// visible returns the first message after n that raw can see.
func (t *stressTopic) visible(n uint64) uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	for n++; t.deleted[n]; n++ {
	}
	return n
}

// deletion returns the first deletion of a key after n, and the last there is.
func (t *stressTopic) deletion(key int, n uint64) (next, last uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	all := t.deletes[key]
	for i := len(all) - 1; i >= 0 && all[i] > n; i-- {
		next = all[i]
	}
	if len(all) > 0 {
		last = all[len(all)-1]
	}
	return next, last
}

// newestOf returns each key's newest message.
func (t *stressTopic) newestOf() [stressKeys]uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.newest
}
