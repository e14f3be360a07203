package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pushd/pushd/internal/scale/told"
)

func main() {
	if os.Getpid() != 1 {
		fmt.Fprintln(os.Stderr, "init: expected to be process 1 of a virtual machine, which it switches off")
		os.Exit(2)
	}
	if err := work(); err != nil {
		fmt.Fprintf(os.Stderr, "init: %v\n", err)
	}
	unix.Sync()
	unix.Reboot(unix.LINUX_REBOOT_CMD_POWER_OFF)
}

// order is what the host has asked for.
type order struct {
	n, messages     int
	apart, deadline time.Duration
}

func readOrder() (o order, err error) {
	var errs [4]error
	o.n, errs[0] = strconv.Atoi(os.Getenv("SCALE_N"))
	o.messages, errs[1] = strconv.Atoi(os.Getenv("SCALE_MESSAGES"))
	o.apart, errs[2] = time.ParseDuration(os.Getenv("SCALE_APART"))
	o.deadline, errs[3] = time.ParseDuration(os.Getenv("SCALE_DEADLINE"))
	return o, errors.Join(errs[:]...)
}

func work() error {
	if err := mount(); err != nil {
		return err
	}
	notes, err := openNotes("/dev/ttyS1")
	if err != nil {
		return err
	}
	tell := json.NewEncoder(notes)
	err = measure(func(l told.Line) error { return tell.Encode(l) })
	if err != nil {
		err = errors.Join(err, tell.Encode(told.Line{Failed: err.Error()}))
	}
	return errors.Join(err, notes.Close())
}

// measure does what the host has asked for.
func measure(tell func(told.Line) error) error {
	o, err := readOrder()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), o.deadline)
	defer cancel()
	var name unix.Utsname
	if err := unix.Uname(&name); err != nil {
		return err
	}
	if err := tell(told.Line{Kernel: unix.ByteSliceToString(name.Release[:])}); err != nil {
		return err
	}
	if err := loopback(); err != nil {
		return err
	}
	if err := raiseLimits(ctx, o.n); err != nil {
		return err
	}
	s, err := serve(ctx)
	if err != nil {
		return err
	}
	defer s.stop()
	return s.hold(ctx, o, tell)
}
