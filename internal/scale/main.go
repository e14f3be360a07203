package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	o, err := parse(os.Args[1:], os.Stderr)
	if err == nil {
		err = run(ctx, o)
	}
	stop()
	switch {
	case errors.Is(err, flag.ErrHelp):
	case err != nil:
		fmt.Fprintf(os.Stderr, "scale: %v\n", err)
		os.Exit(1)
	}
}

// run boots the machine, shows what it tells, and removes what it needed.
func run(ctx context.Context, o *options) (err error) {
	qemu, err := exec.LookPath("qemu-system-x86_64")
	if err != nil {
		return errors.New("qemu-system-x86_64 is not there: apt-get install --no-install-recommends qemu-system-x86")
	}
	scratch, err := os.MkdirTemp("", "pushd-scale-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(scratch)) }()
	kernel := o.kernel
	if kernel == "" {
		if kernel, err = fetchKernel(ctx, scratch); err != nil {
			return err
		}
	}
	guest := filepath.Join(scratch, "init")
	if err := build(ctx, guest); err != nil {
		return err
	}
	initramfs := filepath.Join(scratch, "initramfs")
	if err := writeInitramfs(initramfs, map[string]string{"init": guest, "pushd": o.pushd}); err != nil {
		return err
	}
	m := machine{qemu: qemu, kernel: kernel, initramfs: initramfs, notes: filepath.Join(scratch, "notes"), n: o.n, apart: o.apart(), deadline: o.deadline()}
	fmt.Fprintf(os.Stderr, "scale: %s connections take about %v and %s MiB; it ends by itself after %v at the latest\n",
		commas(o.n), o.expected().Round(time.Minute), commas(m.memory()), o.deadline().Round(time.Minute))
	began := time.Now()
	ended := m.run(ctx, os.Stderr)
	r, err := readResult(m.notes)
	if err != nil {
		return errors.Join(ended, err)
	}
	text := r.markdown(o, m.memory(), time.Since(began))
	fmt.Print(text)
	if err := errors.Join(ended, r.judge(o.n)); err != nil {
		return err
	}
	if o.write == "" {
		return nil
	}
	return rewrite(o.write, text)
}

// build makes the machine's process 1.
func build(ctx context.Context, to string) error {
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", to, "github.com/pushd/pushd/internal/scale/init")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH=amd64")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go build ./internal/scale/init: %w\n%s", err, out)
	}
	return nil
}
