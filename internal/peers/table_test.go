package peers_test

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pushd/pushd/internal/peers"
)

// clock is a time that a test sets.
type clock struct{ now time.Time }

func newClock() *clock                { return &clock{now: time.Unix(1e9, 0)} }
func (c *clock) Now() time.Time       { return c.now }
func (c *clock) pass(d time.Duration) { c.now = c.now.Add(d) }

func addr(s string) netip.Addr { return netip.MustParseAddr(s) }

// come has one arrive that is let in.
func come(t *testing.T, table *peers.Table, from string) uint32 {
	t.Helper()
	mark, ok := table.Arrive(addr(from))
	require.True(t, ok, from)
	require.False(t, peers.Mark(mark).Crowded() || peers.Mark(mark).Hasty(), "%s is refused", from)
	return mark
}

func requireEmpty(t *testing.T, table *peers.Table) {
	t.Helper()
	stats := table.Stats()
	require.Zero(t, stats.Addresses, "addresses known")
	require.Zero(t, stats.Uncounted, "connections not counted by address")
	require.Empty(t, table.Top(10))
}

func TestCountsByAddress(t *testing.T) {
	table := peers.New(peers.Config{})
	marks := []uint32{
		come(t, table, "203.0.113.9"), come(t, table, "::ffff:203.0.113.9"), come(t, table, "203.0.113.10"),
		come(t, table, "2001:db8:1:2::1"), come(t, table, "2001:db8:1:2:ffff::7"), come(t, table, "2001:db8:1:2:3::"),
		come(t, table, "2001:db8:1:3::1"), come(t, table, "::1"),
	}
	require.Equal(t, []peers.Count{
		{netip.MustParsePrefix("2001:db8:1:2::/64"), 3, 0}, {netip.MustParsePrefix("203.0.113.9/32"), 2, 0}, {netip.MustParsePrefix("203.0.113.10/32"), 1, 0},
	}, table.Top(3))
	require.Len(t, table.Top(100), 5)
	require.Equal(t, "2001:db8:1:2::/64", table.Prefix(marks[4]).String())
	none, ok := table.Arrive(netip.Addr{}) // a unix socket
	require.True(t, ok)
	require.Zero(t, none)
	require.Zero(t, table.Prefix(none))
	for _, m := range append(marks, none) {
		table.Leave(m)
	}
	requireEmpty(t, table)
}

// TestTooManyConnections: the next few are heard, to be refused; those beyond are not.
func TestTooManyConnections(t *testing.T) {
	const limit, slack = 3, 16
	table := peers.New(peers.Config{Connections: limit, Trusted: networks(t, "10.0.0.0/8")})
	var in, refused []uint32
	for i := range limit + slack + 5 {
		mark, ok := table.Arrive(netip.AddrFrom16([16]byte{0x20, 1, 15: byte(i)})) // all of one /64
		require.Equal(t, i < limit+slack, ok, i)
		switch {
		case i < limit:
			in = append(in, mark)
		case ok:
			refused = append(refused, mark)
		default:
			require.Zero(t, mark)
		}
		require.Equal(t, i >= limit && ok, peers.Mark(mark).Crowded())
	}
	require.EqualValues(t, slack+5, table.Stats().Crowded)
	require.Equal(t, []peers.Count{{netip.MustParsePrefix("2001::/64"), limit, slack + 5}}, table.Top(1))
	other := come(t, table, "2001:1::1")
	for range 100 { // not limited
		for _, free := range []string{"127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1", "10.1.2.3"} {
			in = append(in, come(t, table, free))
		}
	}
	table.Leave(refused[0]) // makes no room for anybody who would stay
	mark, ok := table.Arrive(addr("2001::"))
	require.True(t, ok && peers.Mark(mark).Crowded())
	refused[0] = mark
	table.Leave(in[0])
	in[0] = come(t, table, "2001::")
	for _, m := range append(append(in, refused...), other) {
		table.Leave(m)
	}
	requireEmpty(t, table)
}

