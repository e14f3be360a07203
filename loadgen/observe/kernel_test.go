package observe_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pushd/pushd/loadgen/observe"
)

// tree is a recorded /proc.
type tree string

func newTree(t *testing.T) tree {
	dir := tree(t.TempDir())
	require.NoError(t, os.Mkdir(filepath.Join(string(dir), "net"), 0o700))
	return dir
}

func (dir tree) write(t *testing.T, name, text string) {
	require.NoError(t, os.WriteFile(filepath.Join(string(dir), name), []byte(text), 0o600))
}

func (dir tree) counters(t *testing.T, retransmitted, overflows, drops, backlog int) {
	dir.write(t, "net/snmp", fmt.Sprintf("Ip: Forwarding\nIp: 1\nTcp: RtoMin MaxConn RetransSegs InErrs\nTcp: 200 -1 %d 0\n", retransmitted))
	dir.write(t, "net/netstat", fmt.Sprintf("TcpExt: ListenOverflows ListenDrops TCPBacklogDrop\nTcpExt: %d %d %d\n", overflows, drops, backlog))
}

func TestKernel(t *testing.T) {
	dir := newTree(t)
	dir.write(t, "meminfo", "MemTotal: 24684000 kB\nMemAvailable: 23900000 kB\nSlab: 5000 kB\nSUnreclaim: 4000 kB\nPageTables: 300 kB\n")
	dir.write(t, "net/sockstat", "sockets: used 290\nTCP: inuse 27 orphan 3 tw 14 alloc 99 mem 8\nUDP: inuse 2 mem 1\n")
	dir.write(t, "net/sockstat6", "TCP6: inuse 1000\nUDP6: inuse 1\n")
	dir.write(t, "stat", "cpu  100 10 50 800 30 5 5 0 0 0\n")
	dir.counters(t, 40, 3, 5, 7)
	k, err := observe.NewKernel(string(dir))
	require.NoError(t, err)

	dir.write(t, "stat", "cpu  130 10 60 850 35 5 5 5 20 0\n") // 45 used and 55 idle; a guest's 20 are in user's 30
	dir.counters(t, 42, 3, 6, 17)
	s, err := k.Sample()
	require.NoError(t, err)
	require.InDelta(t, 0.45, *s.Busy, 1e-9)
	s.Busy = nil
	require.Equal(t, observe.KernelSample{
		MemAvailable: new(uint64(23900000 << 10)), Slab: new(uint64(5000 << 10)), SUnreclaim: new(uint64(4000 << 10)), PageTables: new(uint64(300 << 10)),
		TCPSockets: new(1027), TCPOrphans: new(3), TCPTimeWait: new(14), TCPMemory: new(uint64(8 * os.Getpagesize())),
		Retransmitted: new(uint64(2)), ListenOverflows: new(uint64(0)), ListenDrops: new(uint64(1)), BacklogDrops: new(uint64(10)),
	}, s)

	s, err = k.Sample()
	require.NoError(t, err)
	require.Nil(t, s.Busy, "no tick since the last sample")
	require.EqualValues(t, 2, *s.Retransmitted, "since the start, not since the last sample")

	// What is missing or nonsense leaves out what it would tell, and nothing else.
	dir.write(t, "meminfo", "Slab: 5000 kB\n")
	dir.write(t, "stat", "cpu  130 10 60 849 35 5 5 5 20 0\n")
	dir.counters(t, 39, 4, 7, 18)
	require.NoError(t, os.Remove(filepath.Join(string(dir), "net/sockstat6")))
	s, err = k.Sample()
	require.NoError(t, err)
	require.Nil(t, s.MemAvailable)
	require.NotNil(t, s.Slab)
	require.Nil(t, s.Busy, "time went back")
	require.Nil(t, s.Retransmitted, "below its start")
	require.EqualValues(t, 1, *s.ListenOverflows)
	require.Equal(t, 27, *s.TCPSockets, "a kernel without IPv6")

	dir.write(t, "net/sockstat", "TCP: inuse many\n")
	s, err = k.Sample()
	require.ErrorContains(t, err, "many")
	require.Nil(t, s.TCPSockets)
	require.NotNil(t, s.Slab)
}

func TestKernelOfNothing(t *testing.T) {
	k, err := observe.NewKernel(t.TempDir())
	require.NoError(t, err)
	s, err := k.Sample()
	require.ErrorContains(t, err, "meminfo")
	require.Equal(t, observe.KernelSample{}, s)
}
