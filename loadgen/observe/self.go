package observe

import (
	"time"

	"golang.org/x/sys/unix"
)

// SelfSample is what this process costs at one moment.
type SelfSample struct {
	CPU float64 // seconds, user and system, since it began: getrusage(2)
	RSS *uint64 // memory that it has in RAM, bytes; Linux only
}

// Self samples this process.
func Self() SelfSample {
	var u unix.Rusage
	var s SelfSample
	if unix.Getrusage(unix.RUSAGE_SELF, &u) == nil { // fails for a wrong argument only
		s.CPU = time.Duration(u.Utime.Nano() + u.Stime.Nano()).Seconds()
	}
	if p, err := Process(unix.Getpid()); err == nil {
		s.RSS = &p.RSS
	}
	return s
}
