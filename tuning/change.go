package tuning

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// The files that are ours, by the names that people see.
const (
	sysctlFile = "/etc/sysctl.d/90-pushd.conf"
	dropIn     = "/etc/systemd/system/pushd.service.d/limits.conf"
	limitsFile = "/etc/security/limits.d/90-pushd.conf"
	stateFile  = "/var/lib/pushd/tune-undo.json"
)

// Change is one value that is to be written: a file's, a sysctl's, or a limit of
// a process.
type Change struct {
	Path   string  // /etc/… or /proc/sys/…; "" for a process
	PID    int     // the process, whose RLIMIT_NOFILE it is, as soft:hard
	Start  string  // when that process began, which tells it from a later one of its id
	Before *string // nil where there is no file yet
	After  string
}

// Name is what is changed, as people name it.
func (c Change) Name() string {
	if c.Path == "" {
		return fmt.Sprintf("%s of process %d", OpenFiles, c.PID)
	}
	return c.Path
}

// Diff shows a change: what is changed, lines that go and lines that come.
func (c Change) Diff() string {
	var before []string
	name := c.Name()
	if c.Before == nil {
		name += " (new)"
	} else {
		before = strings.Split(strings.TrimSuffix(*c.Before, "\n"), "\n")
	}
	after := strings.Split(strings.TrimSuffix(c.After, "\n"), "\n")
	var b strings.Builder
	b.WriteString(name + "\n")
	for _, line := range before {
		if !slices.Contains(after, line) {
			b.WriteString("- " + line + "\n")
		}
	}
	for _, line := range after {
		if !slices.Contains(before, line) {
			b.WriteString("+ " + line + "\n")
		}
	}
	return b.String()
}

// read returns what there is now, nil where there is nothing: no such file, or
// the process has ended.
func (c Change) read(root string) (*string, error) {
	if c.Path == "" {
		if start, err := startOf(os.DirFS(root), c.PID); err != nil || start != c.Start {
			return nil, nil
		}
		l, err := processFiles(c.PID)
		if err != nil {
			return nil, err
		}
		return new(l.String()), nil
	}
	b, err := os.ReadFile(filepath.Join(root, c.Path))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, err
	case c.isSysctl():
		return new(normal(string(b))), nil
	}
	return new(string(b)), nil
}

// write writes a value; nil takes a file away.
func (c Change) write(root string, value *string) error {
	name := filepath.Join(root, c.Path)
	switch {
	case c.Path == "":
		l, ok := parsePair(*value)
		if !ok {
			return fmt.Errorf("%q: expected soft:hard", *value)
		}
		return setProcessFiles(c.PID, l)
	case value == nil:
		return os.Remove(name)
	case c.isSysctl():
		f, err := os.OpenFile(name, os.O_WRONLY|os.O_TRUNC, 0)
		if err != nil {
			return err
		}
		_, err = f.WriteString(*value + "\n")
		return errors.Join(err, f.Close())
	}
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	return replace(name, []byte(*value), 0o644)
}

func (c Change) isSysctl() bool { return strings.HasPrefix(c.Path, "/proc/sys/") }

// replace writes a file so that it is whole or as it was, whatever happens.
func replace(name string, b []byte, mode fs.FileMode) (err error) {
	f, err := os.CreateTemp(filepath.Dir(name), ".tune-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			os.Remove(f.Name())
		}
	}()
	_, err = f.Write(b)
	if err = errors.Join(err, f.Chmod(mode), f.Sync(), f.Close()); err != nil {
		return err
	}
	if err = os.Rename(f.Name(), name); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(name))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// startOf is when a process began, in ticks since boot: field 22 of
// proc_pid_stat(5), of which the second, the name, may hold anything.
func startOf(root fs.FS, pid int) (string, error) {
	name := "proc/" + strconv.Itoa(pid) + "/stat"
	b, err := fs.ReadFile(root, name)
	if err != nil {
		return "", err
	}
	f := strings.Fields(string(b[strings.LastIndexByte(string(b), ')')+1:]))
	if len(f) < 20 {
		return "", fmt.Errorf("%s: expected 22 fields and more", name)
	}
	return f[19], nil
}
