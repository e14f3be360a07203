package tuning_test

import (
	"maps"
	"os"
	"slices"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"github.com/pushd/pushd/tuning"
)

// recorded reads a tree in testdata.
func recorded(t *testing.T, name string, pid int) tuning.Host {
	h, err := tuning.ReadTree(os.DirFS("testdata/"+name), pid)
	require.NoError(t, err)
	return h
}

// Every reading from every recorded tree.
func TestReadTree(t *testing.T) {
	const shellSoft, shellHard = 1024, 524_288
	shell := tuning.Limit{Soft: shellSoft, Hard: shellHard}
	sysctls := func(changed ...string) map[string]string {
		m := map[string]string{
			"fs.nr_open": "1048576", "fs.file-max": "9223372036854775807", "fs.file-nr": "2208 0 9223372036854775807", "fs.epoll.max_user_watches": "14560256",
			"net.core.somaxconn": "4096", "net.ipv4.tcp_max_syn_backlog": "4096", "net.ipv4.tcp_syncookies": "1", "net.ipv4.ip_local_port_range": "32768 60999",
			"net.ipv4.tcp_mem": "769206 1025609 1538412", "net.ipv4.tcp_rmem": "4096 131072 6291456", "net.ipv4.tcp_wmem": "4096 16384 4194304",
			"net.netfilter.nf_conntrack_max": "262144", "net.netfilter.nf_conntrack_count": "144",
		}
		for pair := range slices.Chunk(changed, 2) {
			m[pair[0]] = pair[1]
		}
		maps.DeleteFunc(m, func(_, v string) bool { return v == "" })
		return m
	}
	for _, c := range []struct {
		label, tree string
		pid         int
		want        tuning.Host
	}{
		{"bare metal, at a login", "bare-metal", 0, tuning.Host{
			OpenFiles: shell, Own: shell, Sysctls: sysctls(), Memory: 63_127_888 << 10, Processors: 16, TCPPages: 2,
			Place: tuning.Place{Systemd: true}, Group: tuning.Group{Version: 2, PidsMax: 84_557}, HugePages: "madvise",
			Stated: []tuning.Stated{
				{File: "/etc/security/limits.d/10-web.conf", Who: "@web", Limit: tuning.Limit{Soft: 65_536, Hard: 200_000}},
				{File: "/etc/security/limits.d/10-web.conf", Who: "root", Limit: tuning.Limit{Soft: tuning.Infinity, Hard: tuning.Infinity}},
			},
		}},
		{"a process of bare metal", "bare-metal", 4242, tuning.Host{
			PID: 4242, OpenFiles: tuning.Limit{Soft: 20_000, Hard: 20_000}, Own: shell, Held: 12, Sysctls: sysctls(), Memory: 63_127_888 << 10, Processors: 16, TCPPages: 2,
			Place: tuning.Place{Systemd: true, Unit: "nginx.service"}, Group: tuning.Group{Version: 2}, HugePages: "madvise",
			Stated: []tuning.Stated{
				{File: "/etc/security/limits.d/10-web.conf", Who: "@web", Limit: tuning.Limit{Soft: 65_536, Hard: 200_000}},
				{File: "/etc/security/limits.d/10-web.conf", Who: "root", Limit: tuning.Limit{Soft: tuning.Infinity, Hard: tuning.Infinity}},
			},
		}},
		{"a systemd service", "systemd", 812, tuning.Host{
			PID: 812, OpenFiles: tuning.Limit{Soft: 524_288, Hard: 524_288}, Own: shell, Held: 24, Memory: 14_981_120 << 10, Processors: 8, TCPPages: 311,
			Sysctls: sysctls("fs.nr_open", "1073741816", "net.netfilter.nf_conntrack_count", "61022"), HugePages: "always",
			Place: tuning.Place{Systemd: true, Unit: "pushd.service"},
			Group: tuning.Group{Version: 2, MemoryMax: 8 << 30, MemoryUsed: 812_311_552 - 301_989_888, PidsMax: 18_972},
			Stated: []tuning.Stated{
				{File: "/etc/systemd/system.conf", Who: "DefaultLimitNOFILE", Limit: tuning.Limit{Soft: 65_536, Hard: 524_288}},
				{File: "/etc/systemd/system/pushd.service", Who: "pushd.service", Limit: tuning.Limit{Soft: 524_288, Hard: 524_288}},
				{File: "/etc/systemd/system/pushd.service.d/limits.conf", Who: "pushd.service", Limit: tuning.Limit{Soft: 1_100_000, Hard: 1_100_000}},
			},
		}},
		{"docker", "docker", 0, tuning.Host{
			OpenFiles: tuning.Limit{Soft: 1 << 20, Hard: 1 << 20}, Own: tuning.Limit{Soft: 1 << 20, Hard: 1 << 20}, Memory: 12_981_120 << 10, Processors: 4, TCPPages: 311,
			Sysctls: sysctls("net.ipv4.tcp_mem", "", "net.netfilter.nf_conntrack_count", "0", "net.ipv4.tcp_max_syn_backlog", "512"),
			Place:   tuning.Place{Container: "docker"}, Group: tuning.Group{Version: 2, MemoryMax: 2 << 30, MemoryUsed: 8 << 20, PidsMax: 100}, HugePages: "madvise",
		}},
		{"a Kubernetes pod", "kubernetes", 0, tuning.Host{
			OpenFiles: shell, Own: shell, Memory: 22_981_120 << 10, Processors: 8, TCPPages: 40,
			Sysctls: sysctls("net.ipv4.tcp_mem", "", "net.netfilter.nf_conntrack_max", "524288", "net.netfilter.nf_conntrack_count", "0"),
			Place:   tuning.Place{Container: "kubernetes"}, Group: tuning.Group{Version: 2, MemoryMax: 4 << 30, MemoryUsed: 16 << 20}, HugePages: "always",
		}},
		{"/proc alone, without conntrack", "initramfs", 0, tuning.Host{
			OpenFiles: tuning.Limit{Soft: 1024, Hard: 4096}, Own: tuning.Limit{Soft: 1024, Hard: 4096}, Memory: 7_981_120 << 10, Processors: 2,
			Sysctls: sysctls("net.netfilter.nf_conntrack_max", "", "net.netfilter.nf_conntrack_count", "", "fs.file-max", "810311", "fs.file-nr", "96 0 810311",
				"fs.epoll.max_user_watches", "1835008", "net.ipv4.tcp_mem", "93957 125277 187914"),
			Group: tuning.Group{Version: 2},
		}},
		{"cgroup version 1", "cgroup-v1", 0, tuning.Host{
			OpenFiles: tuning.Limit{Soft: 1024, Hard: 1 << 20}, Own: tuning.Limit{Soft: 1024, Hard: 1 << 20}, Memory: 7_181_120 << 10, Processors: 2, TCPPages: 12,
			Sysctls: sysctls("net.core.somaxconn", "128", "net.ipv4.tcp_syncookies", "0", "net.ipv4.tcp_max_syn_backlog", "512", "fs.file-max", "811002", "fs.file-nr", "1504 0 811002",
				"net.netfilter.nf_conntrack_max", "65536", "net.netfilter.nf_conntrack_count", "311"),
			Place: tuning.Place{Container: "lxc", Systemd: true, Unit: "pushd.service"}, HugePages: "never",
			Group: tuning.Group{Version: 1, MemoryMax: 1 << 30, MemoryUsed: 96 << 20, PidsMax: 8},
		}},
	} {
		t.Run(c.label, func(t *testing.T) {
			c.want.System, c.want.PageSize = "linux", 4096
			require.Equal(t, c.want, recorded(t, c.tree, c.pid))
		})
	}
}

