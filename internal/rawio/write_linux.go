package rawio

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// Write is write(2) on a non-blocking descriptor. It does not tell the scheduler, as unix.Write does: the call ends
// in microseconds, and being told starts the runtime's monitor, whose naps were more than half of all system calls of
// a pass that were not writes.
func Write(fd int, b []byte) (int, error) {
	n, _, errno := unix.RawSyscall(unix.SYS_WRITE, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)))
	if errno != 0 {
		return -1, errno
	}
	return int(n), nil
}