func TestTooManyHandshakes(t *testing.T) {
	const limit = 4
	c := newClock()
	table := peers.New(peers.Config{Handshakes: limit, Now: c.Now})
	arrive := func() bool {
		mark, ok := table.Arrive(addr("203.0.113.9"))
		require.True(t, ok)
		table.Leave(mark)
		return !peers.Mark(mark).Hasty()
	}
	in := func(tries int) (n int) {
		for range tries {
			if arrive() {
				n++
			}
		}
		return n
	}
	require.Equal(t, limit, in(10), "at once")
	require.EqualValues(t, 6, table.Stats().Hasty)
	c.pass(250 * time.Millisecond)
	require.Equal(t, 1, in(10), "a quarter of a second later")
	c.pass(time.Hour)
	require.Equal(t, limit, in(10), "an hour later")
	n := 0
	for range 100 { // refusals cost nothing: a flood does not keep everybody out
		c.pass(100 * time.Millisecond)
		n += in(50)
	}
	require.InDelta(t, 10*limit, n, 1)

	require.Equal(t, 1, table.Stats().Addresses, "its bucket is not full")
	c.pass(2 * time.Second)
	for range 2 { // who comes sweeps
		table.Leave(come(t, table, "203.0.113.10"))
		c.pass(2 * time.Second)
	}
	require.Equal(t, 1, table.Stats().Addresses)
}

// TestNamed: a proxy's connection is counted for whom it names.
func TestNamed(t *testing.T) {
	table := peers.New(peers.Config{Connections: 2, Trusted: networks(t, "10.0.0.0/8")})
	var marks []uint32
	for i := range 30 {
		mark := come(t, table, "10.0.0.1")
		require.True(t, peers.Mark(mark).Trusted())
		mark = table.Named(mark, addr("127.0.0.2")) // not us: somebody on the proxy's host
		require.Equal(t, i >= 2, peers.Mark(mark).Crowded())
		require.True(t, peers.Mark(mark).Named())
		require.False(t, peers.Mark(mark).Trusted(), "it would be believed again")
		marks = append(marks, mark)
	}
	for range 10 {
		marks = append(marks, table.Named(come(t, table, "10.0.0.1"), addr("10.7.7.7")))
	}
	require.Equal(t, []peers.Count{{netip.MustParsePrefix("10.7.7.7/32"), 10, 0}, {netip.MustParsePrefix("127.0.0.2/32"), 2, 28}}, table.Top(9))
	stays := come(t, table, "10.0.0.1")
	require.Equal(t, stays, table.Named(stays, netip.Addr{}))
	require.False(t, peers.Mark(come(t, table, "203.0.113.9")).Trusted())
	for _, m := range marks {
		table.Leave(m)
	}
	require.Len(t, table.Top(9), 2)
}

// TestFull: those for whom there is no entry are counted together and not limited, and others as before.
func TestFull(t *testing.T) {
	const size = 100
	c := newClock()
	table := peers.New(peers.Config{Size: size, Connections: 1, Handshakes: 1, Now: c.Now})
	v4 := func(i int) string { return fmt.Sprintf("203.0.%d.%d", i/256, i%256) }
	var marks []uint32
	for i := range size {
		marks = append(marks, come(t, table, v4(i)))
	}
	var over []uint32
	for i := range 50 {
		for range 2 {
			over = append(over, come(t, table, v4(size+i)))
		}
	}
	stats := table.Stats()
	require.Equal(t, size, stats.Addresses)
	require.Equal(t, 100, stats.Uncounted)
	require.EqualValues(t, 100, stats.Overflow)
	require.Zero(t, table.Prefix(over[0]))
	mark, ok := table.Arrive(addr(v4(0)))
	require.True(t, ok && peers.Mark(mark).Crowded(), "who is known is limited")
	marks = append(marks, mark)

	table.Leave(marks[7])
	marks[7] = 0
	come(t, table, v4(size)) // its bucket is not full: no room yet
	require.EqualValues(t, 101, table.Stats().Overflow)
	c.pass(time.Second)
	for range 2 { // at most: 64 entries are looked at for each
		come(t, table, v4(size))
	}
	require.LessOrEqual(t, table.Stats().Overflow, uint64(102))
	require.Equal(t, size, table.Stats().Addresses)
	for _, m := range append(marks, over...) {
		table.Leave(m)
	}
}

