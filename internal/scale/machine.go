package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"runtime"
	"strings"
	"time"
)

// machine is a virtual machine that runs once.
type machine struct {
	qemu, kernel, initramfs string
	notes                   string // the file behind the second serial port
	n                       int
	apart, deadline         time.Duration
}

// memory is how much the machine has, in MiB: 9 KiB for each connection, whose two ends are both in it, and 2 GiB.
func (m *machine) memory() int { return 2048 + m.n*9/1024 }

// kernelLine asks for an exact and cheap clock, though qemu warrants none, and nothing that costs time against attacks
// and faults that an emulated processor does not have. What has a name of its own process 1 gets as environment.
const kernelLine = "console=ttyS0 quiet panic=-1 mitigations=off nokaslr tsc=reliable clocksource=tsc no_timer_check audit=0 init_on_alloc=0"

// run boots the machine and returns when it has ended: by itself, or because ctx or its time has. What it says on its console
// goes to out.
func (m *machine) run(ctx context.Context, out io.Writer) error {
	ctx, cancel := context.WithTimeoutCause(ctx, m.deadline, fmt.Errorf("the machine was ended after %v", m.deadline.Round(time.Second)))
	defer cancel()
	cmd := exec.CommandContext(ctx, m.qemu, "-accel", "tcg,thread=multi", "-smp", "2", "-m", fmt.Sprint(m.memory()),
		"-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", "-serial", "file:/dev/stdout", "-serial", "file:"+m.notes,
		"-kernel", m.kernel, "-initrd", m.initramfs,
		"-append", fmt.Sprintf("%s SCALE_N=%d SCALE_MESSAGES=%d SCALE_APART=%v SCALE_DEADLINE=%v", kernelLine, m.n, messages, m.apart, m.deadline))
	// Not -serial stdio: qemu would look for input all the time, and there is none.
	cmd.SysProcAttr = endsWithUs()
	cmd.WaitDelay = 5 * time.Second
	console, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	var said strings.Builder
	cmd.Stderr = &said
	runtime.LockOSThread() // endsWithUs means the thread that starts it
	defer runtime.UnlockOSThread()
	if err := cmd.Start(); err != nil {
		return err
	}
	for lines := bufio.NewScanner(console); lines.Scan(); {
		fmt.Fprintln(out, strings.TrimRight(lines.Text(), "\r"))
	}
	switch err := cmd.Wait(); {
	case errors.Is(context.Cause(ctx), context.Canceled):
		return errors.New("interrupted")
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case err != nil:
		return fmt.Errorf("%s: %w\n%s", m.qemu, err, said.String())
	}
	return nil
}
