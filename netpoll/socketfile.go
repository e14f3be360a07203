package netpoll

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// answerTime bounds how long a socket file's owner may take to answer. A local connect(2) takes microseconds, and does not
// wait for accept.
const answerTime = time.Second

func (lc ListenConfig) listenUnix(path string) (*Listener, error) {
	if path == "" || strings.HasPrefix(path, "@") {
		return nil, errors.New("expected the path of a file: an abstract socket has no mode and lets everybody in")
	}
	sa := &unix.SockaddrUnix{Name: path}
	l, err := lc.open(sa)
	if !errors.Is(err, unix.EADDRINUSE) {
		return l, err
	}
	if removeErr := removeStale(path); removeErr != nil {
		return nil, fmt.Errorf("%w: %w", err, removeErr)
	}
	return lc.open(sa)
}

// removeStale removes the socket file at path if nobody answers on it, else says why not.
func removeStale(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // its owner has just left
	}
	if err != nil {
		return err
	}
	if info.Mode().Type() != fs.ModeSocket {
		return fmt.Errorf("a %s stands there: expected a socket, or nothing", kind(info))
	}
	c, err := net.DialTimeout("unix", path, answerTime)
	if err == nil {
		return errors.Join(errors.New("somebody answers there"), c.Close())
	}
	if !errors.Is(err, unix.ECONNREFUSED) {
		return err // it is alive but busy, or not ours to judge
	}
	return os.Remove(path)
}

func kind(info fs.FileInfo) string {
	switch {
	case info.IsDir():
		return "directory"
	case info.Mode().IsRegular():
		return "regular file"
	}
	return "special file"
}
