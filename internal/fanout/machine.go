package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// provenance is the line above a table: what was run, when, on what.
func provenance(ctx context.Context, o *options, scenario string) (string, error) {
	version, err := exec.CommandContext(ctx, o.server, "version").Output()
	if err != nil {
		return "", fmt.Errorf("%s version: %w", o.server, err)
	}
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return "", os.NewSyscallError("uname", err)
	}
	release, _, _ := strings.Cut(string(u.Release[:]), "\x00")
	name, _, _ := strings.Cut(string(version), ",") // what follows is of its build
	return fmt.Sprintf("`go run ./internal/fanout -scenario %s -rounds %d -conns %d -seconds %v`, %s. %s, %d cores, Linux %s, %s, %s.\n",
		scenario, o.rounds, o.conns, o.seconds, time.Now().UTC().Format("2006-01-02 15:04 UTC"),
		processor(), runtime.NumCPU(), release, runtime.Version(), name), nil
}

// processor is the model's name as /proc/cpuinfo has it, or the architecture.
func processor() string {
	text, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(text)) {
		if name, model, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(model)
		}
	}
	return runtime.GOARCH
}
