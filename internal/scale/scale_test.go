package main_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	main "github.com/pushd/pushd/internal/scale"
	"github.com/pushd/pushd/internal/scale/told"
	"github.com/pushd/pushd/loadgen/report"
)

func TestInitramfs(t *testing.T) {
	dir := t.TempDir()
	program := filepath.Join(dir, "program")
	require.NoError(t, os.WriteFile(program, []byte("12345"), 0o600))
	path := filepath.Join(dir, "initramfs")
	require.NoError(t, main.WriteInitramfs(path, map[string]string{"init": program}))
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	header := func(inode, mode, size, name int) string {
		return fmt.Sprintf("070701%08X%08X%032X%08X%032X%08X%08X", inode, mode, 1<<32, size, 0, name, 0) // a link count of 1 among zeros
	}
	// As GNU cpio -H newc has it: names and contents are padded to multiples of four.
	require.Equal(t, header(1, 0o100755, 5, 5)+"init\x00\x00"+"12345\x00\x00\x00"+
		header(2, 0o040755, 0, 5)+"proc\x00\x00"+
		header(3, 0o040755, 0, 4)+"sys\x00\x00\x00"+
		header(4, 0o040755, 0, 4)+"dev\x00\x00\x00"+
		header(5, 0, 0, 11)+"TRAILER!!!\x00\x00\x00\x00", string(b))
	require.ErrorIs(t, main.WriteInitramfs(path, map[string]string{"init": filepath.Join(dir, "absent")}), os.ErrNotExist)
}

// notes are those of a machine with n connections, changed.
func notes(t *testing.T, n int, change func(lines []told.Line) []told.Line) string {
	figures := []report.Figure{{Name: "lost"}, {Name: "repeated"}, {Name: "disordered"}, {Name: "gaps"}, {Name: "connections_lost"}}
	for name, value := range map[string]int{"open": n, "published": 3, "delivered": 3 * n, "expected": 3 * n} {
		figures = append(figures, report.Figure{Name: name, Value: float64(value)})
	}
	lines := []told.Line{
		{Kernel: "6.1.0"},
		{Step: &told.Step{Server: 1000, Kernel: 5000, Slab: 2000}},
		{Step: &told.Step{Seconds: 2, Connections: n / 2, Server: uint64(1000 + 100*n/2), Kernel: uint64(5000 + 9000*n/2), Slab: uint64(2000 + 8000*n/2)}},
		{Step: &told.Step{Seconds: 6, Connections: n, Server: uint64(1000 + 90*n), Kernel: uint64(5000 + 9000*n), Slab: uint64(2000 + 8000*n)}},
		{Step: &told.Step{Seconds: 9, Connections: n, Delivered: true, Server: 1000, Kernel: 5000, Slab: 2000}},
		{Report: &report.Report{Version: "1.2.3, linux/amd64", Figures: figures}},
	}
	var b strings.Builder
	for _, l := range change(lines) {
		require.NoError(t, json.NewEncoder(&b).Encode(l))
	}
	path := filepath.Join(t.TempDir(), "notes")
	require.NoError(t, os.WriteFile(path, []byte(b.String()), 0o600))
	return path
}

func same(lines []told.Line) []told.Line { return lines }

func set(lines []told.Line, name string, value float64) []told.Line {
	figures := lines[len(lines)-1].Report.Figures
	for i := range figures {
		if figures[i].Name == name {
			figures[i].Value = value
		}
	}
	return lines
}

func TestMarkdown(t *testing.T) {
	text, err := main.Judged(notes(t, 4000, same), 4000)
	require.NoError(t, err)
	require.Contains(t, text, "`make scale N=4000`")
	require.Contains(t, text, "2,048 MiB, Linux 6.1.0, pushd 1.2.3.\n")
	require.Contains(t, text, "Deliveries 12,000 of 12,000; lost 0, repeated 0, out of order 0; connections lost 0.")
	require.Contains(t, text, "--ping-interval 1h")
	var rows [][]string
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "|") && !strings.Contains(line, "--") {
			rows = append(rows, strings.Fields(strings.ReplaceAll(line, "|", "")))
		}
	}
	require.Equal(t, [][]string{
		{"2,000", "1,000", "100", "9,000", "8,000"},
		{"4,000", "500", "90", "9,000", "8,000"},
		{"4,000,", "after", "messages", "0", "0", "0"},
	}, rows[1:])
}

