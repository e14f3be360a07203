package main

import "syscall"

// endsWithUs has a process killed when the thread that starts it ends, however that comes about (PR_SET_PDEATHSIG of prctl(2)). A
// terminal's Ctrl-C does not reach it.
func endsWithUs() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
}
