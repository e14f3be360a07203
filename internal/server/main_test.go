package server_test

import (
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"
)

// TestMain fails when a test has left a goroutine or a descriptor behind. The
// two goroutines that importing ants starts are not ours.
func TestMain(m *testing.M) {
	notOurs := goleak.IgnoreCurrent()
	before := openDescriptors()
	code := m.Run()
	if code != 0 {
		os.Exit(code)
	}
	if err := goleak.Find(notOurs); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	for fd := range openDescriptors() {
		if !before[fd] {
			fmt.Fprintf(os.Stderr, "descriptor %d was left open\n", fd)
			code = 1
		}
	}
	os.Exit(code)
}

// openDescriptors probes the numbers that the tests can have reached. The
// runtime's own poller has a few of them for good, so it is made to open those
// first.
func openDescriptors() map[int]bool {
	if r, w, err := os.Pipe(); err == nil {
		r.Close()
		w.Close()
	}
	open := make(map[int]bool)
	for fd := range 4096 {
		if _, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err == nil {
			open[fd] = true
		}
	}
	return open
}
