package conn_test

import (
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pushd/pushd/conn"
	"github.com/pushd/pushd/netpoll"
)

// TestStateWord has all four kinds of goroutine at a few slots at once, as fast as they can.
func TestStateWord(t *testing.T) {
	const slots = 3
	x, err := conn.NewTorture(slots)
	require.NoError(t, err)
	var others, shard sync.WaitGroup
	stop, stopShard := make(chan struct{}), make(chan struct{})
	forever := func(wg *sync.WaitGroup, stop chan struct{}, seed uint64, f func(r *rand.Rand)) {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(seed, 0))
			for {
				select {
				case <-stop:
					return
				default:
					f(r)
					runtime.Gosched()
				}
			}
		})
	}
	var input sync.WaitGroup
	stopInput := make(chan struct{})
	forever(&input, stopInput, 1, func(*rand.Rand) { x.Arm() })
	for i := range 2 {
		forever(&input, stopInput, uint64(2+i), func(r *rand.Rand) {
			all := []netpoll.Events{netpoll.Readable, netpoll.Writable, netpoll.Readable | netpoll.Writable, netpoll.Readable | netpoll.PeerClosed, netpoll.Readable | netpoll.Hangup}
			x.Edge(uint32(r.IntN(slots)), r.IntN(4) == 0, all[r.IntN(len(all))])
		})
	}
	for i := range 3 {
		forever(&others, stop, uint64(10+i), func(r *rand.Rand) {
			x.Work(func() (leave, again bool) { return r.IntN(3) == 0, r.IntN(5) == 0 })
		})
	}
	forever(&shard, stopShard, 20, func(r *rand.Rand) { x.Shard(func() int { return r.IntN(200) }) })

	for deadline := time.Now().Add(time.Second); time.Now().Before(deadline) && !x.Faulty(); {
		time.Sleep(10 * time.Millisecond)
	}
	close(stopInput) // first what brings more, then the shard, whose part the test takes, last the workers
	input.Wait()
	close(stopShard)
	shard.Wait()
	await(t, "all slots to be free", func() bool { return x.Drain() || x.Faulty() })
	close(stop)
	others.Wait()
	require.NoError(t, x.Close())
	t.Logf("%d reads, %d writes, %d slots freed", x.Reads.Load(), x.Writes.Load(), x.Freed.Load())
	require.Greater(t, x.Freed.Load(), int64(100))
	require.Greater(t, x.Reads.Load(), int64(100))
	require.Greater(t, x.Writes.Load(), int64(100))
}
