package tuning_test

import (
	"encoding/json"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pushd/pushd/tuning"
)

// found is a finding without its words.
type found struct {
	now, needed string
	short       bool
	holds       tuning.Count
	kind        tuning.Kind
}

func finding(t *testing.T, v tuning.Verdict, setting string) tuning.Finding {
	for _, f := range v.Findings {
		if f.Setting == setting {
			return f
		}
	}
	t.Fatalf("nothing was found about %s", setting)
	return tuning.Finding{}
}

// Each judgement, of a host of which nothing else is known.
func TestJudge(t *testing.T) {
	linux := func(pairs ...string) tuning.Host {
		h := tuning.Host{System: "linux", PageSize: 4096, Sysctls: map[string]string{}}
		for i := 0; i < len(pairs); i += 2 {
			h.Sysctls[pairs[i]] = pairs[i+1]
		}
		return h
	}
	with := func(h tuning.Host, change func(*tuning.Host)) tuning.Host { change(&h); return h }
	files := func(soft, hard uint64) tuning.Host {
		return with(linux(), func(h *tuning.Host) { h.OpenFiles = tuning.Limit{Soft: soft, Hard: hard} })
	}
	process := func(h tuning.Host) tuning.Host {
		return with(h, func(h *tuning.Host) { h.PID, h.Held = 42, 10_000 })
	}
	kern := func(system string, pairs ...string) tuning.Host {
		return with(linux(pairs...), func(h *tuning.Host) { h.System = system })
	}
	memory := func(bytes uint64) tuning.Host { return with(linux(), func(h *tuning.Host) { h.Memory = bytes }) }
	tcp := func(max string, mem uint64) tuning.Host {
		return with(linux("net.ipv4.tcp_mem", max), func(h *tuning.Host) { h.Memory, h.TCPPages = mem, 10 })
	}
	group := func(g tuning.Group) tuning.Host {
		return with(linux(), func(h *tuning.Host) { h.Group = g; h.Processors = 2 })
	}
	const conntrack, count, syn, cookies = "net.netfilter.nf_conntrack_max", "net.netfilter.nf_conntrack_count", "net.ipv4.tcp_max_syn_backlog", "net.ipv4.tcp_syncookies"

	for _, c := range []struct {
		label   string
		host    tuning.Host
		ask     uint64
		setting string
		want    found
	}{
		{"20,000 files", files(20_000, 20_000), 19_296, tuning.OpenFiles, found{"20000", "20000", false, 19_296, tuning.Held}},
		{"one more than 20,000 files hold", files(20_000, 20_000), 19_297, tuning.OpenFiles, found{"20000", "20001", true, 19_296, tuning.Held}},
		{"few files: half of them", files(1024, 1024), 512, tuning.OpenFiles, found{"1024", "1024", false, 512, tuning.Held}},
		{"serve raises itself to the hard limit", files(1024, 524_288), 500_000, tuning.OpenFiles, found{"524288", "500704", false, 523_584, tuning.Held}},
		{"no hard limit cannot be reached", files(10_240, tuning.Infinity), 20_000, tuning.OpenFiles, found{"10240", "20704", true, 9536, tuning.Held}},
		{"a process has its soft limit", process(files(1024, 524_288)), 20_000, tuning.OpenFiles, found{"1024", "20704", true, 512, tuning.Held}},

		{"enough memory", memory(4608 * 1000), 1000, tuning.Memory, found{"4608000", "4608000", false, 1000, tuning.Held}},
		{"too little memory", memory(4608*1000 - 1), 1000, tuning.Memory, found{"4607999", "4608000", true, 999, tuning.Held}},
		{"what a process holds needs none", process(memory(4608 * 1000)), 12_000, tuning.Memory, found{"4608000", "9216000", true, 11_000, tuning.Held}},
		{"more than can be counted", memory(4608), math.MaxUint64, tuning.Memory, found{"4608", "infinity", true, 1, tuning.Held}},
		{"a control group's memory", group(tuning.Group{MemoryMax: 1 << 30, MemoryUsed: 1 << 29}), 100_000, tuning.GroupMemory, found{"1073741824", "997670912", false, 116_508, tuning.Held}},
		{"a control group's memory is full", group(tuning.Group{MemoryMax: 1 << 20, MemoryUsed: 2 << 20}), 1, tuning.GroupMemory, found{"1048576", "2101760", true, 0, tuning.Held}},
		{"threads", group(tuning.Group{PidsMax: 12}), 1000, tuning.GroupPids, found{"12", "12", false, tuning.Unlimited, tuning.Held}},
		{"too few threads", group(tuning.Group{PidsMax: 11}), 1000, tuning.GroupPids, found{"11", "12", true, 0, tuning.Held}},

		{"fs.nr_open", linux("fs.nr_open", "1048576"), 1_047_873, "fs.nr_open", found{"1048576", "1048577", true, 1_047_872, tuning.Held}},
		{"the host's files", linux("fs.file-nr", "1000 0 101000"), 99_296, "fs.file-max", found{"101000", "101000", false, 100_000, tuning.Held}},
		{"all files taken", linux("fs.file-nr", "9 0 8"), 1, "fs.file-max", found{"8", "713", true, 0, tuning.Held}},
		{"unlimited files", linux("fs.file-nr", "9216 0 9223372036854775807"), 1, "fs.file-max", found{"9223372036854775807", "9921", false, tuning.Unlimited, tuning.Held}},
		{"a process's own files are taken already", process(linux("fs.file-nr", "11000 0 101000")), 100_000, "fs.file-max", found{"101000", "101704", true, 100_000, tuning.Held}},
		{"watches", linux("fs.epoll.max_user_watches", "5000"), 5001, "fs.epoll.max_user_watches", found{"5000", "5001", true, 5000, tuning.Held}},

		{"a page to each", tcp("100 150 1010", 1<<30), 1000, "net.ipv4.tcp_mem", found{"100 150 1010", "505 672 1010", false, 1000, tuning.Pushed}},
		{"too few pages", tcp("100 150 1009", 1<<30), 1000, "net.ipv4.tcp_mem", found{"100 150 1009", "505 672 1010", true, 999, tuning.Pushed}},
		{"no more pages than memory", tcp("100 150 300", 4608*1000+4096*500), 1000, "net.ipv4.tcp_mem", found{"100 150 300", "255 340 510", true, 290, tuning.Pushed}},
		{"no value of three is lowered", tcp("900 950 1000", 1<<30), 1000, "net.ipv4.tcp_mem", found{"900 950 1000", "900 950 1010", true, 990, tuning.Pushed}},

		{"conntrack", linux(conntrack, "262144", count, "144"), 262_000, conntrack, found{"262144", "262144", false, 262_000, tuning.Held}},
		{"conntrack is too small", linux(conntrack, "262144", count, "145"), 262_000, conntrack, found{"262144", "262145", true, 261_999, tuning.Held}},
		{"conntrack is full", linux(conntrack, "100", count, "145"), 1, conntrack, found{"100", "146", true, 0, tuning.Held}},
		{"conntrack tracks nothing", linux(conntrack, "262144", count, "0"), 1_000_000, conntrack, found{"262144", "", false, tuning.Unlimited, tuning.Shown}},
		{"conntrack without a count", linux(conntrack, "262144"), 1_000_000, conntrack, found{"262144", "1000000", true, 262_144, tuning.Held}},
		{"conntrack counts a process's own", process(linux(conntrack, "262144", count, "10000")), 262_144, conntrack, found{"262144", "262144", false, 262_144, tuning.Held}},

		{"room for a burst", linux("net.core.somaxconn", "4096"), 1_000_000, "net.core.somaxconn", found{"4096", "4096", false, 4096, tuning.Waiting}},
		{"no room for a burst", linux("net.core.somaxconn", "128"), 10, "net.core.somaxconn", found{"128", "4096", true, 128, tuning.Waiting}},
		{"handshakes, without cookies", linux(syn, "512", cookies, "0"), 10, syn, found{"512", "4096", true, 512, tuning.Waiting}},
		{"handshakes, with cookies", linux(syn, "512", cookies, "1"), 10, syn, found{"512", "", false, tuning.Unlimited, tuning.Shown}},
		{"ports of a server", linux("net.ipv4.ip_local_port_range", "32768 60999"), 1_000_000, "net.ipv4.ip_local_port_range", found{"32768 60999", "", false, tuning.Unlimited, tuning.Shown}},
		{"a buffer's bounds", linux("net.ipv4.tcp_wmem", "4096 16384 4194304"), 10, "net.ipv4.tcp_wmem", found{"4096 16384 4194304", "", false, tuning.Unlimited, tuning.Shown}},
		{"huge pages", with(linux(), func(h *tuning.Host) { h.HugePages = "always" }), 10, tuning.HugePages, found{"always", "", false, tuning.Unlimited, tuning.Shown}},

		{"macOS: files of a process", kern("darwin", "kern.maxfilesperproc", "61440"), 61_000, "kern.maxfilesperproc", found{"61440", "61704", true, 60_736, tuning.Held}},
		{"macOS: files of all", kern("darwin", "kern.maxfiles", "122880", "kern.num_files", "2880"), 100_000, "kern.maxfiles", found{"122880", "103584", false, 120_000, tuning.Held}},
		{"macOS: a burst", kern("darwin", "kern.ipc.somaxconn", "128"), 10, "kern.ipc.somaxconn", found{"128", "4096", true, 128, tuning.Waiting}},
		{"FreeBSD: files of all", kern("freebsd", "kern.maxfiles", "10000", "kern.openfiles", "500"), 9000, "kern.maxfiles", found{"10000", "10204", true, 9500, tuning.Held}},
		{"FreeBSD: sockets", kern("freebsd", "kern.ipc.maxsockets", "10000", "kern.ipc.numopensockets", "50"), 9950, "kern.ipc.maxsockets", found{"10000", "10000", false, 9950, tuning.Held}},
		{"FreeBSD: a burst", kern("freebsd", "kern.ipc.soacceptqueue", "128"), 10, "kern.ipc.soacceptqueue", found{"128", "4096", true, 128, tuning.Waiting}},
	} {
		t.Run(c.label, func(t *testing.T) {
			v := tuning.Judge(c.host, tuning.Ask{Connections: c.ask})
			f := finding(t, v, c.setting)
			require.Equal(t, c.want, found{f.Now, f.Needed, f.Short, f.Holds, f.Kind})
			require.Equal(t, !f.Short || f.Kind != tuning.Held, v.Fit)
			require.NotEmpty(t, f.Why)
			require.NotEmpty(t, f.Source)
			require.Equal(t, f.Short, f.How != "", "what is short says how to set it, and nothing else does")
		})
	}
}