// TestManyNetworks: 65,536 networks of IPv6 that come, and more, take bounded memory.
func TestManyNetworks(t *testing.T) {
	memory := func() int64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.GC()
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	before := memory()
	table := peers.New(peers.Config{})
	var marks []uint32
	for i := range 65_536 + 1<<17 {
		mark, ok := table.Arrive(netip.AddrFrom16([16]byte{0x20, 1, 0xd, 0xb8, 0, byte(i >> 16), byte(i >> 8), byte(i)}))
		require.True(t, ok)
		marks = append(marks, mark)
	}
	took := memory() - before - int64(4*cap(marks))
	t.Logf("%d bytes for %d addresses", took, table.Stats().Addresses)
	require.Equal(t, 1<<17, table.Stats().Addresses)
	require.Equal(t, 65_536, table.Stats().Uncounted)
	require.Less(t, took, int64(24<<20))
	for _, m := range marks {
		table.Leave(m)
	}
	requireEmpty(t, table)
}

// TestChurn: whatever comes and goes, on many goroutines, in the end nothing is counted.
func TestChurn(t *testing.T) {
	for _, cfg := range []peers.Config{
		{}, {Size: 20}, {Connections: 3}, {Connections: 3, Size: 20}, {Handshakes: 1 << 26}, {Handshakes: 1 << 26, Connections: 2, Size: 8},
	} {
		cfg.Trusted = networks(t, "10.0.0.0/8")
		t.Run(fmt.Sprintf("%d connections, %d handshakes, %d addresses", cfg.Connections, cfg.Handshakes, cfg.Size), func(t *testing.T) {
			table := peers.New(cfg)
			var all sync.WaitGroup
			for g := range 4 {
				all.Go(func() {
					r := rand.New(rand.NewPCG(1, uint64(g)))
					var marks []uint32
					for range 20_000 {
						if r.IntN(2) == 0 && len(marks) < 100 {
							from := netip.AddrFrom4([4]byte{byte(10 + r.IntN(2)), 0, 0, byte(r.IntN(40))})
							mark, ok := table.Arrive(from)
							if !ok {
								continue
							}
							if peers.Mark(mark).Trusted() && r.IntN(2) == 0 {
								mark = table.Named(mark, netip.AddrFrom4([4]byte{11, 0, 0, byte(r.IntN(40))}))
							}
							marks = append(marks, mark)
						} else if n := len(marks); n > 0 {
							i := r.IntN(n)
							table.Leave(marks[i])
							marks[i] = marks[n-1]
							marks = marks[:n-1]
						}
						if r.IntN(1000) == 0 {
							table.Top(3)
							table.Stats()
						}
					}
					for _, m := range marks {
						table.Leave(m)
					}
				})
			}
			all.Wait()
			if cfg.Handshakes > 0 { // who comes sweeps
				for range 100 {
					mark, _ := table.Arrive(addr("12.0.0.1"))
					table.Leave(mark)
				}
				require.LessOrEqual(t, table.Stats().Addresses, 1)
				return
			}
			requireEmpty(t, table)
		})
	}
}

func TestCountingAllocatesNothing(t *testing.T) {
	table := peers.New(peers.Config{Connections: 5, Handshakes: 5, Trusted: networks(t, "10.0.0.0/8")})
	from, named := addr("10.0.0.1"), addr("2001:db8::1")
	require.Zero(t, testing.AllocsPerRun(1000, func() {
		mark, _ := table.Arrive(from)
		table.Leave(table.Named(mark, named))
	}))
}

// BenchmarkArrive is what a connection costs more: its arrival and its leaving.
func BenchmarkArrive(b *testing.B) {
	for _, bench := range []struct {
		label string
		cfg   peers.Config
		known int
	}{
		{"one address", peers.Config{}, 1},
		{"100,000 addresses", peers.Config{}, 100_000},
		{"100,000 addresses, limited", peers.Config{Connections: 100, Handshakes: 1 << 26, Trusted: peers.Networks{netip.MustParsePrefix("10.0.0.0/8")}}, 100_000},
		{"a full table", peers.Config{Size: 1000, Handshakes: 1 << 26}, 100_000},
	} {
		b.Run(bench.label, func(b *testing.B) {
			table := peers.New(bench.cfg)
			from := make([]netip.Addr, bench.known)
			for i := range from {
				from[i] = netip.AddrFrom4([4]byte{203, byte(i >> 16), byte(i >> 8), byte(i)})
				table.Arrive(from[i])
			}
			i := 0
			for b.Loop() {
				mark, _ := table.Arrive(from[i%len(from)])
				table.Leave(mark)
				i += 7919
			}
		})
	}
}
