package broadcast

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

	// forgotten is the sequence number of the newest value that had to go to
	// make room: whoever has come no further has lost something.
	forgotten uint64
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

func newKeyTable() *keyTable { return &keyTable{places: make(map[string]uint32)} }

// put makes m, which is message seq, the newest value of its key.
func (k *keyTable) put(m *Message, seq uint64, at int64) {
	i, ok := k.places[m.Key]
	if ok {
		k.size -= k.values[i].cost()
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
	if cap(v.payload) > 2*len(m.Payload)+64 {
		v.payload = nil
	}
	v.payload = append(v.payload[:0], m.Payload...)
	v.event, v.at, v.kind = m.Event, at, m.Kind
	k.seqs[i] = seq
	k.size += v.cost()
	k.link(i)
}

// drop forgets the value at a place.
func (k *keyTable) drop(i uint32) {
	v := &k.values[i]
	k.size -= v.cost()
	k.unlink(i)
	delete(k.places, v.key)
	*v = keyValue{}
	k.seqs[i] = 0
	k.free = append(k.free, i)
}

// makeRoom drops what was changed least recently, tombstones and all, until one
// more key with a value of n bytes fits.
func (k *keyTable) makeRoom(maxKeys, maxBytes, n int) {
	for k.oldest != 0 && (len(k.places) >= maxKeys || k.size+keyCost+n > maxBytes) {
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
			k.forgotten = k.seqs[i]
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
