package tuning

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// processFiles asks for the limit of open files of a process (prlimit(2)).
func processFiles(pid int) (Limit, error) {
	var l unix.Rlimit
	if err := unix.Prlimit(pid, unix.RLIMIT_NOFILE, nil, &l); err != nil {
		return Limit{}, fmt.Errorf("prlimit: %w", err)
	}
	return Limit{l.Cur, l.Max}, nil
}

// setProcessFiles sets it, of a process that may be another.
func setProcessFiles(pid int, l Limit) error {
	err := unix.Prlimit(pid, unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: l.Soft, Max: l.Hard}, nil)
	if err == unix.EPERM {
		return fmt.Errorf("prlimit: %w: a hard limit is raised with CAP_SYS_RESOURCE, up to fs.nr_open", err)
	}
	if err != nil {
		return fmt.Errorf("prlimit: %w", err)
	}
	return nil
}
