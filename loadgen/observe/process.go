package observe

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// ErrGone says that a process has ended, whether or not it was waited for.
var ErrGone = errors.New("the process is gone")

// ProcessSample is what a process costs at one moment.
type ProcessSample struct {
	PID     int
	Name    string  // of its program, cut to 15 bytes
	RSS     uint64  // memory that it has in RAM, bytes; shared pages count for each who shares them
	CPU     float64 // seconds, user and system, since it began, in steps of 10 ms
	Threads int

	OpenFiles *int   // descriptors; nil where this process may not count them
	SoftFiles uint64 // RLIMIT_NOFILE, math.MaxUint64 if unlimited
	HardFiles uint64

	started uint64 // ticks since boot: with the pid it names a process for good
}

// Process samples a process of this host by proc_pid_stat(5), proc_pid_statm(5),
// proc_pid_limits(5) and proc_pid_fd(5). The error is ErrGone where there is none, and
// fs.ErrPermission where only its descriptors may not be counted, which before
// Linux 6.2 takes its own user: then all else in the sample holds.
func Process(pid int) (ProcessSample, error) {
	s, err := process(pid)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ESRCH) {
		err = ErrGone
	}
	if err != nil {
		err = fmt.Errorf("pid %d: %w", pid, err)
	}
	return s, err
}

func process(pid int) (ProcessSample, error) {
	proc, err := openProc()
	if err != nil {
		return ProcessSample{}, err
	}
	p, err := proc.Proc(pid)
	if err != nil {
		return ProcessSample{}, err
	}
	stat, err := p.Stat()
	if err != nil {
		return ProcessSample{}, err
	}
	if stat.State == "Z" || stat.State == "X" { // a zombie, or dead
		return ProcessSample{}, ErrGone
	}
	statm, err := p.Statm() // stat has it too, less exactly: not summed over the CPUs
	if err != nil {
		return ProcessSample{}, err
	}
	s := ProcessSample{
		PID:     pid,
		Name:    stat.Comm,
		RSS:     statm.ResidentBytes(),
		CPU:     stat.CPUTime(),
		Threads: stat.NumThreads,
		started: stat.Starttime,
	}
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/limits", pid))
	if err != nil {
		return ProcessSample{}, err
	}
	if s.SoftFiles, s.HardFiles, err = filesLimit(string(text)); err != nil {
		return ProcessSample{}, err
	}
	n, err := p.FileDescriptorsLen()
	if err != nil {
		return s, fmt.Errorf("its open files: %w", err)
	}
	s.OpenFiles = &n
	return s, nil
}

// filesLimit finds RLIMIT_NOFILE in a process's limits. procfs has the soft ones
// only.
func filesLimit(text string) (soft, hard uint64, err error) {
	for line := range strings.Lines(text) {
		rest, ok := strings.CutPrefix(line, "Max open files ")
		if fields := strings.Fields(rest); ok && len(fields) >= 2 {
			var err1, err2 error
			soft, err1 = limit(fields[0])
			hard, err2 = limit(fields[1])
			return soft, hard, errors.Join(err1, err2)
		}
	}
	return 0, 0, fmt.Errorf("%q: expected a line of Max open files", text)
}

func limit(s string) (uint64, error) {
	if s == "unlimited" {
		return math.MaxUint64, nil
	}
	return strconv.ParseUint(s, 10, 64)
}
