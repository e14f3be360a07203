package broadcast

import (
	"slices"
	"sync"
)

// idTable remembers which ids were published, so that a retry is not a repeat.
// Its lock is taken under a topic's.
type idTable struct {
	most int   // how many it remembers; beyond, the oldest are forgotten first
	keep int64 // and for how long, in ns

	mu    sync.Mutex
	known map[topicID]Position
	queue []agedID // in the order of their coming
	head  int      // the oldest in queue
}

type topicID struct{ topic, id string }

type agedID struct {
	topicID
	at int64
}

// find returns where the message with this id stands.
func (x *idTable) find(id topicID, now int64) (Position, bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.expire(now)
	p, ok := x.known[id]
	return p, ok
}

// add remembers an id that find did not know.
func (x *idTable) add(id topicID, p Position, now int64) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if len(x.known) >= x.most {
		x.pop()
	}
	if x.known == nil {
		x.known = make(map[topicID]Position)
	}
	x.known[id] = p
	x.queue = append(x.queue, agedID{id, now})
}

func (x *idTable) expire(now int64) {
	for x.head < len(x.queue) && x.queue[x.head].at < now-x.keep {
		x.pop()
	}
}

func (x *idTable) pop() {
	delete(x.known, x.queue[x.head].topicID)
	x.queue[x.head] = agedID{}
	if x.head++; x.head > len(x.queue)/2 { // so that each is moved once, on average
		x.queue, x.head = slices.Delete(x.queue, 0, x.head), 0
	}
}

func (x *idTable) len() int {
	x.mu.Lock()
	defer x.mu.Unlock()
	return len(x.known)
}
