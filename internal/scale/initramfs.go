package main

import (
	"bufio"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
)

// writeInitramfs writes an archive that the kernel unpacks as its root: the files given, by name, all of them programs. The
// kernel brings /dev/console itself.
func writeInitramfs(path string, files map[string]string) error {
	to, err := os.Create(path)
	if err != nil {
		return err
	}
	defer to.Close()
	w := &cpioWriter{to: bufio.NewWriter(to)}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		b, err := os.ReadFile(files[name])
		if err != nil {
			return err
		}
		w.add(name, regular|0o755, b)
	}
	for _, name := range []string{"proc", "sys", "dev"} { // dev is there
		w.add(name, directory|0o755, nil)
	}
	w.add("TRAILER!!!", 0, nil)
	if err := w.to.Flush(); err != nil {
		return err
	}
	return to.Close()
}

// Kinds of files, in a mode (inode(7)).
const (
	directory = 0o040000
	regular   = 0o100000
)

// cpioWriter writes an archive in the format newc (Documentation/driver-api/early-userspace/buffer-format.rst of the kernel).
type cpioWriter struct {
	to    *bufio.Writer // keeps the first error
	inode int
}

// add writes a file: a header of 13 numbers in hexadecimal, the name, the content, the last two padded to four bytes.
func (w *cpioWriter) add(name string, mode int, content []byte) {
	w.inode++
	io.WriteString(w.to, "070701")
	for _, field := range []int{w.inode, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(name) + 1, 0} {
		fmt.Fprintf(w.to, "%08X", field)
	}
	const header = 6 + 13*8
	w.padded(header, append([]byte(name), 0))
	w.padded(0, content)
}

// padded writes b and fills up to a multiple of four bytes, of which before are written already.
func (w *cpioWriter) padded(before int, b []byte) {
	w.to.Write(b)
	w.to.Write(make([]byte, -(before+len(b))&3))
}
