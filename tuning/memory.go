package tuning

import (
	"io/fs"
	"os"
	"path"
	"strconv"
	"strings"
)

// MemoryUse is what memory a process has, and what is left before the kernel must
// kill somebody for want of it. Bytes; what cannot be read is 0.
type MemoryUse struct {
	User   uint64 // resident, of the process
	Kernel uint64 // the kernel's own for it: sockets, their buffers, epoll items. Of its control group, else of the whole host
	Total  uint64 // of the tightest control group above it with a limit, else of the host
	Left   uint64 // of Total
}

// Crowded reports whether less than a twentieth of the memory is left.
func (m MemoryUse) Crowded() bool { return m.Left < m.Total/20 }

// ReadMemory reads what memory this process has, which takes some 100 us. Where
// there is no /proc it is all zero.
func ReadMemory() MemoryUse { return readMemory(os.DirFS("/")) }

// readMemory reads proc_pid_statm(5), proc_meminfo(5), and memory.stat of a control
// group of version 2 (the kernel's Documentation/admin-guide/cgroup-v2.rst), which
// the root group has not.
func readMemory(root fs.FS) (m MemoryUse) {
	m.User = residentPages(root) * uint64(os.Getpagesize())
	meminfo, _ := fs.ReadFile(root, "proc/meminfo")
	m.Total, m.Left = kibIn(meminfo, "MemTotal:"), kibIn(meminfo, "MemAvailable:")
	m.Kernel = kibIn(meminfo, "SUnreclaim:") + tcpPages(root)*uint64(os.Getpagesize())
	paths := groupPaths(root, 0)
	if g := readGroup(root, paths); g.MemoryMax > 0 && left(g.MemoryMax, g.MemoryUsed) < m.Left {
		m.Total, m.Left = g.MemoryMax, left(g.MemoryMax, g.MemoryUsed)
	}
	if own, ok := paths[""]; ok && paths["memory"] == "" {
		folder := path.Join("sys/fs/cgroup", visible(own))
		if kernel := stat(root, folder, "kernel") + stat(root, folder, "sock"); kernel > 0 && number(root, folder+"/memory.current") > 0 {
			m.Kernel = kernel
		}
	}
	return m
}

// residentPages reads the second number of statm.
func residentPages(root fs.FS) uint64 {
	b, _ := fs.ReadFile(root, "proc/self/statm")
	if f := strings.Fields(string(b)); len(f) > 1 {
		n, _ := strconv.ParseUint(f[1], 10, 64)
		return n
	}
	return 0
}
