package peers

import (
	"cmp"
	"net/netip"
	"slices"
)

// Count is what is counted for an address.
type Count struct {
	Prefix      netip.Prefix // /32, or /64
	Connections int          // now
	Refused     int          // so far, since the address is known
}

// Top returns the addresses with the most connections, and of those that have as
// many the most refused; at most n. The table is not held up meanwhile, so what
// comes and goes may be there or not.
func (t *Table) Top(n int) []Count {
	top := []Count{}
	most := func() {
		slices.SortFunc(top, func(a, b Count) int {
			return cmp.Or(cmp.Compare(b.Connections, a.Connections), cmp.Compare(b.Refused, a.Refused), a.Prefix.Compare(b.Prefix))
		})
		top = top[:min(n, len(top))]
	}
	for chunk := 0; ; chunk++ {
		var entries [chunkSize]entry
		if !t.copyChunk(chunk, &entries) {
			break
		}
		for _, e := range entries {
			if e.used && (e.conns > 0 || e.refused > 0) {
				top = append(top, Count{e.key.prefix(), int(e.conns), int(e.refused)})
			}
		}
		most()
	}
	return top
}

func (t *Table) copyChunk(i int, to *[chunkSize]entry) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if i == len(t.chunks) {
		return false
	}
	*to = *t.chunks[i]
	return true
}
