//go:build darwin || freebsd

package loadgen

import (
	"errors"

	"golang.org/x/sys/unix"
)

func socket(family int) (int, error) {
	fd, err := unix.Socket(family, unix.SOCK_STREAM, 0)
	if err != nil {
		return -1, err
	}
	unix.CloseOnExec(fd)
	if err := unix.SetNonblock(fd, true); err != nil {
		return -1, errors.Join(err, unix.Close(fd))
	}
	return fd, nil
}

func bindLate(int) {}

func vanish(int) error {
	return errors.New("clients that vanish need socket filters, which this platform has not: expected Linux")
}
