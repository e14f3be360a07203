package tuning

import (
	"bytes"
	"io/fs"
	"path"
	"strconv"
	"strings"
)

// linuxSysctls are those that are judged on Linux, where they exist: a network
// namespace lacks net.ipv4.tcp_mem, and conntrack is a module.
var linuxSysctls = []string{
	"fs.nr_open", "fs.file-max", "fs.file-nr", "fs.epoll.max_user_watches",
	"net.core.somaxconn", "net.ipv4.tcp_max_syn_backlog", "net.ipv4.tcp_syncookies", "net.ipv4.ip_local_port_range",
	"net.ipv4.tcp_mem", "net.ipv4.tcp_rmem", "net.ipv4.tcp_wmem",
	"net.netfilter.nf_conntrack_max", "net.netfilter.nf_conntrack_count",
}

// ReadTree reads a Linux host from its files: root is rooted at /, and may be a
// recording. pid is the process to ask about, 0 for this one. What is absent is
// left zero; the error is about the process alone.
func ReadTree(root fs.FS, pid int) (Host, error) {
	h := Host{System: "linux", PID: pid, PageSize: 4096, Sysctls: map[string]string{}}
	h.Own.Soft, h.Own.Hard, _ = ProcessLimits(root, 0)
	h.OpenFiles = h.Own
	if pid != 0 {
		var err error
		if h.OpenFiles.Soft, h.OpenFiles.Hard, err = ProcessLimits(root, pid); err != nil {
			return h, err
		}
		open, _ := fs.ReadDir(root, path.Join("proc", process(pid), "fd"))
		h.Held = uint64(len(open))
	}
	for _, name := range linuxSysctls {
		if b, err := fs.ReadFile(root, sysctlPath(name)); err == nil {
			h.Sysctls[name] = normal(string(b))
		}
	}
	h.Memory = kib(root, "proc/meminfo", "MemAvailable:")
	h.TCPPages = tcpPages(root)
	h.Processors = processors(root)
	groups := groupPaths(root, pid)
	h.Group = readGroup(root, groups)
	h.HugePages = chosen(root, "sys/kernel/mm/transparent_hugepage/enabled")
	h.Place = readPlace(root, groups)
	if pid == 0 && h.Place.Unit != service {
		h.Place.Unit = "" // that of whoever typed the command, such as sshd's
	}
	h.Stated = readStated(root, h.Place.Unit)
	return h, nil
}

// sysctlPath is where /proc has a sysctl.
func sysctlPath(name string) string { return "proc/sys/" + strings.ReplaceAll(name, ".", "/") }

// normal parts fields by one space, so that values can be compared.
func normal(value string) string { return strings.Join(strings.Fields(value), " ") }

// numbers reads fields that are all numbers, or nil where they are something else.
func numbers(value string) (all []uint64) {
	for _, field := range strings.Fields(value) {
		n, err := strconv.ParseUint(field, 10, 64)
		if err != nil {
			return nil
		}
		all = append(all, n)
	}
	return all
}

// kib returns a line of a file like proc_meminfo(5) in bytes, or 0.
func kib(root fs.FS, name, key string) uint64 {
	b, _ := fs.ReadFile(root, name)
	return kibIn(b, key)
}

func kibIn(b []byte, key string) uint64 {
	for line := range bytes.Lines(b) {
		if rest, found := bytes.CutPrefix(line, []byte(key)); found {
			n, _ := strconv.ParseUint(string(bytes.TrimSuffix(bytes.TrimSpace(rest), []byte(" kB"))), 10, 64)
			return n * 1024
		}
	}
	return 0
}

// tcpPages reads the pages that buffers of TCP sockets take, of the whole host:
// mem in the line TCP of /proc/net/sockstat.
func tcpPages(root fs.FS) uint64 {
	b, _ := fs.ReadFile(root, "proc/net/sockstat")
	for line := range strings.Lines(string(b)) {
		if rest, ok := strings.CutPrefix(line, "TCP:"); ok {
			f := strings.Fields(rest)
			for i := 0; i+1 < len(f); i += 2 {
				if f[i] == "mem" {
					n, _ := strconv.ParseUint(f[i+1], 10, 64)
					return n
				}
			}
		}
	}
	return 0
}

// processors counts the lines cpuN of /proc/stat.
func processors(root fs.FS) (n int) {
	b, _ := fs.ReadFile(root, "proc/stat")
	for line := range strings.Lines(string(b)) {
		if len(line) > 3 && line[:3] == "cpu" && line[3] != ' ' {
			n++
		}
	}
	return n
}

// chosen returns the word in brackets of a file such as
// "always [madvise] never".
func chosen(root fs.FS, name string) string {
	b, _ := fs.ReadFile(root, name)
	_, rest, _ := strings.Cut(string(b), "[")
	word, _, _ := strings.Cut(rest, "]")
	return word
}
