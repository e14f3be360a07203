package observe_test

import (
	"net"
	"net/netip"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/pushd/pushd/loadgen/observe"
)

func pids(s observe.Sample) (all []int) {
	if s.Server != nil {
		for _, p := range s.Server.Processes {
			all = append(all, p.PID)
		}
	}
	return all
}

func TestWatchNothingButTheHost(t *testing.T) {
	w := watch(t, observe.Config{})
	before := time.Now()
	s := w.Sample(t.Context())
	require.WithinRange(t, s.At, before, time.Now())
	require.Nil(t, s.Server)
	require.Positive(t, s.Self.CPU)
	require.Positive(t, *s.Self.RSS)
	require.Positive(t, *s.Kernel.MemAvailable)
	require.Positive(t, *s.Kernel.Slab)
	require.LessOrEqual(t, *s.Kernel.SUnreclaim, *s.Kernel.Slab)
	require.Positive(t, *s.Kernel.PageTables)
	require.NotNil(t, s.Kernel.TCPOrphans)
	require.NotNil(t, s.Kernel.TCPTimeWait)
	require.NotNil(t, s.Kernel.TCPMemory)
	require.NotNil(t, s.Kernel.Retransmitted)
	require.NotNil(t, s.Kernel.BacklogDrops)
	require.Empty(t, w.Problems())
}

// busy uses the CPU for a while.
func busy(seconds float64) {
	for until := observe.Self().CPU + seconds; observe.Self().CPU < until; {
	}
}

func TestWatchSeesWhatTheKernelDoes(t *testing.T) {
	w := watch(t, observe.Config{})

	// A listener with room for one: the next finds it full.
	full, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	require.NoError(t, err)
	defer unix.Close(full)
	require.NoError(t, unix.Bind(full, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}))
	require.NoError(t, unix.Listen(full, 0))
	addr, err := unix.Getsockname(full)
	require.NoError(t, err)
	const tried = 4
	for range tried {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
		require.NoError(t, err)
		defer unix.Close(fd)
		require.ErrorIs(t, unix.Connect(fd, addr), unix.EINPROGRESS)
	}
	l, _ := listen(t, "tcp", ":0")
	const pairs = 20
	for range pairs {
		c, err := net.Dial("tcp", l.Addr().String())
		require.NoError(t, err)
		defer c.Close()
	}
	busy(0.05)
	s := w.Sample(t.Context())
	require.GreaterOrEqual(t, *s.Kernel.ListenOverflows, uint64(tried-1))
	require.GreaterOrEqual(t, *s.Kernel.ListenDrops, *s.Kernel.ListenOverflows)
	require.GreaterOrEqual(t, *s.Kernel.TCPSockets, 2*pairs)
	require.Greater(t, *s.Kernel.Busy, 0.0)
	require.LessOrEqual(t, *s.Kernel.Busy, 1.0)
}

func TestWatchFindsARestartedServer(t *testing.T) {
	for label, config := range map[string]func(*child) observe.Config{
		"by its address": func(c *child) observe.Config {
			return observe.Config{Servers: []netip.AddrPort{c.addr}}
		},
		"twice the same one": func(c *child) observe.Config {
			return observe.Config{Servers: []netip.AddrPort{c.addr, c.addr}}
		},
		"given, with its address": func(c *child) observe.Config {
			return observe.Config{Servers: []netip.AddrPort{c.addr}, PIDs: []int{c.pid()}}
		},
		"with metrics": func(c *child) observe.Config {
			return observe.Config{Servers: []netip.AddrPort{c.addr}, Admin: observe.AdminConfig{Address: c.addr.String()}}
		},
	} {
		t.Run(label, func(t *testing.T) {
			server := start(t, "127.0.0.1:0")
			cfg := config(server)
			w := watch(t, cfg)
			s := w.Sample(t.Context())
			require.Equal(t, []int{server.pid()}, pids(s))
			require.Equal(t, s.Server.Processes[0].RSS, *s.Server.RSS)
			require.Equal(t, s.Server.Processes[0].CPU, *s.Server.CPU)
			require.EqualValues(t, *s.Server.Processes[0].OpenFiles, *s.Server.OpenFiles)
			require.EqualValues(t, softFiles, *s.Server.MaxFiles)
			if cfg.Admin.Address != "" {
				require.Equal(t, 17.0, *s.Server.Connections)
			}
			require.Empty(t, w.Problems())
			used := *s.Server.CPU

			server.stop()
			require.Nil(t, w.Sample(t.Context()).Server)
			require.Contains(t, w.Problems(), "nothing listens on "+server.addr.String())

			again := start(t, server.addr.String())
			s = w.Sample(t.Context())
			require.Equal(t, []int{again.pid()}, pids(s))
			require.InDelta(t, used+s.Server.Processes[0].CPU, *s.Server.CPU, 1e-9, "of both")

			// One that is there at once leaves no gap.
			again.stop()
			third := start(t, server.addr.String())
			require.Equal(t, []int{third.pid()}, pids(w.Sample(t.Context())))
		})
	}
}

func TestWatchOneOfTwoServersIsRestarted(t *testing.T) {
	a, b := start(t, "127.0.0.1:0"), start(t, "127.0.0.1:0")
	w := watch(t, observe.Config{Servers: []netip.AddrPort{a.addr, b.addr}})
	s := w.Sample(t.Context())
	require.ElementsMatch(t, []int{a.pid(), b.pid()}, pids(s))
	require.Equal(t, s.Server.Processes[0].RSS+s.Server.Processes[1].RSS, *s.Server.RSS)
	b.stop()
	for range 2 {
		require.Equal(t, []int{a.pid()}, pids(w.Sample(t.Context())))
	}
	b = start(t, b.addr.String())
	require.ElementsMatch(t, []int{a.pid(), b.pid()}, pids(w.Sample(t.Context())))
}

func TestWatchAPidThatIsGone(t *testing.T) {
	a, b := start(t, "127.0.0.1:0"), start(t, "127.0.0.1:0")
	w := watch(t, observe.Config{PIDs: []int{a.pid(), b.pid()}})
	require.Len(t, pids(w.Sample(t.Context())), 2)
	a.stop()
	for range 2 {
		require.Equal(t, []int{b.pid()}, pids(w.Sample(t.Context())))
	}
	b.stop()
	require.Nil(t, w.Sample(t.Context()).Server)
	require.Len(t, w.Problems(), 2)
	require.True(t, slices.IsSorted(w.Problems()) || a.pid() > b.pid(), "in the order in which they went")
	require.Contains(t, w.Problems()[0], observe.ErrGone.Error())
}

// What /proc gives is preferred, and what it does not comes from the metrics.
func TestWatchBoth(t *testing.T) {
	c := start(t, "127.0.0.1:0")
	w := watch(t, observe.Config{PIDs: []int{os.Getpid()}, Admin: observe.AdminConfig{Address: c.addr.String()}})
	s := w.Sample(t.Context())
	require.Equal(t, []int{os.Getpid()}, pids(s))
	require.Equal(t, s.Server.Processes[0].RSS, *s.Server.RSS)
	require.Equal(t, s.Server.Processes[0].SoftFiles, *s.Server.MaxFiles)
	require.Equal(t, 17.0, *s.Server.Connections)
}
