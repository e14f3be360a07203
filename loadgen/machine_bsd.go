//go:build darwin || freebsd

package loadgen

import "golang.org/x/sys/unix"

// machine is the name of the processor and the memory, in bytes.
func machine() (cpu string, memory uint64) {
	cpu, err := unix.Sysctl("machdep.cpu.brand_string") // of macOS
	if err != nil {
		cpu, _ = unix.Sysctl("hw.model")
	}
	memory, err = unix.SysctlUint64("hw.memsize") // of macOS
	if err != nil {
		memory, _ = unix.SysctlUint64("hw.physmem")
	}
	return cpu, memory
}
