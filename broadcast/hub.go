package broadcast

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/base32"
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Errors that a caller branches on.
var (
	ErrNoRoom        = errors.New("no room in the log: a pass holds its oldest messages")
	ErrTooManyTopics = errors.New("too many topics")
	ErrTooManyUsers  = errors.New("too many users")
	ErrTooLarge      = errors.New("message larger than a quarter of what a log may hold")
	ErrAlready       = errors.New("already subscribed")

	ErrPositionConflict = errors.New("the topic is numbered in another way: by its publisher, by itself, or under an epoch that has ended")
	ErrTooManyKeys      = errors.New("the topic retains as many keys, or bytes of them, as it may")
	ErrNoKey            = errors.New("the topic retains no such key")
	ErrNoTopic          = errors.New("no such topic")
	ErrNoPosition       = errors.New("the topic has never had that position")
)

// Config says how a Hub is to be.
type Config struct {
	Encoders []Encoder // by dialect, at least one; the frame of dialect 0 ends with the payload as published

	Settings func(topic string) Settings // nil: as the zero value says

	LogLimit     int           // bytes a topic's log may hold, where its settings do not say; 0: 4 MiB, at least 4 KiB
	MemoryLimit  int64         // bytes all logs may take, counted by capacity; 0: 256 MiB
	KeyLimit     int64         // bytes the newest values of all keys may take; 0: 64 MiB
	MaxTopics    int           // but for those of users; 0: 100,000
	MaxUsers     int           // topics that begin with [UserPrefix]; 0: 1,000,000
	MaxIDs       int           // ids of messages that are remembered; 0: 131,072
	RememberIDs  time.Duration // and for how long; 0: 5 min
	Patience     time.Duration // how long publishers wait at most, with a full log, for who has just fallen behind; 0: 1 s, negative: not at all
	MaxWaiting   int           // publishers that may wait for room at a time; 0: 1,024
	ResumeWindow time.Duration // how long a topic outlives its last subscriber and message; 0: 1 h
}

func (c Config) withDefaults() Config {
	set := func(v *int, d int) {
		if *v == 0 {
			*v = d
		}
	}
	set(&c.LogLimit, 4<<20)
	set(&c.MaxTopics, 100_000)
	set(&c.MaxUsers, 1_000_000)
	set(&c.MaxIDs, 1<<17)
	set(&c.MaxWaiting, 1024)
	c.LogLimit = max(c.LogLimit, minLogLimit)
	if c.MemoryLimit == 0 {
		c.MemoryLimit = 256 << 20
	}
	if c.Patience == 0 {
		c.Patience = time.Second
	}
	if c.KeyLimit == 0 {
		c.KeyLimit = 64 << 20
	}
	if c.ResumeWindow == 0 {
		c.ResumeWindow = time.Hour
	}
	if c.RememberIDs == 0 {
		c.RememberIDs = 5 * time.Minute
	}
	if c.Settings == nil {
		c.Settings = func(string) Settings { return Settings{} }
	}
	return c
}

// UserPrefix begins the topic of each user.
const UserPrefix = "$user."

// Hub holds topics. Its methods may be called from any goroutine.
type Hub struct {
	cfg   Config
	began time.Time

	memory    atomic.Int64 // of all logs, by capacity of their chunks
	published atomic.Uint64
	waiting   atomic.Int64
	keys      keyTotal

	reclaimMu sync.Mutex
	fruitless int64 // when reclaiming last found too little

	ids idTable

	mu     sync.RWMutex
	topics map[string]*topic
	users  int // how many of them are

	configureMu sync.Mutex // one Configure at a time

	setsMu   sync.Mutex
	settings func(string) Settings       // as Configure has set it
	sets     map[Settings]*topicSettings // those in use, each once

	expiringMu sync.Mutex
	expiring   map[*topic]struct{} // those whose retained values go after a time
}

