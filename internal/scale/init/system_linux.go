package main

import (
	"context"
	"errors"
	"fmt"
	"os"

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

// raiseLimits makes room for n connections whose both ends are in this machine.
func raiseLimits(_ context.Context, n int) error {
	files := uint64(n + 10_000)
	for name, value := range map[string]string{
		"fs/nr_open":                   fmt.Sprint(files),
		"fs/file-max":                  fmt.Sprint(2 * files),
		"fs/epoll/max_user_watches":    fmt.Sprint(2 * files),
		"net/core/netdev_max_backlog":  "1000000", // what lo may have under way; beyond it drops, and TCP waits to send again
		"net/core/somaxconn":           "65535",
		"net/ipv4/tcp_max_syn_backlog": "65535",
		"net/ipv4/ip_local_port_range": "1024 65535",
		"net/ipv4/tcp_mem":             fmt.Sprintf("%d %d %d", n, 2*n, 3*n), // pages: one for each end that has something to read or to send
	} {
		if err := os.WriteFile("/proc/sys/"+name, []byte(value), 0); err != nil {
			return err
		}
	}
	return unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: files, Max: files}) // of the processes that this one starts
}
