package main

import (
	"os"
	"path"
	"runtime/debug"
	"strconv"
	"strings"
)

// limitMemory tells the collector of the memory limit that the process's
// control group is under (cgroup v2 memory.max), less a tenth for what is not
// Go's heap, unless GOMEMLIMIT says else. GOGC stays what it is: 100 unless set.
// It returns the limit in bytes, or 0 for none.
func limitMemory() int64 {
	const unlimited = 1<<63 - 1
	if _, set := os.LookupEnv("GOMEMLIMIT"); !set {
		if limit := cgroupLimit(os.ReadFile); limit > 0 {
			debug.SetMemoryLimit(limit - limit/10)
		}
	}
	if limit := debug.SetMemoryLimit(-1); limit != unlimited {
		return limit
	}
	return 0
}

// cgroupLimit returns the memory limit that the process's control group is
// under, in bytes, or 0 where there is none: the least of its own and of those
// above it, such as a slice of systemd's or a pod, up to the root of what can be
// seen. (In a container that root is often the group itself, and the group's path
// may lead nowhere, or with .. out of what can be seen.)
func cgroupLimit(read func(string) ([]byte, error)) (least int64) {
	const root = "/sys/fs/cgroup"
	group := "/"
	if b, err := read("/proc/self/cgroup"); err == nil {
		for line := range strings.Lines(string(b)) {
			if own, ok := strings.CutPrefix(strings.TrimSpace(line), "0::"); ok && !strings.HasPrefix(own, "/..") {
				group = path.Clean("/" + own)
			}
		}
	}
	for ; ; group = path.Dir(group) {
		if b, err := read(path.Join(root, group, "memory.max")); err == nil {
			limit, err := strconv.ParseInt(strings.TrimSpace(string(b)), 10, 64)
			if err == nil && (least == 0 || limit < least) { // "max" is no number
				least = limit
			}
		}
		if group == "/" {
			return least
		}
	}
}
