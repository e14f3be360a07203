package main

import (
	"fmt"
	"math"

	"golang.org/x/sys/unix"
)

// reservedFiles are the descriptors that connections leave for all else, as long
// as that is not more than half: 256 admin and 256 metrics requests, 64 pages, 64
// refusals, listeners, pollers.
const reservedFiles = 704

// raiseOpenFiles raises the soft limit of open files (RLIMIT_NOFILE of
// getrlimit(2)) to the hard one and returns what it then is.
func raiseOpenFiles() (int, error) {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return 0, fmt.Errorf("getrlimit: %w", err)
	}
	raised := limit
	raised.Cur = raised.Max
	if unix.Setrlimit(unix.RLIMIT_NOFILE, &raised) == nil { // macOS refuses to raise it to infinity
		limit = raised
	}
	return int(min(uint64(limit.Cur), math.MaxInt32)), nil
}

// capacity settles how many connections there may be and says what decided it.
func (c *settings) capacity(openFiles int) (connections int, why string) {
	allowed := max(openFiles-reservedFiles, openFiles/2)
	if c.MaxConnections > 0 && c.MaxConnections <= allowed {
		return c.MaxConnections, "max-connections says so"
	}
	return allowed, "RLIMIT_NOFILE is " + number(int64(openFiles))
}
