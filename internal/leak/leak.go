package leak

import (
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"
)

// Main is the TestMain of packages that open something: it runs the tests and
// exits, with an error if they pass but leave a goroutine or a descriptor behind.
// Goroutines that are there before, as importing ants starts two, are nobody's.
func Main(m *testing.M) {
	goroutines, descriptors := goleak.IgnoreCurrent(), Open()
	code := m.Run()
	if code == 0 {
		code = check(goroutines, descriptors)
	}
	os.Exit(code)
}

func check(goroutines goleak.Option, descriptors map[int]bool) (code int) {
	if err := goleak.Find(goroutines); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	for fd := range Open() {
		if !descriptors[fd] {
			fmt.Fprintf(os.Stderr, "descriptor %d was left open\n", fd)
			code = 1
		}
	}
	return code
}

// Open returns the descriptors that are open. It probes the numbers that tests can have reached. The runtime's own poller
// has a few of them for good, so it is made to open those first.
func Open() map[int]bool {
	if r, w, err := os.Pipe(); err == nil {
		r.Close()
		w.Close()
	}
	found := make(map[int]bool)
	for fd := range 20_000 {
		if _, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err == nil {
			found[fd] = true
		}
	}
	return found
}
