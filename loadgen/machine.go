package loadgen

import (
	"runtime"

	"golang.org/x/sys/unix"

	"github.com/pushd/pushd/loadgen/report"
)

// host is the machine that this runs on.
func host() report.Host {
	h := report.Host{OS: runtime.GOOS, CPUs: runtime.NumCPU(), Go: runtime.Version()}
	var u unix.Utsname
	if unix.Uname(&u) == nil {
		h.OS = unix.ByteSliceToString(u.Sysname[:]) + " " + unix.ByteSliceToString(u.Release[:])
	}
	h.CPU, h.Memory = machine()
	return h
}