func TestReadNothing(t *testing.T) {
	h, err := tuning.ReadTree(fstest.MapFS{}, 0)
	require.NoError(t, err)
	require.Equal(t, tuning.Host{System: "linux", PageSize: 4096, Sysctls: map[string]string{}}, h)
	_, err = tuning.ReadTree(fstest.MapFS{}, 4242)
	require.ErrorContains(t, err, "limits of process 4242")
}

func TestReadNonsense(t *testing.T) {
	h, err := tuning.ReadTree(fstest.MapFS{
		"proc/meminfo":              {Data: []byte("MemAvailable: many kB\n")},
		"proc/sys/fs/file-nr":       {Data: []byte("a b c\n")},
		"proc/sys/net/ipv4/tcp_mem": {Data: []byte("1 2\n")},
		"proc/self/limits":          {Data: []byte("Max open files  few\n")},
		"proc/self/cgroup":          {Data: []byte("0:/\n0::/a\n")},
		"sys/fs/cgroup/a/pids.max":  {Data: []byte("-3\n")},
	}, 0)
	require.NoError(t, err)
	require.Zero(t, h.Memory)
	require.Zero(t, h.OpenFiles)
	require.Zero(t, h.Group.PidsMax)
	v := tuning.Judge(h, tuning.Ask{})
	require.True(t, v.Fit)
	require.Equal(t, tuning.Unlimited, v.Holds)
	require.Equal(t, "holds any number: nothing that was read binds", v.String())
}

func TestProcessLimits(t *testing.T) {
	for _, c := range []struct {
		label, limits string
		want          tuning.Limit
		err           string
	}{
		{"both", "Max open files            1024                 524288               files     \n", tuning.Limit{Soft: 1024, Hard: 524_288}, ""},
		{"none", "Max open files            unlimited            unlimited            files     \n", tuning.Limit{Soft: tuning.Infinity, Hard: tuning.Infinity}, ""},
		{"one", "Max open files 1024\n", tuning.Limit{}, `proc/42/limits: "Max open files 1024": expected a soft and a hard limit`},
		{"no such line", "Max cpu time 1 1 s\n", tuning.Limit{}, "proc/42/limits: expected a line Max open files"},
	} {
		t.Run(c.label, func(t *testing.T) {
			var l tuning.Limit
			var err error
			l.Soft, l.Hard, err = tuning.ProcessLimits(fstest.MapFS{"proc/42/limits": {Data: []byte(c.limits)}}, 42)
			if c.err != "" {
				require.EqualError(t, err, c.err)
			} else {
				require.NoError(t, err)
			}
			require.Equal(t, c.want, l)
		})
	}
	_, _, err := tuning.ProcessLimits(fstest.MapFS{}, 42)
	require.ErrorContains(t, err, "limits of process 42")
}
