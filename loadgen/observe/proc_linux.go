package observe

import "github.com/prometheus/procfs"

// openProc opens /proc.
func openProc() (procfs.FS, error) { return procfs.NewDefaultFS() }