func TestJudgeClient(t *testing.T) {
	const ports = "net.ipv4.ip_local_port_range"
	h := recorded(t, "docker", 0)
	v := tuning.Judge(h, tuning.Ask{Connections: 50_000, Client: true})
	require.False(t, v.Fit)
	require.Equal(t, "holds 28,232; net.ipv4.ip_local_port_range binds (32768 60999); then cgroup memory.max at 464,213", v.String())
	f := finding(t, v, ports)
	require.Equal(t, found{"32768 60999", "1024 65535", true, 28_232, tuning.Held}, found{f.Now, f.Needed, f.Short, f.Holds, f.Kind})
	require.Equal(t, `--sysctl net.ipv4.ip_local_port_range="1024 65535"`, f.How)
	require.Equal(t, tuning.Process, finding(t, v, tuning.OpenFiles).Kind, "loadgen starts as many processes as it needs")
	require.Contains(t, finding(t, tuning.Judge(h, tuning.Ask{Connections: 200_000, Client: true}), ports).Why, "For 200,000 that makes 4,")
	require.True(t, tuning.Judge(h, tuning.Ask{Connections: 28_232, Client: true}).Fit)
}

// The verdict on every recorded tree.
func TestVerdict(t *testing.T) {
	for _, c := range []struct {
		label, tree string
		pid         int
		ask         uint64
		fit         bool
		want        string
	}{
		{"fit", "bare-metal", 0, 200_000, true, "holds 262,000; net.netfilter.nf_conntrack_max binds (262,144); then RLIMIT_NOFILE at 523,584"},
		{"unfit", "bare-metal", 0, 1_000_000, false, "holds 262,000; net.netfilter.nf_conntrack_max binds (262,144); then RLIMIT_NOFILE at 523,584"},
		{"a process of 20,000 files", "bare-metal", 4242, 20_000, false, "holds 19,296; RLIMIT_NOFILE binds (20,000); then net.netfilter.nf_conntrack_max at 262,012"},
		{"a service", "systemd", 812, 100_000, true, "holds 201,146; net.netfilter.nf_conntrack_max binds (262,144); then RLIMIT_NOFILE at 523,584"},
		{"docker", "docker", 0, 0, true, "holds 464,213; cgroup memory.max binds (2,048 MiB); then RLIMIT_NOFILE at 1,047,872"},
		{"a pod", "kubernetes", 0, 0, false, "holds 523,584; RLIMIT_NOFILE binds (524,288); then cgroup memory.max at 928,426"},
		{"/proc alone", "initramfs", 0, 1_000_000, false, "holds 3,392; RLIMIT_NOFILE binds (4,096); then net.ipv4.tcp_mem at 187,914 with a message on its way to each"},
		{"cgroup version 1", "cgroup-v1", 0, 0, false, "holds 0; cgroup pids.max binds (8); then net.netfilter.nf_conntrack_max at 65,225"},
	} {
		t.Run(c.label, func(t *testing.T) {
			v := tuning.Judge(recorded(t, c.tree, c.pid), tuning.Ask{Connections: c.ask})
			require.Equal(t, c.want, v.String())
			require.Equal(t, c.fit, v.Fit)
			var before tuning.Count
			for _, f := range v.Findings {
				if f.Kind == tuning.Held || f.Kind == tuning.Pushed {
					require.LessOrEqual(t, before, f.Holds, "in the order in which they bite")
					before = f.Holds
				}
			}
		})
	}
}

