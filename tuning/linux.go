package tuning

import (
	"fmt"
	"strconv"
)

// burst is how many arrivals are to find room at once: what the kernel's default
// is since Linux 5.4.
const burst = 4096

// linux judges what binds on Linux.
func (j *judgement) linux() {
	j.files("fs.nr_open")
	j.memory()
	j.hostFiles()
	j.watches()
	j.tcpMemory()
	j.conntrack()
	j.pids()
	if !j.client {
		j.backlog()
	}
	j.ports()
	j.shown()
}

// value returns a sysctl that is one number.
func (j *judgement) value(name string) (uint64, bool) {
	n := numbers(j.h.Sysctls[name])
	if len(n) != 1 {
		return 0, false
	}
	return n[0], true
}

// memory judges what can be had of the host's and of the control group's.
func (j *judgement) memory() {
	more := left(j.n, j.h.Held) * connectionBytes
	if j.n > Infinity/connectionBytes {
		more = Infinity
	}
	if j.h.Memory > 0 {
		j.add(Memory, j.h.Memory, more, Held, j.h.Memory/connectionBytes+j.h.Held,
			fmt.Sprintf("An idle connection takes about %d bytes: some 4 KiB of the kernel's, for the socket, its file and its watch, and less than half a KiB of pushd's. What is counted is MemAvailable, what can be had without swapping.", connectionBytes),
			"proc_meminfo(5)")
	}
	if g := j.h.Group; g.MemoryMax > 0 {
		free := left(g.MemoryMax, g.MemoryUsed)
		j.add(GroupMemory, g.MemoryMax, plus(g.MemoryUsed, more), Held, free/connectionBytes+j.h.Held,
			fmt.Sprintf("The kernel's memory for sockets counts as the control group's; %s of it are taken.", show(Memory, strconv.FormatUint(g.MemoryUsed, 10))),
			"cgroup-v2.rst, memory")
	}
}

// hostFiles judges what bounds descriptors beside RLIMIT_NOFILE.
func (j *judgement) hostFiles() {
	if now, ok := j.value("fs.nr_open"); ok && !j.client {
		j.add("fs.nr_open", now, forConnections(j.n), Held, fromFiles(now),
			"No process can be given a higher RLIMIT_NOFILE than this, root's included: raise it first.", "kernel sysctl/fs.rst; getrlimit(2)")
	}
	if n := numbers(j.h.Sysctls["fs.file-nr"]); len(n) == 3 { // allocated, free, most
		most := n[2]
		if now, ok := j.value("fs.file-max"); ok {
			most = now
		}
		taken, holds := min(n[0], most), uint64(Unlimited)
		if most < endless {
			holds = most - taken + j.h.Held
		}
		j.add("fs.file-max", most, plus(plus(taken, left(j.n, j.h.Held)), reservedFiles), Held, holds,
			fmt.Sprintf("All open files of the host together; %s are open now. Beyond it accept(2) fails with ENFILE, but for who has CAP_SYS_ADMIN.", Count(taken)),
			"proc_sys_fs(5)")
	}
}

// watches judges epoll's.
func (j *judgement) watches() {
	if now, ok := j.value("fs.epoll.max_user_watches"); ok {
		j.add("fs.epoll.max_user_watches", now, j.n, Held, now,
			"Each connection is one watch of epoll, some 160 bytes of the kernel's. The limit is for each user, over all processes.", "epoll(7)")
	}
}

// tcpMemory judges the pages for buffers. Idle sockets have none: what is on its
// way to a connection, or has not been read, takes at least a page each. No more
// is asked for than the memory has beside the connections themselves.
func (j *judgement) tcpMemory() {
	n := numbers(j.h.Sysctls["net.ipv4.tcp_mem"])
	if len(n) != 3 {
		return
	}
	pages := j.n
	if room, ok := j.room(); ok {
		pages = min(pages, left(room, left(j.n, j.h.Held)*connectionBytes)/j.h.PageSize)
	}
	most := plus(pages, j.h.TCPPages)
	f := Finding{
		Setting: "net.ipv4.tcp_mem", Now: j.h.Sysctls["net.ipv4.tcp_mem"], Short: n[2] < most,
		Holds: Count(left(n[2], j.h.TCPPages)), Kind: Pushed,
		Why: fmt.Sprintf("Pages for the buffers of all TCP sockets: low, pressure, max. An idle socket has none; one with anything unsent, unacknowledged or unread has at least one (measured: one, for 128 bytes). "+
			"Above pressure the kernel gives sockets less, at max writes wait and arriving data is dropped. So it limits not how many are held but how many a message can be on its way to at once. The memory has %s pages beside the connections, and no more is asked for.", Count(pages)),
		Source: "kernel ip-sysctl.rst; tcp(7)",
	}
	// In the kernel's own proportions, max being three halves of pressure.
	f.Needed = raise(f.Now, fmt.Sprintf("%d %d %d", most/2, most/3*2, most))
	j.findings = append(j.findings, f)
}

