package conn

import "sync"

// readyList holds the slots that a worker should look at, each once, and starts
// workers for them. The count of workers and the list have one lock, so that
// the last worker cannot leave while somebody adds to the list.
type readyList struct {
	mu         sync.Mutex
	head, tail uint32 // slot plus one; 0: empty
	waiting    int
	workers    int // at work for this shard
	most       int // of them, so that no shard can take another's
}

// readyBatch is how many slots a worker takes at a time.
const readyBatch = 16

func (l *readyList) push(s *Shard, c *Conn) {
	l.mu.Lock()
	c.readyNext = 0
	if l.tail == 0 {
		l.head = c.slot + 1
	} else {
		s.table.at(l.tail - 1).readyNext = c.slot + 1
	}
	l.tail = c.slot + 1
	l.waiting++
	start := l.wantsWorkerLocked()
	l.mu.Unlock()
	if start {
		s.startWorker()
	}
}

// wantsWorkerLocked counts a worker as begun if there is work for one more.
func (l *readyList) wantsWorkerLocked() bool {
	if l.waiting <= l.workers*readyBatch || l.workers == l.most {
		return false
	}
	l.workers++
	return true
}

// startWorker asks the pool for a worker. Where all are taken, and none of them
// is at work for this shard, the shard's goroutine asks again a little later.
func (s *Shard) startWorker() {
	if s.engine.cfg.Workers.Submit(s.work) {
		return
	}
	s.ready.mu.Lock()
	s.ready.workers--
	owed := s.ready.workers == 0
	s.ready.mu.Unlock()
	if owed {
		s.owed.Store(true)
		s.Wake()
	}
}

// retryWorker starts the worker that could not be had. It reports whether one
// is still owed.
func (s *Shard) retryWorker() bool {
	if !s.owed.Swap(false) {
		return false
	}
	s.ready.mu.Lock()
	start := s.ready.wantsWorkerLocked()
	s.ready.mu.Unlock()
	if start {
		s.startWorker()
	}
	return s.owed.Load()
}

// take moves slots from the list to batch. Where there are none the worker is
// no longer counted, and must end.
func (l *readyList) take(s *Shard, batch []*Conn) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := 0
	for ; n < len(batch) && l.head != 0; n++ {
		c := s.table.at(l.head - 1)
		batch[n] = c
		l.head = c.readyNext
	}
	if l.head == 0 {
		l.tail = 0
	}
	l.waiting -= n
	if n == 0 {
		l.workers--
	}
	return n
}