func TestJudge(t *testing.T) {
	for label, tt := range map[string]struct {
		change func([]told.Line) []told.Line
		want   string
	}{
		"a machine that stopped": {func(l []told.Line) []told.Line { return l[:3] }, "the machine has ended before it was through"},
		"a machine that failed":  {func(l []told.Line) []told.Line { return append(l[:2], told.Line{Failed: "no memory"}) }, "no memory"},
		"too few connections":    {func(l []told.Line) []told.Line { return set(l, "open", 3999) }, "open: 3,999, expected 4,000"},
		"a message lost":         {func(l []told.Line) []told.Line { return set(l, "lost", 1) }, "lost: 1, expected 0"},
		"a message too few":      {func(l []told.Line) []told.Line { return set(l, "delivered", 11_999) }, "delivered: 11,999, expected 12,000"},
		"interrupted":            {func(l []told.Line) []told.Line { l[5].Report.Ended = "interrupted"; return l }, "the clients have ended: interrupted"},
		"the server has fewer":   {func(l []told.Line) []told.Line { l[4].Step.Connections = 3998; return l }, "the server had 3,998 connections, expected 4,000"},
		"nothing but the kernel": {func(l []told.Line) []told.Line { return l[:1] }, "the machine has ended before it was through"},
		"connections in between": {func(l []told.Line) []told.Line { return set(l, "connections_lost", 2) }, "connections_lost: 2, expected 0"},
		"what went wrong is told": {func(l []told.Line) []told.Line {
			l[5].Report.Causes = []report.Cause{{Name: "refused", Count: 7, Example: "503"}}
			return set(l, "open", 3993)
		}, "7: refused (503)"},
	} {
		_, err := main.Judged(notes(t, 4000, tt.change), 4000)
		require.ErrorContains(t, err, tt.want, label)
	}
}

func TestCutOff(t *testing.T) {
	path := notes(t, 4000, same)
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	for n := range len(b) - 1 {
		require.NoError(t, os.WriteFile(path, b[:n], 0o600))
		_, err := main.Judged(path, 4000)
		require.EqualError(t, err, "the machine has ended before it was through", "after %d bytes", n)
	}
}

func TestRewrite(t *testing.T) {
	path := filepath.Join(t.TempDir(), "document")
	require.NoError(t, os.WriteFile(path, []byte("a\n<!-- scale: begin -->\nold\n<!-- scale: end -->\nb\n"), 0o600))
	require.NoError(t, main.Rewrite(path, "new\n"))
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, "a\n<!-- scale: begin -->\nnew\n<!-- scale: end -->\nb\n", string(b))
	require.NoError(t, os.WriteFile(path, []byte("nothing\n"), 0o600))
	require.ErrorContains(t, main.Rewrite(path, "new\n"), `expected the lines "<!-- scale: begin -->"`)
}

func TestParse(t *testing.T) {
	for args, want := range map[string]string{
		"-n 999":     "-n 999: expected 1,000 to 5,000,000",
		"-n 5000001": "-n 5000001: expected 1,000 to 5,000,000",
		"more":       `"more": expected flags only`,
		"-wrong":     "flag provided but not defined",
	} {
		_, err := main.Parse(strings.Fields(args), io.Discard)
		require.ErrorContains(t, err, want, args)
	}
	_, err := main.Parse([]string{"-h"}, io.Discard)
	require.ErrorIs(t, err, flag.ErrHelp)
	_, err = main.Parse([]string{"-n", "5000000"}, io.Discard)
	require.NoError(t, err)
}
