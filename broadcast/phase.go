package broadcast

import (
	"container/heap"
	"hash/maphash"
	"time"
)

// phases is over how many ticks a period the subscribers of one rate are spread.
const phases = 8

// timed is an audience with news whose tick has not come.
type timed struct {
	due int64 // ns since the hub began
	a   *audience
}

type timedHeap []timed

func (h timedHeap) Len() int           { return len(h) }
func (h timedHeap) Less(i, j int) bool { return h[i].due < h[j].due }
func (h timedHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *timedHeap) Push(x any)        { *h = append(*h, x.(timed)) }
func (h *timedHeap) Pop() any {
	last := len(*h) - 1
	x := (*h)[last]
	(*h)[last] = timed{}
	*h = (*h)[:last]
	return x
}

var phaseSeed = maphash.MakeSeed()

// schedule has a, which is sent news at a rate, have its turn at its next tick. Its
// ticks are spread over the period by phase and, so that topics do not tick
// together, by name.
func (s *Shard) schedule(a *audience) {
	if a.queued || a.gone {
		return
	}
	a.queued = true
	period := int64(float64(time.Second) / Rates[a.rate-1])
	offset := int64(a.phase)*period/phases + int64(maphash.String(phaseSeed, a.topic.name)%uint64(period))
	now := s.hub.now()
	heap.Push(&s.timed, timed{now + period - (now+period-offset%period)%period, a})
}

// takeTimed queues the audiences whose tick has come.
func (s *Shard) takeTimed() {
	for now := s.hub.now(); len(s.timed) > 0 && s.timed[0].due <= now; {
		s.passes = append(s.passes, heap.Pop(&s.timed).(timed).a)
	}
}

// Idle returns how long the shard, when it has no more work, may be left alone
// unless it is woken; ok says that there is such a time.
func (s *Shard) Idle() (d time.Duration, ok bool) {
	if len(s.timed) == 0 {
		return 0, false
	}
	return time.Duration(max(s.timed[0].due-s.hub.now(), 0)), true
}

// lower returns the lower of two rates, as step returns them.
func lower(a, b uint8) uint8 {
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}