// NewHub returns an empty hub.
func NewHub(cfg Config) *Hub {
	cfg = cfg.withDefaults()
	h := &Hub{
		cfg: cfg, began: time.Now(), topics: make(map[string]*topic), settings: cfg.Settings, sets: make(map[Settings]*topicSettings),
		expiring: make(map[*topic]struct{}), ids: idTable{most: cfg.MaxIDs, keep: int64(cfg.RememberIDs)},
	}
	h.keys.limit = cfg.KeyLimit
	return h
}

func (h *Hub) now() int64 { return int64(time.Since(h.began)) }

// get returns the topic of that name, locked, and makes it if need be.
func (h *Hub) get(name string) (*topic, error) {
	for {
		h.mu.RLock()
		t := h.topics[name]
		h.mu.RUnlock()
		if t == nil {
			var err error
			if t, err = h.create(name); err != nil {
				return nil, err
			}
		}
		t.mu.Lock()
		if !t.gone {
			return t, nil
		}
		t.mu.Unlock()
	}
}

func (h *Hub) create(name string) (*topic, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if t := h.topics[name]; t != nil {
		return t, nil
	}
	user := strings.HasPrefix(name, UserPrefix)
	switch {
	case user && h.users >= h.cfg.MaxUsers:
		return nil, ErrTooManyUsers
	case user:
		h.users++
	case len(h.topics)-h.users >= h.cfg.MaxTopics:
		return nil, ErrTooManyTopics
	}
	t := &topic{name: strings.Clone(name), eras: []era{{epoch: newEpoch()}}, used: h.now(), log: &noLog, inUse: 1}
	h.topics[t.name] = t
	h.configure(t)
	return t, nil
}

var epochEncoding = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// newEpoch returns a random string of 8 characters (40 bits).
func newEpoch() string {
	var b [5]byte
	rand.Read(b[:]) // never fails: see crypto/rand
	return epochEncoding.EncodeToString(b[:])
}

// window is how long those who fall behind are counted together, or not above 0
// where nobody waits for them.
func (h *Hub) window() int64 { return int64(h.cfg.Patience) / 2 }

// Receipt says where a message stands. It means "in the log, in order".
type Receipt struct {
	Position    Position
	Subscribers int  // how many there were
	Duplicate   bool // it was published before, by its ID or its position; nothing has changed
}

// TryPublish appends m to the topic's log and tells its audiences. It does not
// wait: where an unfinished pass holds the room it returns ErrNoRoom, which may
// be tried again. m.Payload is copied.
func (h *Hub) TryPublish(name string, m Message) (Receipt, error) {
	t, r, err := h.append(name, &m, true)
	if t != nil {
		t.mu.Unlock()
	}
	return r, err
}

// append returns with the topic locked, unless it is nil.
func (h *Hub) append(name string, m *Message, mark bool) (*topic, Receipt, error) {
	if m.Position.Epoch != "" && m.Position.Offset == 0 {
		return nil, Receipt{}, ErrPositionConflict
	}
	if h.memory.Load() > h.cfg.MemoryLimit-maxChunk && !h.reclaim() {
		return nil, Receipt{}, ErrNoRoom
	}
	t, err := h.get(name)
	if err != nil {
		return nil, Receipt{}, err
	}
	now := h.now()
	id := topicID{t.name, m.ID}
	if m.ID != "" {
		if p, ok := h.ids.find(id, now); ok {
			return t, Receipt{p, int(t.subscribers.Load()), true}, nil
		}
	}
	grown, duplicate, err := t.appendLocked(m, now)
	h.memory.Add(int64(grown))
	if err != nil {
		if grown < 0 {
			t.markLocked() // whoever lags may have lost its place (B7)
		}
		return t, Receipt{}, err
	}
	r := Receipt{m.Position, int(t.subscribers.Load()), duplicate}
	if duplicate {
		return t, r, nil
	}
	if m.ID != "" {
		h.ids.add(id, m.Position, now)
	}
	h.published.Add(1)
	if mark {
		t.markLocked()
	}
	return t, r, nil
}

