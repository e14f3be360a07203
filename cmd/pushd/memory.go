package main

import (
	"os"
	"runtime/debug"
	"strconv"
	"strings"
)

// limitMemory tells the collector of the memory limit that the process's
// control group has (cgroup v2 memory.max), less a tenth for what is not Go's
// heap, unless GOMEMLIMIT says else. GOGC stays what it is: 100 unless set. It
// returns the limit in bytes, or 0 for none.
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

// cgroupLimit returns the memory limit of the process's own control group in
// bytes, or 0 where there is none. (In a container that group is the root of
// what can be seen.)
func cgroupLimit(read func(string) ([]byte, error)) int64 {
	const root = "/sys/fs/cgroup"
	own := ""
	if b, err := read("/proc/self/cgroup"); err == nil {
		for line := range strings.Lines(string(b)) {
			if path, ok := strings.CutPrefix(strings.TrimSpace(line), "0::"); ok {
				own = path
			}
		}
	}
	for _, path := range []string{root + own + "/memory.max", root + "/memory.max"} {
		if b, err := read(path); err == nil {
			limit, _ := strconv.ParseInt(strings.TrimSpace(string(b)), 10, 64) // "max" is no number
			return limit
		}
	}
	return 0
}
