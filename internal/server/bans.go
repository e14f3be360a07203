package server

import (
	"maps"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pushd/pushd/internal/dialect"
)

// maxBans is how many there may be at a time.
const maxBans = 65_536

// A ban keeps somebody out for a time. Its id says whom: "user:42",
// "token:JTI" or "address:192.0.2.0/24".
type ban struct {
	ID     string
	Until  time.Time // with a monotonic reading: steps of the clock do not move it
	Reason string
}

const (
	banUser    = "user:"
	banToken   = "token:"
	banAddress = "address:"
)

// bans are those that hold. They are not written to disk.
type bans struct {
	any atomic.Bool // there may be some

	mu   sync.RWMutex
	m    map[string]ban
	bits map[int]int // of addresses: prefix length, as of IPv6, and how many there are
}

// find returns a ban that holds for p.
func (b *bans) find(p person, now time.Time) (found ban, ok bool) {
	if !b.any.Load() {
		return ban{}, false
	}
	b.mu.RLock()
	defer b.mu.RUnlock()
	holds := func(id string) bool {
		found, ok = b.m[id]
		ok = ok && now.Before(found.Until)
		return ok
	}
	if p.user != "" && holds(banUser+p.user) || p.tokenID != "" && holds(banToken+p.tokenID) {
		return found, true
	}
	if p.address.IsValid() {
		for bits := range b.bits {
			if prefix, err := p.address.Prefix(bits); err == nil && holds(banAddress+prefix.String()) { // else it is of the other family
				return found, true
			}
		}
	}
	return ban{}, false
}

// put adds a ban, or replaces the one of that id. It reports whether there was
// room.
func (b *bans) put(x ban, now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if _, known := b.m[x.ID]; !known {
		if len(b.m) >= maxBans {
			b.expire(now)
		}
		if len(b.m) >= maxBans {
			return false
		}
		b.count(x.ID, 1)
	}
	if b.m == nil {
		b.m = make(map[string]ban)
	}
	b.m[x.ID] = x
	b.any.Store(true)
	return true
}

// lift ends a ban. It reports whether there was one.
func (b *bans) lift(id string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	_, ok := b.m[id]
	b.drop(id)
	return ok
}

// sweep forgets those whose time has passed.
func (b *bans) sweep(now time.Time) {
	if !b.any.Load() {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.expire(now)
}

func (b *bans) expire(now time.Time) {
	for id, x := range b.m {
		if !now.Before(x.Until) {
			b.drop(id)
		}
	}
}

func (b *bans) drop(id string) {
	if _, ok := b.m[id]; !ok {
		return
	}
	delete(b.m, id)
	b.count(id, -1)
	b.any.Store(len(b.m) > 0)
}

// count notes that there is one more, or one less, of a prefix length.
func (b *bans) count(id string, n int) {
	text, ok := strings.CutPrefix(id, banAddress)
	if !ok {
		return
	}
	bits := netip.MustParsePrefix(text).Bits()
	if b.bits == nil {
		b.bits = make(map[int]int)
	}
	if b.bits[bits] += n; b.bits[bits] == 0 {
		delete(b.bits, bits)
	}
}

// list returns at most limit bans that hold, by id, behind after.
func (b *bans) list(after string, limit int, now time.Time) (page []ban) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	for _, id := range slices.Sorted(maps.Keys(b.m)) {
		if x := b.m[id]; id > after && now.Before(x.Until) {
			if page = append(page, x); len(page) == limit {
				break
			}
		}
	}
	return page
}

func (b *bans) len() int {
	b.mu.RLock()
	defer b.mu.RUnlock()
	return len(b.m)
}

// refusal is what who is banned is told. Another token may do where only the
// token is.
func (x ban) refusal() *dialect.Error {
	reason := ""
	if x.Reason != "" {
		reason = ": " + x.Reason
	}
	if strings.HasPrefix(x.ID, banToken) {
		return &dialect.Error{Code: dialect.CodeUnauthorized, Message: "the token was revoked" + reason}
	}
	return &dialect.Error{Code: dialect.CodeForbidden, Message: "banned" + reason}
}
