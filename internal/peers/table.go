package peers

import (
	"net/netip"
	"sync"
	"time"
)

const (
	// slack is how many connections of one address are heard at once only to be
	// refused. Those beyond are closed without a word.
	slack = 16

	chunkSize = 1024

	unknownEntry = 0 // of what has no address
	sharedEntry  = 1 // of what came when the table was full
	firstEntry   = 2
)

// Config says how a Table is to be. The zero value counts, and limits nothing.
type Config struct {
	Trusted     Networks         // not limited, and believed
	Connections int              // from one address at once; 0: any number
	Handshakes  int              // from one address a second, which may come in one moment; 0: any number
	Size        int              // addresses that are known at once; 0: 131,072
	Now         func() time.Time // nil: time.Now
}

// Table counts connections by address. Its methods may be called by any
// goroutine; they allocate only when the table grows.
//
// It is bounded. An address is forgotten when nothing of it is left to count. Who
// comes from a new one when the table is full of others is counted together with
// all such, and not limited: with a network of that size, which a single customer
// may have, somebody could otherwise keep everybody else out, with one connection
// for each address. The limit of all connections holds for them as for others.
type Table struct {
	cfg   Config
	every time.Duration // 1 s / Handshakes
	began time.Time

	mu     sync.Mutex
	index  map[key]uint32
	chunks []*[chunkSize]entry
	used   uint32   // entries that were ever used
	free   []uint32 // of these
	hand   uint32   // where reclaim goes on
	stats  Stats
}

// Stats are what a Table has counted.
type Stats struct {
	Addresses int    // known now
	Uncounted int    // connections now that are counted together, as the table was full
	Crowded   uint64 // connections refused or closed because of Config.Connections
	Hasty     uint64 // because of Config.Handshakes
	Overflow  uint64 // connections that came when the table was full
}

// New returns an empty Table.
func New(cfg Config) *Table {
	if cfg.Size == 0 {
		cfg.Size = 1 << 17
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	t := &Table{cfg: cfg, index: make(map[key]uint32), used: firstEntry}
	if cfg.Handshakes > 0 {
		t.every = time.Second / time.Duration(cfg.Handshakes)
	}
	t.began = cfg.Now()
	t.chunks = append(t.chunks, new([chunkSize]entry))
	return t
}

// Arrive counts a connection from there. ok is false where it is not even to be
// heard: it is not counted then. The mark must go back to Leave once.
func (t *Table) Arrive(from netip.Addr) (mark uint32, ok bool) {
	if !from.IsValid() {
		return unknownEntry, true
	}
	believed := t.cfg.Trusted.Contain(from)
	t.mu.Lock()
	defer t.mu.Unlock()
	m, ok := t.arrive(from, !believed && !from.Unmap().IsLoopback(), true)
	if believed {
		m |= trusted
	}
	return uint32(m), ok
}

// Named counts a connection anew that a proxy says is from there, and returns its
// new mark. It is heard already, so it is always counted; whether it is to be
// refused the mark tells. It is limited unless it is from a trusted network: one
// from a loopback address is on the proxy's host.
func (t *Table) Named(mark uint32, from netip.Addr) uint32 {
	if !from.IsValid() {
		return mark
	}
	limited := !t.cfg.Trusted.Contain(from)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.leave(Mark(mark))
	m, _ := t.arrive(from, limited, false)
	return uint32(m | named)
}

// Leave takes a connection out of the count. The mark is worth nothing any more.
func (t *Table) Leave(mark uint32) {
	if Mark(mark).entry() == unknownEntry {
		return
	}
	t.mu.Lock()
	t.leave(Mark(mark))
	t.mu.Unlock()
}

// arrive is Arrive with t locked. may says that the connection need not be heard.
func (t *Table) arrive(from netip.Addr, limited, may bool) (m Mark, ok bool) {
	now := t.now()
	i := t.find(keyOf(from), now)
	e := t.at(i)
	if i == sharedEntry {
		t.stats.Overflow++
		limited = false
	}
	m = Mark(i)
	switch {
	case !limited:
	case t.cfg.Connections > 0 && e.conns >= uint32(t.cfg.Connections):
		t.stats.Crowded++
		m |= crowded
	case t.every > 0 && !e.take(now, t.every):
		t.stats.Hasty++
		m |= hasty
	}
	switch {
	case !m.refused():
		e.conns++
	case may && e.refusing >= slack:
		e.refused++
		return 0, false
	default:
		e.refused++
		e.refusing++
	}
	return m, true
}

func (t *Table) leave(m Mark) {
	i := m.entry()
	if i == unknownEntry {
		return
	}
	e := t.at(i)
	if m.refused() {
		e.refusing--
	} else {
		e.conns--
	}
	if e.idle(t.now()) {
		t.forget(i)
	}
}

// now is only asked for where handshakes are limited: nothing else depends on it.
func (t *Table) now() time.Duration {
	if t.every == 0 {
		return 0
	}
	return t.cfg.Now().Sub(t.began)
}

func (t *Table) at(i uint32) *entry { return &t.chunks[i/chunkSize][i%chunkSize] }

// find returns the entry of k, a new one if need be; the shared one where there
// is no room.
func (t *Table) find(k key, now time.Duration) uint32 {
	if i, ok := t.index[k]; ok {
		return i
	}
	// Two for each that is added, so that the table does not grow by what is
	// over; and more where there is no room, but not without end.
	t.reclaim(2, now)
	if len(t.free) == 0 && t.used-firstEntry >= uint32(t.cfg.Size) {
		t.reclaim(64, now)
	}
	var i uint32
	switch n := len(t.free); {
	case n > 0:
		i, t.free = t.free[n-1], t.free[:n-1]
	case t.used-firstEntry < uint32(t.cfg.Size):
		if t.used%chunkSize == 0 {
			t.chunks = append(t.chunks, new([chunkSize]entry))
		}
		i = t.used
		t.used++
	default:
		return sharedEntry
	}
	*t.at(i) = entry{key: k, used: true}
	t.index[k] = i
	return i
}

// reclaim looks at so many entries, in turn, and forgets the idle ones: those
// that Leave found with a bucket that was not full.
func (t *Table) reclaim(n int, now time.Duration) {
	if t.every == 0 {
		return // every bucket is full: there are none
	}
	for range n {
		if t.hand++; t.hand < firstEntry || t.hand >= t.used {
			t.hand = firstEntry
		}
		if t.hand < t.used && t.at(t.hand).idle(now) {
			t.forget(t.hand)
		}
	}
}

// forget frees an entry, unless it is free or none of an address.
func (t *Table) forget(i uint32) {
	e := t.at(i)
	if !e.used {
		return
	}
	delete(t.index, e.key)
	*e = entry{}
	t.free = append(t.free, i)
}

// Stats returns the counts.
func (t *Table) Stats() Stats {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := t.stats
	s.Addresses, s.Uncounted = len(t.index), int(t.at(sharedEntry).conns)
	return s
}

// Prefix returns the address, or the /64, that a connection is counted for; the
// zero Prefix where that is none. The mark must not have left.
func (t *Table) Prefix(mark uint32) netip.Prefix {
	i := Mark(mark).entry()
	if i < firstEntry {
		return netip.Prefix{}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.at(i).key.prefix()
}
