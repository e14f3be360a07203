package pool_test

import (
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pushd/pushd/pool"
)

const mib = 1 << 20

func TestGetCapacity(t *testing.T) {
	for _, c := range []struct {
		label   string
		n, want int
	}{
		{"negative", -1, 64},
		{"nothing", 0, 64},
		{"one byte", 1, 64},
		{"the smallest class", 64, 64},
		{"one more", 65, 128},
		{"between classes", 5000, 8192},
		{"the largest class", mib, mib},
		{"made to measure", mib + 1, mib + 1},
	} {
		t.Run(c.label, func(t *testing.T) {
			b := pool.NewBuffers(pool.BuffersConfig{})
			p := b.Get(c.n)
			require.Empty(t, p)
			require.Equal(t, c.want, cap(p))
			require.Equal(t, pool.BuffersStats{InUse: c.want}, b.Stats())
		})
	}
}

func TestPut(t *testing.T) {
	for _, c := range []struct {
		label string
		max   int
		lend  []int // sizes of Get, all given back
		idle  int
	}{
		{"kept", 0, []int{256, 256, 4096}, 256 + 256 + 4096},
		{"above the bound", 1024, []int{512, 512, 256}, 1024},
		{"too large for what room is left", 1024, []int{512, 1024, 256}, 512 + 256},
		{"made to measure", 0, []int{mib + 1}, 0},
		{"nothing is kept", -1, []int{256}, 0},
	} {
		t.Run(c.label, func(t *testing.T) {
			b := pool.NewBuffers(pool.BuffersConfig{MaxIdleBytes: c.max})
			var lent [][]byte
			for _, n := range c.lend {
				lent = append(lent, b.Get(n))
			}
			for _, p := range lent {
				b.Put(p)
			}
			require.Equal(t, pool.BuffersStats{Idle: c.idle}, b.Stats())
		})
	}
}

func TestPutIgnoresForeignSizes(t *testing.T) {
	b := pool.NewBuffers(pool.BuffersConfig{})
	for _, p := range [][]byte{nil, {}, make([]byte, 1), make([]byte, 255), make([]byte, 300), make([]byte, mib-1)} {
		b.Put(p)
	}
	require.Zero(t, b.Stats())
}

func TestDefaultBoundIs16MiB(t *testing.T) {
	b := pool.NewBuffers(pool.BuffersConfig{})
	var lent [][]byte
	for range 17 {
		lent = append(lent, b.Get(mib))
	}
	for _, p := range lent {
		b.Put(p)
	}
	require.Equal(t, pool.BuffersStats{Idle: 16 * mib}, b.Stats())
}

func TestGetLendsWhatWasPut(t *testing.T) {
	b := pool.NewBuffers(pool.BuffersConfig{})
	p := b.Get(1000)
	b.Put(append(p, "used"...))
	q := b.Get(600)
	require.Empty(t, q)
	require.Same(t, &p[:1][0], &q[:1][0])
	r := b.Get(600)
	require.NotSame(t, &q[:1][0], &r[:1][0], "lent to two")
}

func TestMisuseIsFoundUnderRace(t *testing.T) {
	if !pool.RaceEnabled {
		t.Skip("the checks are compiled in with -race")
	}
	t.Run("given back twice", func(t *testing.T) {
		b := pool.NewBuffers(pool.BuffersConfig{})
		p, q := b.Get(256), b.Get(256)
		b.Put(p)
		b.Put(q)
		require.PanicsWithValue(t, "pool: a buffer of 256 bytes was given back twice", func() { b.Put(p) })
	})
	t.Run("read after Put", func(t *testing.T) {
		b := pool.NewBuffers(pool.BuffersConfig{})
		p := append(b.Get(1000), "secret"...)
		b.Put(p)
		require.NotContains(t, string(p[:cap(p)]), "secret")
	})
	t.Run("written to after Put", func(t *testing.T) {
		b := pool.NewBuffers(pool.BuffersConfig{})
		p := b.Get(1000)
		b.Put(p)
		p[:cap(p)][777] = 1
		require.PanicsWithValue(t, "pool: a buffer was written to after it was given back", func() { b.Get(1000) })
	})
}

func TestBuffersTogether(t *testing.T) {
	b := pool.NewBuffers(pool.BuffersConfig{MaxIdleBytes: 8192})
	var users sync.WaitGroup
	for user := range byte(8) {
		users.Go(func() {
			for i := range 500 {
				p := b.Get(256 << (i % 5))
				p = p[:cap(p)]
				p[0], p[len(p)-1] = user, user
				if p[0] != user || p[len(p)-1] != user {
					t.Error("a buffer has two users")
				}
				b.Put(p)
			}
		})
	}
	users.Wait()
	require.Zero(t, b.Stats().InUse)
	require.LessOrEqual(t, b.Stats().Idle, 8192)
}

func TestGetAndPutDoNotAllocate(t *testing.T) {
	b := pool.NewBuffers(pool.BuffersConfig{})
	for _, n := range []int{1, 4096, mib} {
		b.Put(b.Get(n))
		require.Zero(t, testing.AllocsPerRun(100, func() { b.Put(b.Get(n)) }), "%d bytes", n)
	}
}

func BenchmarkBuffers(b *testing.B) {
	buffers := pool.NewBuffers(pool.BuffersConfig{})
	b.Run("alone", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			buffers.Put(buffers.Get(4096))
		}
	})
	b.Run("parallel", func(b *testing.B) {
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				buffers.Put(buffers.Get(4096))
			}
		})
	})
}
