package tuning

import (
	"fmt"
	"io/fs"
	"math"
	"path"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Infinity is a limit that is none (RLIM_INFINITY of getrlimit(2)).
const Infinity = math.MaxUint64

// Limit is a resource limit of a process, soft and hard; [Infinity] is none, and
// the zero value one that could not be read.
type Limit struct {
	Soft uint64 `json:"soft"`
	Hard uint64 `json:"hard"`
}

// String writes a limit as systemd does: soft:hard.
func (l Limit) String() string { return limitText(l.Soft) + ":" + limitText(l.Hard) }

func limitText(n uint64) string {
	if n == Infinity {
		return "infinity"
	}
	return strconv.FormatUint(n, 10)
}

// ProcessLimits returns the limit of open files (RLIMIT_NOFILE) of a live
// process, 0 for this one, from /proc/PID/limits (proc_pid_limits(5)); [Infinity]
// is none. root is rooted at /.
func ProcessLimits(root fs.FS, pid int) (soft, hard uint64, err error) {
	name := path.Join("proc", process(pid), "limits")
	b, err := fs.ReadFile(root, name)
	if err != nil {
		return 0, 0, fmt.Errorf("limits of process %s: %w", process(pid), err)
	}
	for line := range strings.Lines(string(b)) {
		rest, ok := strings.CutPrefix(line, "Max open files")
		if !ok {
			continue
		}
		if f := strings.Fields(rest); len(f) >= 2 {
			soft, ok1 := parseLimit(f[0])
			hard, ok2 := parseLimit(f[1])
			if ok1 && ok2 {
				return soft, hard, nil
			}
		}
		return 0, 0, fmt.Errorf("%s: %q: expected a soft and a hard limit", name, strings.TrimSpace(line))
	}
	return 0, 0, fmt.Errorf("%s: expected a line Max open files", name)
}

// process is the folder of a process in /proc.
func process(pid int) string {
	if pid == 0 {
		return "self"
	}
	return strconv.Itoa(pid)
}

// parseLimit reads a limit as the kernel, PAM and systemd write it.
func parseLimit(s string) (uint64, bool) {
	switch s {
	case "unlimited", "infinity", "-1":
		return Infinity, true
	}
	n, err := strconv.ParseUint(s, 10, 64)
	return n, err == nil
}

// RaiseOpenFiles raises the soft limit of open files (RLIMIT_NOFILE of
// getrlimit(2)) of this process to the hard one and returns what it then is.
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

// ownOpenFiles asks the kernel and not /proc, which need not be mounted.
func ownOpenFiles() (l Limit) {
	var limit unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &limit) == nil {
		l = Limit{uint64(limit.Cur), uint64(limit.Max)}
	}
	return l
}