// What a push meets before the connections themselves do.
func TestVerdictPushed(t *testing.T) {
	h := tuning.Host{System: "linux", PageSize: 4096, Memory: 4608 * 5000, Sysctls: map[string]string{"net.ipv4.tcp_mem": "100 200 300"}}
	require.Equal(t, "holds 5,000; memory available binds (21 MiB); 300 of them with a message on its way at once (net.ipv4.tcp_mem)",
		tuning.Judge(h, tuning.Ask{}).String())
}

func TestNotes(t *testing.T) {
	notes := tuning.Judge(recorded(t, "systemd", 812), tuning.Ask{}).Notes
	require.Contains(t, notes, "/etc/systemd/system/pushd.service.d/limits.conf: pushd.service: open files 1100000:1100000, but process 812 runs with 524288:524288: it was started before that, or has set its own")
	notes = tuning.Judge(recorded(t, "docker", 0), tuning.Ask{}).Notes
	require.Len(t, notes, 2)
	require.Contains(t, notes[0], "in a container (docker)")
	require.Contains(t, notes[1], "net.ipv4.tcp_mem is the host's")
	require.Empty(t, tuning.Judge(recorded(t, "initramfs", 0), tuning.Ask{}).Notes)
}

// What binds, and what would next, by name.
func TestBinds(t *testing.T) {
	for _, c := range []struct{ tree, binds, then string }{
		{"bare-metal", "net.netfilter.nf_conntrack_max", tuning.OpenFiles},
		{"docker", tuning.GroupMemory, tuning.OpenFiles},
	} {
		v := tuning.Judge(recorded(t, c.tree, 0), tuning.Ask{Connections: 1_000_000})
		require.Equal(t, c.binds, v.Binds, c.tree)
		require.Equal(t, c.then, v.Then, c.tree)
	}
	require.Empty(t, tuning.Judge(tuning.Host{System: "linux"}, tuning.Ask{}).Binds)
}

