package broadcast

import "sync/atomic"

// keyTable knows the newest value of each key of a topic that retains or
// conflates. The topic's lock guards it.
type keyTable struct {
	places map[string]uint32 // by key, in values
	values []keyValue        // a value never changes its place, so that a round can go on where it stopped
	seqs   []uint64          // sequence number of each value, 0 where the place is free: what a round looks through
	free   []uint32
	oldest uint32 // list of values by sequence: place plus one
	newest uint32
	size   int // what the values take
	total  *keyTotal

	// Whoever has come no further than these sequence numbers has lost
	// something: a value that had to go to make room, the newest of which was
	// forgotten, or word of a delete, the newest of which was buried.
	forgotten, buried uint64
}

// keyValue is the newest message of a key. A tombstone, of kind Delete, is kept
// for those that are behind and still have to be told.
type keyValue struct {
	key, event string
	payload    []byte // its own, written over by the next value
	at         int64
	kind       Kind
	prev, next uint32 // place plus one
}

// keyCost is what a key takes beside its bytes.
const keyCost = 160

func (v *keyValue) cost() int { return keyCost + len(v.key) + len(v.event) + cap(v.payload) }

// keyTotal is what all tables of a hub have.
type keyTotal struct {
	limit int64 // of bytes
	keys  atomic.Int64
	bytes atomic.Int64
}

func newKeyTable(total *keyTotal) *keyTable {
	return &keyTable{places: make(map[string]uint32), total: total}
}

// count adds to what is counted.
func (k *keyTable) count(keys, bytes int) {
	k.size += bytes
	k.total.keys.Add(int64(keys))
	k.total.bytes.Add(int64(bytes))
}

// release takes k, which nobody will look at any more, out of the total.
func (k *keyTable) release() {
	if k != nil {
		k.count(-len(k.places), -k.size)
	}
}

// put makes m, which is message seq, the newest value of its key.
func (k *keyTable) put(m *Message, seq uint64, at int64) {
	i, ok := k.places[m.Key]
	if ok {
		k.count(-1, -k.values[i].cost())
		k.unlink(i)
	} else {
		if n := len(k.free); n > 0 {
			i, k.free = k.free[n-1], k.free[:n-1]
		} else {
			i = uint32(len(k.values))
			k.values = append(k.values, keyValue{})
			k.seqs = append(k.seqs, 0)
		}
		k.values[i].key = m.Key
		k.places[m.Key] = i
	}
	v := &k.values[i]
	if n := len(m.Payload); cap(v.payload) < n || cap(v.payload) > 2*n+64 {
		v.payload = nil // not to take more than it needs
	}
	v.payload = append(v.payload[:0], m.Payload...)
	v.event, v.at, v.kind = m.Event, at, m.Kind
	k.seqs[i] = seq
	k.count(1, v.cost())
	k.link(i)
}

// drop forgets the value at a place.
func (k *keyTable) drop(i uint32) {
	v := &k.values[i]
	k.count(-1, -v.cost())
	k.unlink(i)
	delete(k.places, v.key)
	*v = keyValue{}
	k.seqs[i] = 0
	k.free = append(k.free, i)
}

// lost is the sequence number from which on nothing is.
func (k *keyTable) lost() uint64 { return max(k.forgotten, k.buried) }

// fits reports whether there is a place for m's key, and room for its value. What does
// not grow fits.
func (k *keyTable) fits(m *Message, maxKeys, maxBytes int) bool {
	more := keyCost + len(m.Key) + len(m.Event) + len(m.Payload)
	if i, ok := k.places[m.Key]; ok {
		more -= k.values[i].cost()
	} else if len(k.places) >= maxKeys {
		return false
	}
	return more <= 0 || k.size+more <= maxBytes && k.total.bytes.Load()+int64(more) <= k.total.limit
}

// trim drops what was changed least recently, tombstones and all, but for the
// newest, until the rest is no more than may be.
func (k *keyTable) trim(maxKeys, maxBytes int) {
	for k.oldest != k.newest && (len(k.places) > maxKeys || k.size > maxBytes || k.total.bytes.Load() > k.total.limit) {
		i := k.oldest - 1
		k.forgotten = k.seqs[i]
		k.drop(i)
	}
}

// dropTombstones drops those from before a time.
func (k *keyTable) dropTombstones(before int64) {
	for p := k.oldest; p != 0; {
		i := p - 1
		v := &k.values[i]
		p = v.next
		if v.at >= before {
			return
		}
		if v.kind == Delete {
			k.buried = max(k.buried, k.seqs[i])
			k.drop(i)
		}
	}
}

// has reports whether key has a value.
func (k *keyTable) has(key string) bool {
	i, ok := k.places[key]
	return ok && k.values[i].kind != Delete
}

// next returns the first place, beginning at from, whose value is in (after,
// upTo], or none.
func (k *keyTable) next(from uint32, after, upTo uint64) uint32 {
	for i := int(from); i < len(k.seqs); i++ {
		if seq := k.seqs[i]; seq > after && seq <= upTo {
			return uint32(i)
		}
	}
	return none
}

// message fills m with the value at a place, but for its positions.
func (k *keyTable) message(i uint32, m *Message) {
	v := &k.values[i]
	m.Kind, m.Key, m.Event, m.Payload = v.kind, v.key, v.event, v.payload
}

func (k *keyTable) link(i uint32) {
	v := &k.values[i]
	v.prev, v.next = k.newest, 0
	if k.newest == 0 {
		k.oldest = i + 1
	} else {
		k.values[k.newest-1].next = i + 1
	}
	k.newest = i + 1
}

func (k *keyTable) unlink(i uint32) {
	v := &k.values[i]
	if v.prev == 0 {
		k.oldest = v.next
	} else {
		k.values[v.prev-1].next = v.next
	}
	if v.next == 0 {
		k.newest = v.prev
	} else {
		k.values[v.next-1].prev = v.prev
	}
}
