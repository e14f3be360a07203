package loadgen

// queue holds clients in the order in which they came. One that leaves from the
// middle is skipped later.
type queue struct {
	entries []entry
	head    int
	n       int             // those that have not left
	since   map[int32]int64 // when those came that are in it
}

type entry struct {
	i  int32
	at int64
}

// push adds client i, which came at.
func (q *queue) push(i int32, at int64) {
	if q.since == nil {
		q.since = make(map[int32]int64)
	}
	q.since[i] = at
	q.n++
	if q.head > len(q.entries)/2 {
		q.entries = q.entries[:copy(q.entries, q.entries[q.head:])]
		q.head = 0
	}
	q.entries = append(q.entries, entry{i, at})
}

// drop takes client i out, if it is in.
func (q *queue) drop(i int32) {
	if _, in := q.since[i]; in {
		delete(q.since, i)
		q.n--
	}
}

// oldest is who came first of those that are in.
func (q *queue) oldest() (i int32, at int64, ok bool) {
	for ; q.head < len(q.entries); q.head++ {
		e := q.entries[q.head]
		if at, in := q.since[e.i]; in && at == e.at {
			return e.i, e.at, true
		}
	}
	q.entries, q.head = q.entries[:0], 0
	return 0, 0, false
}

// retry is a client that comes back at a time.
type retry struct {
	i  int32
	at int64
}

// retries is a heap by time (container/heap).
type retries []retry

func (r retries) Len() int           { return len(r) }
func (r retries) Less(a, b int) bool { return r[a].at < r[b].at }
func (r retries) Swap(a, b int)      { r[a], r[b] = r[b], r[a] }
func (r *retries) Push(x any)        { *r = append(*r, x.(retry)) }

func (r *retries) Pop() any {
	last := len(*r) - 1
	x := (*r)[last]
	*r = (*r)[:last]
	return x
}