// conntrack judges the table of connections, where it is loaded. It can be
// loaded and unused: then its count stays 0, whatever is connected.
func (j *judgement) conntrack() {
	const name = "net.netfilter.nf_conntrack_max"
	now, ok := j.value(name)
	count, counted := j.value("net.netfilter.nf_conntrack_count")
	if !ok || now == 0 { // 0 is no limit
		return
	}
	const why = "Each tracked connection is an entry. When the table is full, packets of new connections are dropped."
	const source = "kernel nf_conntrack-sysctl.rst"
	if counted && count == 0 {
		j.show(name, j.h.Sysctls[name], why+" Loaded, and tracks nothing here (its count is 0), so it is not judged: a firewall rule that asks for state, or NAT, would make it.", source)
		return
	}
	more := left(j.n, j.h.Held)
	j.add(name, now, plus(count, more), Held, plus(left(now, count), j.h.Held), fmt.Sprintf("%s There are %s now.", why, Count(count)), source)
}

// pids judges the control group's limit of threads. They do not grow with
// connections: 9 were measured on 2 processors.
func (j *judgement) pids() {
	if limit := j.h.Group.PidsMax; limit > 0 && j.h.PID == 0 {
		needed, holds := uint64(2*j.h.Processors+8), uint64(Unlimited)
		if limit < needed {
			holds = 0
		}
		j.add(GroupPids, limit, needed, Held, holds,
			"Threads count as well. pushd has about two a processor and a few more, however many connections; a Go process that is refused one ends.", "cgroup-v2.rst, pids")
	}
}

// backlog judges how many arrivals may wait.
func (j *judgement) backlog() {
	if now, ok := j.value("net.core.somaxconn"); ok {
		j.add("net.core.somaxconn", now, burst, Waiting, now,
			"Bounds how many connections may wait to be accepted. When more arrive at once, their SYN is answered when they repeat it, a second later at first. No limit of how many are held.", "listen(2)")
	}
	name := "net.ipv4.tcp_max_syn_backlog"
	if now, ok := j.value(name); ok {
		if cookies, ok := j.value("net.ipv4.tcp_syncookies"); ok && cookies > 0 {
			j.show(name, j.h.Sysctls[name], "Ignored, as net.ipv4.tcp_syncookies is on.", "listen(2); tcp(7)")
			return
		}
		j.add(name, now, burst, Waiting, now,
			"How many handshakes may be under way on a listener, as net.ipv4.tcp_syncookies is off. What exceeds it is tried again a second later. No limit of how many are held.", "tcp(7); kernel ip-sysctl.rst")
	}
}

// ports judges the range of local ports, which only who connects needs.
func (j *judgement) ports() {
	const name = "net.ipv4.ip_local_port_range"
	const source = "ip(7); kernel ip-sysctl.rst"
	n := numbers(j.h.Sysctls[name])
	if len(n) != 2 || n[1] < n[0] {
		return
	}
	if !j.client {
		j.show(name, j.h.Sysctls[name], "For whoever connects: a server's connections all have its own port. Judged with --client.", source)
		return
	}
	ports := n[1] - n[0] + 1
	f := Finding{
		Setting: name, Now: j.h.Sysctls[name], Needed: j.h.Sysctls[name], Short: ports < j.n, Holds: Count(ports), Kind: Held, Source: source,
		Why: "A connection needs a local port that is free for its source address, destination address and destination port. Each further source address, or port of the server, holds as many again.",
	}
	if f.Short {
		f.Needed = raise(f.Now, "1024 65535")
		if most := uint64(65535 - 1024 + 1); j.n > most {
			f.Why += fmt.Sprintf(" For %s that makes %d, with the widest range.", Count(j.n), (j.n+most-1)/most)
		}
	}
	j.findings = append(j.findings, f)
}

// shown lists what is worth knowing and limits nothing.
func (j *judgement) shown() {
	for _, name := range []string{"net.ipv4.tcp_rmem", "net.ipv4.tcp_wmem"} {
		if now := j.h.Sysctls[name]; now != "" {
			j.show(name, now, "The least, default and most that one socket's buffer may take. Nothing is set aside: an idle socket has none. serve bounds what waits unsent by --notsent-lowat.", "tcp(7); kernel ip-sysctl.rst")
		}
	}
	if j.h.HugePages != "" {
		j.show(HugePages, j.h.HugePages, "With always, the kernel may back Go's heap with pages of 2 MiB where less is used, and resident memory is above what the server needs; khugepaged/max_ptes_none at 0 stops that. How many are held it does not change.", "Go's guide to its collector, Linux transparent huge pages")
	}
}
