package tuning

import (
	"fmt"
	"io/fs"
	"math"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// reservedFiles are the descriptors that connections leave for all else, as long
// as that is not more than half: 256 admin and 256 metrics requests, 64 pages, 64
// refusals, listeners, pollers.
const reservedFiles = 704

// connectionBytes is what an idle connection takes: about 4 KiB of the kernel's
// for the socket, and less than half a KiB of ours.
const connectionBytes = 4608

// RaiseOpenFiles raises the soft limit of open files (RLIMIT_NOFILE of
// getrlimit(2)) to the hard one and returns what it then is.
func RaiseOpenFiles() (int, error) {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return 0, fmt.Errorf("getrlimit: %w", err)
	}
	raised := limit
	raised.Cur = raised.Max
	if unix.Setrlimit(unix.RLIMIT_NOFILE, &raised) == nil { // macOS refuses to raise it to infinity
		limit = raised
	}
	return int(min(uint64(limit.Cur), math.MaxInt32)), nil
}

// Capacity is how many connections a process may hold, and what stops it there.
type Capacity struct {
	Connections int
	Binds       string // the limit that binds first, with its value
}

// Holds judges how many connections a process with that limit of open files may
// hold on the host whose /proc is given. What it cannot read does not bind.
func Holds(openFiles int, proc fs.FS) Capacity {
	c := Capacity{max(openFiles-reservedFiles, openFiles/2), "RLIMIT_NOFILE is " + strconv.Itoa(openFiles)}
	bind := func(connections uint64, why string, value uint64) {
		if connections < uint64(c.Connections) {
			c = Capacity{int(connections), fmt.Sprintf("%s is %d", why, value)}
		}
	}
	if n := numbers(proc, "sys/fs/file-nr"); len(n) == 3 { // proc_sys_fs(5): allocated, free, most
		bind(n[2]-min(n[0], n[2]), "fs.file-max", n[2])
	}
	if kib, ok := available(proc); ok {
		bind(kib*1024/connectionBytes, "the memory available (KiB)", kib)
	}
	return c
}

// available returns how much memory can be had without swapping, in KiB
// (MemAvailable of proc_meminfo(5)).
func available(proc fs.FS) (kib uint64, ok bool) {
	b, _ := fs.ReadFile(proc, "meminfo")
	for line := range strings.Lines(string(b)) {
		if rest, found := strings.CutPrefix(line, "MemAvailable:"); found {
			n, err := strconv.ParseUint(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
			return n, err == nil
		}
	}
	return 0, false
}

// numbers reads a file of numbers, or nil where it is something else.
func numbers(proc fs.FS, name string) (all []uint64) {
	b, err := fs.ReadFile(proc, name)
	if err != nil {
		return nil
	}
	for _, field := range strings.Fields(string(b)) {
		n, err := strconv.ParseUint(field, 10, 64)
		if err != nil {
			return nil
		}
		all = append(all, n)
	}
	return all
}
