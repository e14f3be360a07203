package loadgen

// spans finds, for a sample of messages, when the first and the last client
// got them. The table is small and has one place for each hash: of two messages
// that want it at the same time the older is given up.
type spans struct {
	sample uint32
	table  [1024]span
}

func (s *spans) add(topic, seq uint32, now int64) {
	h := (topic*0x9E3779B1 + seq) * 0x85EBCA6B
	h ^= h >> 15
	if h%s.sample != 0 {
		return
	}
	e := &s.table[(h/s.sample)%uint32(len(s.table))]
	if e.Topic != topic || e.Seq != seq {
		if e.Seq > seq && e.Topic == topic {
			return // a straggler of one that was given up
		}
		*e = span{Topic: topic, Seq: seq}
	}
	if e.N == 0 {
		e.First = now
	}
	e.Last = now
	e.N++
}

// take returns the messages that nobody got since before, and forgets them.
func (s *spans) take(before int64) (done []span) {
	for i := range s.table {
		if e := &s.table[i]; e.N > 0 && e.Last < before {
			done = append(done, *e)
			*e = span{Topic: e.Topic, Seq: e.Seq}
		}
	}
	return done
}
