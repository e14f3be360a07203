//go:build darwin || freebsd

package conn

import "golang.org/x/sys/unix"

// write is write(2) on a non-blocking descriptor.
func write(fd int, b []byte) (int, error) { return unix.Write(fd, b) }