func TestWithin(t *testing.T) {
	v := tuning.Judge(recorded(t, "bare-metal", 0), tuning.Ask{})
	require.EqualValues(t, 523_584, v.Within(tuning.OpenFiles, "fs.file-max", tuning.Memory))
	require.Equal(t, tuning.Unlimited, v.Within("net.core.somaxconn"), "a burst is no number of connections")
}

// What is asked for is what holds: no more and no less.
func TestForConnections(t *testing.T) {
	for _, n := range []uint64{1, 2, 511, 512, 703, 704, 705, 1407, 1408, 1409, 19_296, 1_000_000, math.MaxUint64} {
		need := tuning.ForConnections(n)
		require.GreaterOrEqual(t, tuning.FromFiles(need), n)
		require.Less(t, tuning.FromFiles(need-1), n, n)
	}
}

func TestRaise(t *testing.T) {
	for _, c := range []struct{ now, to, want string }{
		{"128", "4096", "4096"}, {"4096", "128", "4096"}, {"1 9 3", "4 5 6", "4 9 6"},
		{"32768 60999", "1024 65535", "1024 65535"}, {"1000 65000", "1024 64000", "1000 65000"},
		{"", "5", "5"}, {"1 2", "1 2 3", "1 2 3"}, {"max", "5", "5"},
	} {
		require.Equal(t, c.want, tuning.Raise(c.now, c.to), c)
	}
}

func TestCount(t *testing.T) {
	for n, want := range map[tuning.Count]string{0: "0", 999: "999", 1000: "1,000", 1_234_567: "1,234,567", tuning.Unlimited: "any"} {
		require.Equal(t, want, n.String())
	}
	b, err := json.Marshal([]tuning.Count{0, 19_296, tuning.Unlimited})
	require.NoError(t, err)
	require.Equal(t, "[0,19296,null]", string(b))
}

// No folklore: all that is left alone says why, and who says so.
func TestLeftAlone(t *testing.T) {
	left := tuning.LeftAlone("linux")
	require.NotEmpty(t, left)
	for _, l := range left {
		require.NotEmpty(t, l.Why, l.Setting)
		require.NotEmpty(t, l.Source, l.Setting)
	}
}