// Publish is TryPublish for callers with a goroutine of their own: it waits for
// room until ctx ends, and then returns ErrNoRoom wrapped with ctx's error.
func (h *Hub) Publish(ctx context.Context, name string, m Message) (Receipt, error) {
	if r, err := h.TryPublish(name, m); err != ErrNoRoom {
		return r, err
	}
	b := h.Batch()
	defer b.Flush()
	return b.Publish(ctx, name, m)
}

// reclaim evicts from the topics that were published to least recently until
// all logs together are a sixteenth below the limit. It reports whether there
// is room.
func (h *Hub) reclaim() bool {
	h.reclaimMu.Lock()
	defer h.reclaimMu.Unlock()
	limit := h.cfg.MemoryLimit - maxChunk
	if h.memory.Load() <= limit {
		return true // another publisher did it meanwhile
	}
	const pause = int64(10 * time.Millisecond) // looking at every topic for every refusal would be an attack on ourselves
	if now := h.now(); h.fruitless != 0 && now-h.fruitless < pause {
		return false
	}
	type aged struct {
		t    *topic
		used int64
	}
	var all []aged
	h.mu.RLock()
	for _, t := range h.topics {
		t.mu.Lock()
		all = append(all, aged{t, t.used})
		t.mu.Unlock()
	}
	h.mu.RUnlock()
	slices.SortFunc(all, func(a, b aged) int { return cmp.Compare(a.used, b.used) })
	for _, a := range all {
		if h.memory.Load() <= limit-limit/16 {
			break
		}
		a.t.mu.Lock()
		low, freed := a.t.lowLocked(), 0
		for int64(freed) < h.memory.Load()-(limit-limit/16) && a.t.log.evictable(low) {
			freed += a.t.log.evict()
		}
		if freed > 0 {
			h.memory.Add(int64(-freed))
			a.t.markLocked() // whoever lags may have lost its place (B7)
		}
		a.t.mu.Unlock()
	}
	if h.memory.Load() <= limit {
		h.fruitless = 0
		return true
	}
	h.fruitless = h.now()
	return false
}

// Sweep forgets the topics that nobody has subscribed or published to for the
// resume window. Call it now and then; it looks at every topic.
func (h *Hub) Sweep() {
	before := h.now() - int64(h.cfg.ResumeWindow)
	var old []*topic
	h.mu.RLock()
	for _, t := range h.topics {
		t.mu.Lock()
		if len(t.audiences) == 0 && t.used < before {
			old = append(old, t)
		}
		if t.keys != nil {
			t.keys.dropTombstones(h.now() - tombstoneAge)
		}
		t.mu.Unlock()
	}
	h.mu.RUnlock()
	for _, t := range old {
		h.forget(t, func() bool { return t.used < before })
	}
}

// tombstoneAge is how long a deleted key is known to those that are behind.
const tombstoneAge = int64(time.Minute)

// forget takes t from the hub (rule B10), if it has no audience and still, which
// is asked under both locks, says so.
func (h *Hub) forget(t *topic, still func() bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.gone || len(t.audiences) > 0 || !still() { // gone: its name may be a new topic's
		return
	}
	if t.set.Retain && len(t.keys.places) > 0 { // what it retains stays
		for t.log.evictable(t.log.head) {
			h.memory.Add(int64(-t.log.evict()))
		}
		return
	}
	t.gone = true
	delete(h.topics, t.name)
	h.expiringMu.Lock()
	delete(h.expiring, t)
	h.expiringMu.Unlock()
	if strings.HasPrefix(t.name, UserPrefix) {
		h.users--
	}
	h.memory.Add(int64(-t.log.memory))
	t.keys.release()
	t.keys = nil
	t.log = &noLog // reclaim, which may have seen t already, finds nothing to give back again
}
