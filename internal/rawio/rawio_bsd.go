//go:build darwin || freebsd

package rawio

import "golang.org/x/sys/unix"

// Read is read(2) on a non-blocking descriptor.
func Read(fd int, b []byte) (int, error) { return unix.Read(fd, b) }

// Write is write(2) on a non-blocking descriptor.
func Write(fd int, b []byte) (int, error) { return unix.Write(fd, b) }
