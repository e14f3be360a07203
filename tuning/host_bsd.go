//go:build darwin || freebsd

package tuning

import (
	"encoding/binary"
	"errors"
	"os"
	"runtime"
	"strconv"

	"golang.org/x/sys/unix"
)

var errNoProcess = errors.New("the limits of another process can be read on Linux only")

// kernSysctls are those that are judged on macOS and FreeBSD.
var kernSysctls = map[string][]string{
	"darwin":  {"kern.maxfiles", "kern.num_files", "kern.maxfilesperproc", "kern.ipc.somaxconn"},
	"freebsd": {"kern.maxfiles", "kern.openfiles", "kern.maxfilesperproc", "kern.ipc.soacceptqueue", "kern.ipc.maxsockets", "kern.ipc.numopensockets"},
}

// Read reads this host. pid must be 0: these systems show no other process's
// limits in files.
func Read(pid int) (Host, error) {
	h := Host{
		System: runtime.GOOS, PID: pid, OpenFiles: ownOpenFiles(), PageSize: uint64(os.Getpagesize()),
		Processors: runtime.NumCPU(), Sysctls: map[string]string{},
	}
	h.Own = h.OpenFiles
	for _, name := range kernSysctls[h.System] {
		if n, ok := sysctl(name); ok {
			h.Sysctls[name] = strconv.FormatUint(n, 10)
		}
	}
	if pid != 0 {
		return h, errNoProcess
	}
	return h, nil
}

// sysctl reads a number of 4 or 8 bytes (sysctl(3)): which it is differs by name
// and by system.
func sysctl(name string) (uint64, bool) {
	b, err := unix.SysctlRaw(name)
	switch {
	case err != nil:
		return 0, false
	case len(b) == 4:
		return uint64(binary.NativeEndian.Uint32(b)), true
	case len(b) == 8:
		return binary.NativeEndian.Uint64(b), true
	}
	return 0, false
}
