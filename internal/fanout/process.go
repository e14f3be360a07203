package main

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/prometheus/procfs"
)

// process is a running process, as /proc shows it.
type process int

// ticks of a CPU clock to a second, in /proc: the kernel's USER_HZ, which is 100 on every platform that Go runs on.
const ticks = 100

// cpu is the CPU time that the process has used, user and system, in steps of 10 ms. See proc_pid_stat(5).
func (p process) cpu() (time.Duration, error) {
	proc, err := procfs.NewProc(int(p))
	if err != nil {
		return 0, fmt.Errorf("CPU time of a process, which needs Linux: %w", err)
	}
	stat, err := proc.Stat()
	return time.Duration(stat.UTime+stat.STime) * time.Second / ticks, err
}

// resident is how much of the process's memory is in RAM, in bytes. See proc_pid_statm(5).
func (p process) resident() (float64, error) {
	proc, err := procfs.NewProc(int(p))
	if err != nil {
		return 0, fmt.Errorf("memory of a process, which needs Linux: %w", err)
	}
	statm, err := proc.Statm()
	return float64(statm.ResidentBytes()), err
}

// systemCalls counts the system calls of the process while f runs. Without perf, or where perf may not count, counted is false.
func (p process) systemCalls(ctx context.Context, f func() error) (n int, counted bool, err error) {
	var said bytes.Buffer
	perf := exec.CommandContext(ctx, "perf", "stat", "-x,", "-e", "raw_syscalls:sys_enter", "-p", strconv.Itoa(int(p)))
	perf.Stderr = &said
	if perf.Start() != nil {
		return 0, false, f()
	}
	select { // perf says nothing when it has begun
	case <-time.After(500 * time.Millisecond):
	case <-ctx.Done():
	}
	err = f()
	perf.Process.Signal(syscall.SIGINT)
	perf.Wait()
	count, _, _ := strings.Cut(said.String(), ",")
	n, bad := strconv.Atoi(strings.TrimSpace(count))
	return n, bad == nil, err
}
