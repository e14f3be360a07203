package broadcast

// patience is how an audience keeps its topic's log for those that have just
// fallen behind (rule B12): by the window of time in which they did, the last two
// of which count. The topic's lock guards it.
type patience [2]struct {
	until int64  // when it ends, in ns since the hub began
	low   uint64 // above which nothing is evicted until then
	count int    // of those that still lag
}

// fellBehind notes that somebody fell behind at cursor. It returns the window, for
// caughtUp.
func (p *patience) fellBehind(cursor uint64, now, length int64) (window int64) {
	window = now / length
	w := &p[window%2]
	if until := (window + 2) * length; w.until != until {
		w.until, w.low, w.count = until, cursor, 0
	}
	w.low = min(w.low, cursor)
	w.count++
	return window
}

// caughtUp notes that somebody who fell behind in a window lags no more. It reports
// whether nobody of it does.
func (p *patience) caughtUp(window, length int64) bool {
	w := &p[window%2]
	if w.until != (window+2)*length {
		return false
	}
	if w.count--; w.count == 0 {
		w.low = noLow
	}
	return w.count == 0
}

// patientLocked is the sequence number above which nothing may be evicted to make room
// for a publisher: lowLocked, and what those need that have just fallen behind.
func (t *topic) patientLocked(now int64) uint64 {
	low := t.lowLocked()
	for _, a := range t.audiences {
		if a.patience == nil {
			continue
		}
		for _, w := range a.patience {
			if now < w.until {
				low = min(low, w.low)
			}
		}
	}
	return low
}
