//go:build !linux

package main

import "syscall"

// endsWithUs is a process that a terminal's Ctrl-C does not reach. If this program is killed the machine runs on until its own
// deadline.
func endsWithUs() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
