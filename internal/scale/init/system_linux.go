package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"

	"golang.org/x/sys/unix"
)

// mount brings what the kernel shows as files.
func mount() error {
	for dir, kind := range map[string]string{"/proc": "proc", "/sys": "sysfs", "/dev": "devtmpfs"} {
		if err := unix.Mount(kind, dir, kind, 0, ""); err != nil && !errors.Is(err, unix.EBUSY) { // the kernel may have mounted /dev
			return fmt.Errorf("mount %s: %w", dir, err)
		}
	}
	return nil
}

// openNotes opens a serial port that changes nothing of what is written to it.
func openNotes(path string) (*os.File, error) {
	port, err := os.OpenFile(path, os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, err
	}
	mode, err := unix.IoctlGetTermios(int(port.Fd()), unix.TCGETS)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	mode.Oflag &^= unix.OPOST
	mode.Lflag &^= unix.ECHO | unix.ICANON
	return port, unix.IoctlSetTermios(int(port.Fd()), unix.TCSETS, mode)
}

// loopback brings lo up; the kernel then gives it 127.0.0.1/8.
func loopback() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	lo, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	lo.SetUint16(unix.IFF_UP)
	if err := unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, lo); err != nil {
		return fmt.Errorf("bring lo up: %w", err)
	}
	return nil
}

// raiseLimits makes room for n connections whose both ends are in this machine, in this process too, from which the others
// inherit what they may.
func raiseLimits(ctx context.Context, n int) error {
	tune := exec.CommandContext(ctx, "/pushd", "tune", "--connections", strconv.Itoa(2*n), "--pid", "1", "--apply", "--yes")
	tune.Stdout, tune.Stderr = os.Stderr, os.Stderr
	if err := tune.Run(); err != nil {
		return fmt.Errorf("pushd tune: %w", err)
	}
	return nil
}
