package observe

import (
	"time"

	"github.com/prometheus/procfs"
	"golang.org/x/sys/unix"
)

// SelfSample is what this process costs at one moment.
type SelfSample struct {
	CPU float64 // seconds, user and system, since it began: getrusage(2)
	RSS *uint64 // memory that it has in RAM, bytes; Linux only
	Own *uint64 // of that what is no file's, so not the program's code, which comes into RAM as it runs; Linux only
}

// Self samples this process.
func Self() SelfSample {
	var u unix.Rusage
	var s SelfSample
	if unix.Getrusage(unix.RUSAGE_SELF, &u) == nil { // fails for a wrong argument only
		s.CPU = time.Duration(u.Utime.Nano() + u.Stime.Nano()).Seconds()
	}
	// Not Process: that counts descriptors, of which a generator has very many, one by one before Linux 6.2.
	if p, err := procfs.NewProc(unix.Getpid()); err == nil {
		if m, err := p.Statm(); err == nil {
			s.RSS = new(uint64(m.ResidentBytes()))
			s.Own = new(*s.RSS - m.Shared*uint64(unix.Getpagesize()))
		}
	}
	return s
}
