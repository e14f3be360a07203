package observe

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/prometheus/procfs"
)

// KernelSample is what the kernel that this process runs on says at one moment.
// What a kernel does not tell is nil.
type KernelSample struct {
	// Of proc_meminfo(5), bytes, the whole host.
	MemAvailable *uint64 // to be had without swapping
	Slab         *uint64 // the kernel's own objects: sockets, epoll items, inodes, …
	SUnreclaim   *uint64 // of these, what it cannot give back: sockets are here
	PageTables   *uint64

	// Of proc_net(5), sockstat and sockstat6. All but TCPSockets are of the whole host.
	TCPSockets  *int    // in use in this network namespace
	TCPOrphans  *int    // closed by their process, and not yet by their peer
	TCPTimeWait *int    // in TIME_WAIT
	TCPMemory   *uint64 // in socket buffers, bytes, in steps of a page: what tcp_mem bounds

	// Of proc_net(5), snmp and netstat: of this network namespace, since the start.
	Retransmitted   *uint64 // segments sent again
	ListenOverflows *uint64 // connections that found a full accept queue
	ListenDrops     *uint64 // connections that listeners dropped, these included
	BacklogDrops    *uint64 // segments dropped because a socket's backlog was full

	// Busy is how much of all CPUs was used since the last sample, 0 to 1, time that
	// a hypervisor took away included: proc_stat(5).
	Busy *float64
}

// kernel samples /proc. It is for one goroutine.
type kernel struct {
	dir   string // /proc
	proc  procfs.FS
	start KernelSample // its counters
	cpu   procfs.CPUStat
}

// newKernel begins to count.
func newKernel(dir string) (*kernel, error) {
	proc, err := procfs.NewFS(dir)
	if err != nil {
		return nil, err
	}
	k := &kernel{dir: dir, proc: proc}
	k.counters(&k.start) // what fails now fails in sample, and is told there
	if stat, err := proc.Stat(); err == nil {
		k.cpu = stat.CPUTotal
	}
	return k, nil
}

// sample returns what there is to know, and why the rest is not.
func (k *kernel) sample() (s KernelSample, err error) {
	err = errors.Join(k.memory(&s), k.sockets(&s), k.counters(&s), k.busy(&s))
	s.Retransmitted = since(k.start.Retransmitted, s.Retransmitted)
	s.ListenOverflows = since(k.start.ListenOverflows, s.ListenOverflows)
	s.ListenDrops = since(k.start.ListenDrops, s.ListenDrops)
	s.BacklogDrops = since(k.start.BacklogDrops, s.BacklogDrops)
	return s, err
}

func since(start, now *uint64) *uint64 {
	if start == nil || now == nil || *now < *start {
		return nil
	}
	return new(*now - *start)
}

func (k *kernel) memory(s *KernelSample) error {
	m, err := k.proc.Meminfo()
	s.MemAvailable, s.Slab, s.SUnreclaim, s.PageTables = m.MemAvailableBytes, m.SlabBytes, m.SUnreclaimBytes, m.PageTablesBytes
	return err
}

func (k *kernel) sockets(s *KernelSample) error {
	v4, err := k.proc.NetSockstat()
	if err != nil {
		return err
	}
	for _, p := range v4.Protocols {
		if p.Protocol == "TCP" {
			s.TCPSockets, s.TCPOrphans, s.TCPTimeWait = &p.InUse, p.Orphan, p.TW
			if p.Mem != nil {
				s.TCPMemory = new(uint64(*p.Mem) * uint64(os.Getpagesize()))
			}
		}
	}
	v6, err := k.proc.NetSockstat6()
	if errors.Is(err, fs.ErrNotExist) { // a kernel without IPv6
		return nil
	} else if err != nil {
		return err
	}
	for _, p := range v6.Protocols {
		if p.Protocol == "TCP6" && s.TCPSockets != nil { // among them v4 connections to [::]
			*s.TCPSockets += p.InUse
		}
	}
	return nil
}

func (k *kernel) counters(s *KernelSample) error {
	snmp, err1 := netCounters(filepath.Join(k.dir, "net/snmp"))
	netstat, err2 := netCounters(filepath.Join(k.dir, "net/netstat"))
	s.Retransmitted = snmp["Tcp:RetransSegs"]
	s.ListenOverflows, s.ListenDrops = netstat["TcpExt:ListenOverflows"], netstat["TcpExt:ListenDrops"]
	s.BacklogDrops = netstat["TcpExt:TCPBacklogDrop"]
	return errors.Join(err1, err2)
}

// netCounters reads the counters of a file that has, for each protocol, a line of
// names and one of values. procfs leaves out TCPBacklogDrop.
func netCounters(file string) (map[string]*uint64, error) {
	text, err := os.ReadFile(file)
	all := make(map[string]*uint64)
	lines := strings.Split(string(text), "\n")
	for i := 1; i < len(lines); i += 2 {
		names, values := strings.Fields(lines[i-1]), strings.Fields(lines[i]) // Tcp: RetransSegs …, Tcp: 42 …
		for j := 1; j < min(len(names), len(values)); j++ {
			if v, err := strconv.ParseUint(values[j], 10, 64); err == nil { // some are -1
				all[names[0]+names[j]] = &v
			}
		}
	}
	return all, err
}

func (k *kernel) busy(s *KernelSample) error {
	stat, err := k.proc.Stat()
	if err != nil {
		return err
	}
	before, now := k.cpu, stat.CPUTotal
	k.cpu = now
	// A guest's time is in User and Nice already.
	used := func(c procfs.CPUStat) float64 { return c.User + c.Nice + c.System + c.IRQ + c.SoftIRQ + c.Steal }
	idle := func(c procfs.CPUStat) float64 { return c.Idle + c.Iowait }
	u, i := used(now)-used(before), idle(now)-idle(before)
	if u >= 0 && i >= 0 && u+i > 0 { // the kernel's counts of idle time may step back
		s.Busy = new(u / (u + i))
	}
	return nil
}
