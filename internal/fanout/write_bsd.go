//go:build darwin || freebsd

package main

import "golang.org/x/sys/unix"

// write is write(2).
func write(fd int, b []byte) (int, error) { return unix.Write(fd, b) }
