package main_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

// tune judges a recorded host.
func tune(tree string, args ...string) result {
	return pushd(append([]string{"tune", "--root", filepath.Join("../../tuning/testdata", tree)}, args...)...)
}

func TestTuneUsage(t *testing.T) {
	for _, c := range []struct {
		label  string
		args   []string
		stderr string
	}{
		{"bad pid", []string{"--pid=-1"}, "--pid: -1: expected the id of a process"},
		{"both ways", []string{"--apply", "--undo"}, "--undo: expected no --apply beside it"},
		{"yes to nothing", []string{"--yes"}, "expected --apply or --undo with it"},
		{"apply as JSON", []string{"--apply", "--format=json"}, "--format: expected no --apply or --undo beside it"},
		{"unknown format", []string{"--format=xml"}, "--format must be one of"},
		{"no number", []string{"--connections=many"}, "--connections"},
	} {
		t.Run(c.label, func(t *testing.T) {
			r := pushd(append([]string{"tune"}, c.args...)...)
			require.Equal(t, 2, r.code)
			require.Contains(t, r.stderr, c.stderr)
			require.Empty(t, r.stdout)
		})
	}
}

func TestTune(t *testing.T) {
	r := tune("bare-metal", "--connections=200000")
	require.Equal(t, 0, r.code, r.stderr)
	require.True(t, strings.HasPrefix(r.stdout, `holds 262,000; net.netfilter.nf_conntrack_max binds (262,144); then
  RLIMIT_NOFILE at 523,584
fit for 200,000

  SETTING                                     NOW           NEEDED         HOLDS
  net.netfilter.nf_conntrack_max          262,144          200,144       262,000
  RLIMIT_NOFILE                           524,288          200,704       523,584
`), r.stdout)

	r = tune("bare-metal", "--connections=1000000")
	require.Equal(t, 1, r.code, "unfit")
	require.Empty(t, r.stderr)
	require.Contains(t, r.stdout, "\nunfit for 1,000,000; too low: net.netfilter.nf_conntrack_max, RLIMIT_NOFILE\n")
	require.Contains(t, r.stdout, `
! RLIMIT_NOFILE: 524,288, 1,000,704 needed
  Each connection is a descriptor, and serve keeps 704 of them (at most half)
  for all else. It raises its soft limit to the hard one, which fs.nr_open
  bounds.
  how:    ulimit -n 1000704 (a process that runs: prlimit --pid PID
          --nofile=1000704)
  source: getrlimit(2)
`)
	require.NotContains(t, r.stdout, "net.ipv4.tcp_tw_reuse", "it is to fit a screen")
	r = tune("bare-metal", "--connections=1000000", "--explain")
	require.Contains(t, r.stdout, "net.ipv4.tcp_tw_reuse", "what is left alone")

	r = tune("bare-metal", "--pid=4242", "--connections=19296")
	require.Equal(t, 0, r.code, r.stdout)
	require.Contains(t, r.stdout, "holds 19,296; RLIMIT_NOFILE binds (20,000)")
	r = tune("bare-metal", "--pid=4243")
	require.Equal(t, 1, r.code)
	require.Contains(t, r.stderr, "limits of process 4243")
}

// A newcomer's terminal has 80 columns and 24 lines.
func TestTuneFitsTheScreen(t *testing.T) {
	for _, tree := range []string{"bare-metal", "systemd", "docker", "kubernetes", "initramfs", "cgroup-v1"} {
		r := tune(tree, "--connections=1000000")
		lines := strings.Split(r.stdout, "\n")
		for _, line := range lines {
			require.LessOrEqual(t, utf8.RuneCountInString(line), 80, "%s: %s", tree, line)
		}
		screen := strings.Join(lines[:24], "\n")
		require.Contains(t, screen, "! too low for so many", "%s: which is below the table", tree)
	}
}

func TestTuneFormats(t *testing.T) {
	r := tune("bare-metal", "--connections=1000000", "--format=json")
	require.Equal(t, 1, r.code)
	var v struct {
		Holds    uint64
		Fit      bool
		Findings []struct{ Setting, Now, Needed, Why, How, Source string }
	}
	require.NoError(t, json.Unmarshal([]byte(r.stdout), &v))
	require.EqualValues(t, 262_000, v.Holds)
	require.Equal(t, "sysctl -w net.netfilter.nf_conntrack_max=1000144", v.Findings[0].How)

	for format, want := range map[string]string{
		"sysctl":     "\nnet.netfilter.nf_conntrack_max = 1000144\n",
		"systemd":    "\n[Service]\nLimitNOFILE=1000704\n",
		"limits":     "\n* - nofile 1000704\n",
		"docker":     "\n--ulimit nofile=1000704:1000704 \\\n",
		"kubernetes": "\nsecurityContext:\n",
	} {
		require.Contains(t, tune("bare-metal", "--connections=1000000", "--format="+format).stdout, want)
	}
}

func TestTuneApply(t *testing.T) {
	root := t.TempDir()
	require.NoError(t, os.CopyFS(root, os.DirFS("../../tuning/testdata/initramfs")))
	tune := func(args ...string) result { return pushd(append([]string{"tune", "--root", root}, args...)...) }
	fileMax := func() string {
		b, err := os.ReadFile(filepath.Join(root, "proc/sys/fs/file-max"))
		require.NoError(t, err)
		return strings.TrimSpace(string(b))
	}
	const diff = "/proc/sys/fs/file-max\n- 810311\n+ 1000800\n"

	r := tune("--connections=1000000", "--apply", "--dry-run")
	require.Equal(t, 0, r.code, r.stderr)
	require.Contains(t, r.stdout, diff)
	require.Contains(t, r.stdout, "left out: files: there is no /etc, so nothing is kept for the next boot\n")
	r = tune("--connections=1000000", "--apply")
	require.Equal(t, 1, r.code)
	require.Contains(t, r.stdout, diff)
	require.Contains(t, r.stderr, "nothing was changed: standard input is no terminal to ask at: expected --yes or --dry-run")
	require.Equal(t, "810311", fileMax())

	r = tune("--connections=1000000", "--apply", "--yes")
	require.Equal(t, 0, r.code, "though a limit of its own is left that it cannot raise")
	require.Equal(t, "1000800", fileMax())
	require.Contains(t, r.stdout, "changed; `pushd tune --undo` takes it back. Now it holds 3,392; RLIMIT_NOFILE binds (4,096)")
	r = tune("--connections=1000000", "--apply", "--yes")
	require.Equal(t, 0, r.code)
	require.Contains(t, r.stdout, "nothing to change\n")

	r = tune("--undo", "--dry-run")
	require.Equal(t, 0, r.code)
	require.Contains(t, r.stdout, "/proc/sys/fs/file-max\n- 1000800\n+ 810311\n")
	require.Equal(t, "1000800", fileMax())
	r = tune("--undo", "--yes")
	require.Equal(t, 0, r.code, r.stderr)
	require.Equal(t, "810311", fileMax())
	r = tune("--undo", "--yes")
	require.Equal(t, 0, r.code)
	require.Contains(t, r.stderr, "nothing to undo")
}
