package conn

// word is the state of a slot, changed by compare-and-swap only:
//
//	63         32 31 15 14      13       12   11    10   9      8      7       6        5      4         3     2   1    0
//	┌────────────┬─────┬───────┬────────┬────┬─────┬────┬──────┬──────┬───────┬────────┬──────┬─────────┬─────┬───┬────┬────┐
//	│ generation │  0  │partial│deflated│done│ended│open│linked│paused│blocked│writable│posted│scheduled│rdhup│hup│edge│live│
//	└────────────┴─────┴───────┴────────┴────┴─────┴────┴──────┴──────┴───────┴────────┴──────┴─────────┴─────┴───┴────┴────┘
type word uint64

const (
	live      word = 1 << iota // the slot holds a connection
	edge                       // input may wait, in the kernel or in our buffer
	hup                        // the kernel said HUP or ERR: a read will tell
	rdhup                      // the peer has sent FIN: no edge follows, so reads go on to the end
	scheduled                  // on the ready list or with a worker: one place
	posted                     // the post is the shard's
	writable                   // the socket has taken room again since the last time that mattered
	blocked                    // output or a cursor waits for writable
	paused                     // own output is above its limit: not read
	linked                     // on the shard's entry list: one place
	open                       // the handshake is done: frames
	ended                      // the close has begun; nothing new is
	done                       // nothing is left to wait for: free it once nobody holds it
	deflated                   // messages may be compressed (RFC 7692)
	partial                    // a message has begun to come, and is to be whole in time
)

func (w word) generation() uint32 { return uint32(w >> 32) }
func (w word) has(f word) bool    { return w&f == f }
func (w word) any(f word) bool    { return w&f != 0 }

// readable is rule S2: whether a worker should look at the slot.
func (w word) readable() bool {
	return w.has(live) && w.any(edge|hup) && !w.any(scheduled|posted|done) && (!w.has(paused) || w.has(hup))
}

// resumable is the half of rule S3 that the loop and the shard share: whether
// the shard should go on writing.
func (w word) resumable() bool {
	return w.has(live|writable|blocked) && !w.has(done)
}

// change clears and then sets bits of c's word, if it is still of that
// generation, and does in the same step what follows from it: it schedules the
// slot, or links it.
func (s *Shard) change(c *Conn, generation uint32, set, clear word) (now word, ok bool) {
	for {
		old := word(c.word.Load())
		if old.generation() != generation {
			return old, false
		}
		now := old&^clear | set
		schedule := now.readable()
		if schedule {
			now |= scheduled
		}
		if now.resumable() || now.has(done) && clear.has(scheduled) {
			now |= linked
		}
		if !c.word.CompareAndSwap(uint64(old), uint64(now)) {
			continue
		}
		if schedule {
			s.ready.push(s, c)
		}
		if now.has(linked) && !old.has(linked) {
			s.link(c)
		}
		return now, true
	}
}

// mine is change for the shard's goroutine and for the worker that has the slot
// scheduled: the generation cannot move under either.
func (s *Shard) mine(c *Conn, set, clear word) word {
	now, _ := s.change(c, word(c.word.Load()).generation(), set, clear)
	return now
}
