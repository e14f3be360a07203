package hostile_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// room is how much larger the server's process may become, whoever attacks it.
const room = 16 << 20

// atOnce is how many attackers are at work at a time, where the time that each takes is not what is tested.
const atOnce = 50

// crowd has n attackers do something, so many at a time, and fails with an error of theirs.
func crowd(t *testing.T, n, atOnce int, f func(i int) error) {
	t.Helper()
	var all sync.WaitGroup
	failed, turns := make(chan error, n), make(chan struct{}, atOnce)
	for i := range n {
		turns <- struct{}{}
		if len(failed) > 0 {
			break
		}
		all.Go(func() {
			defer func() { <-turns }()
			if err := f(i); err != nil {
				failed <- fmt.Errorf("attacker %d: %w", i, err)
			}
		})
	}
	all.Wait()
	close(failed)
	for err := range failed {
		require.NoError(t, err)
	}
}

// withinRoom runs f between two looks at p's memory: at the most that it had meanwhile.
func withinRoom(p *process, f func()) {
	p.t.Helper()
	before := p.resident()
	p.clearPeak()
	began, cpu := time.Now(), p.cpu()
	f()
	p.empty()
	most, after := p.peak("VmHWM"), p.resident()
	p.t.Logf("memory %.1f MB, at most %.1f, and then %.1f; CPU %v in %v", mb(before), mb(most), mb(after), p.cpu()-cpu, time.Since(began).Round(time.Millisecond))
	require.LessOrEqual(p.t, most-before, room, "bytes that the server has grown by at most")
}

func mb(n int) float64 { return float64(n) / (1 << 20) }
