package loadgen

import "github.com/prometheus/procfs"

// machine is the name of the processor and the memory, in bytes, as far as
// /proc tells.
func machine() (cpu string, memory uint64) {
	fs, err := procfs.NewDefaultFS()
	if err != nil {
		return "", 0
	}
	if all, err := fs.CPUInfo(); err == nil && len(all) > 0 {
		cpu = all[0].ModelName
	}
	if m, err := fs.Meminfo(); err == nil && m.MemTotalBytes != nil {
		memory = *m.MemTotalBytes
	}
	return cpu, memory
}
