//go:build darwin || freebsd

package observe

import (
	"errors"
	"fmt"

	"github.com/prometheus/procfs"
)

// errNeedsLinux is an errors.ErrUnsupported.
var errNeedsLinux = fmt.Errorf("it needs Linux's /proc: elsewhere only --admin tells what a server costs (%w)", errors.ErrUnsupported)

// openProc fails: FreeBSD's /proc, where there is one, is another.
func openProc() (procfs.FS, error) { return procfs.FS{}, errNeedsLinux }
