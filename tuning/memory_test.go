package tuning_test

import (
	"os"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"github.com/pushd/pushd/tuning"
)

func TestMemory(t *testing.T) {
	const mib = 1 << 20
	page := uint64(os.Getpagesize())
	tree := func(files map[string]string) fstest.MapFS {
		root := fstest.MapFS{}
		for name, text := range map[string]string{
			"proc/self/statm":   "9000 100 50 1 0 80 0\n",
			"proc/meminfo":      "MemTotal: 1024000 kB\nMemAvailable: 102400 kB\nSlab: 9 kB\nSUnreclaim: 2048 kB\n",
			"proc/net/sockstat": "sockets: used 5\nTCP: inuse 1 orphan 0 tw 0 alloc 5 mem 3\n",
			"proc/self/cgroup":  "0::/\n",
		} {
			root[name] = &fstest.MapFile{Data: []byte(text)}
		}
		for name, text := range files {
			root[name] = &fstest.MapFile{Data: []byte(text)}
		}
		return root
	}
	group := "sys/fs/cgroup/system.slice/pushd.service/"
	for _, c := range []struct {
		label   string
		files   map[string]string
		want    tuning.MemoryUse
		crowded bool
	}{
		{"the host's", nil, tuning.MemoryUse{100 * page, 2*mib + 3*page, 1000 * mib, 100 * mib}, false},
		{"the host has little left", map[string]string{"proc/meminfo": "MemTotal: 1024000 kB\nMemAvailable: 51199 kB\nSUnreclaim: 2048 kB\n"},
			tuning.MemoryUse{100 * page, 2*mib + 3*page, 1000 * mib, 51199 << 10}, true},
		{"a group without a limit", map[string]string{"proc/self/cgroup": "0::/system.slice/pushd.service\n",
			group + "memory.max": "max\n", group + "memory.current": "50000000\n", group + "memory.stat": "anon 1\nkernel 4096\nsock 8192\n"},
			tuning.MemoryUse{100 * page, 12288, 1000 * mib, 100 * mib}, false},
		{"a group near its limit", map[string]string{"proc/self/cgroup": "0::/system.slice/pushd.service\n",
			group + "memory.max": "67108864\n", group + "memory.current": "66060288\n", group + "memory.stat": "kernel 4096\nsock 8192\ninactive_file 0\n"},
			tuning.MemoryUse{100 * page, 12288, 64 * mib, mib}, true},
		{"what the group can give back does not count", map[string]string{"proc/self/cgroup": "0::/system.slice/pushd.service\n",
			group + "memory.max": "67108864\n", group + "memory.current": "66060288\n", group + "memory.stat": "kernel 4096\nsock 0\ninactive_file 33554432\n"},
			tuning.MemoryUse{100 * page, 4096, 64 * mib, 33 * mib}, false},
		{"version 1", map[string]string{"proc/self/cgroup": "4:memory:/x\n",
			"sys/fs/cgroup/memory/x/memory.limit_in_bytes": "67108864\n", "sys/fs/cgroup/memory/x/memory.usage_in_bytes": "67108864\n"},
			tuning.MemoryUse{100 * page, 2*mib + 3*page, 64 * mib, 0}, true},
	} {
		t.Run(c.label, func(t *testing.T) {
			got := tuning.ReadMemoryOf(tree(c.files))
			require.Equal(t, c.want, got)
			require.Equal(t, c.crowded, got.Crowded())
		})
	}
	require.False(t, tuning.ReadMemoryOf(fstest.MapFS{}).Crowded(), "where nothing is known nobody is refused")
}
