package tuning_test

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/pushd/pushd/tuning"
)

// scratch is a copy of a recorded tree, to be changed.
func scratch(t *testing.T, tree string) string {
	root := t.TempDir()
	require.NoError(t, os.CopyFS(root, os.DirFS("testdata/"+tree)))
	return root
}

// files is all that stands in a tree, folders with a slash behind.
func files(t *testing.T, root string) map[string]string {
	all := map[string]string{}
	require.NoError(t, fs.WalkDir(os.DirFS(root), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			all[name+"/"] = ""
			return err
		}
		b, err := os.ReadFile(filepath.Join(root, name))
		all[name] = string(b)
		if strings.HasPrefix(name, "proc/sys/") {
			all[name] = normal(all[name]) // a kernel writes tabs of its own
		}
		return err
	}))
	return all
}

func normal(s string) string { return tuning.Raise(s, s) }

func plan(t *testing.T, root string, pid int, connections uint64) *tuning.Plan {
	h, err := tuning.ReadTree(os.DirFS(root), pid)
	require.NoError(t, err)
	p, err := tuning.NewPlan(root, tuning.Judge(h, tuning.Ask{Connections: connections}))
	require.NoError(t, err)
	return p
}

func content(t *testing.T, root, name string) string {
	b, err := os.ReadFile(filepath.Join(root, name))
	require.NoError(t, err)
	return string(b)
}

func set(t *testing.T, root, name, value string) {
	require.NoError(t, os.WriteFile(filepath.Join(root, name), []byte(value), 0o644))
}

func undo(t *testing.T, root string) []tuning.Undone {
	all, err := tuning.Undo(root, false)
	require.NoError(t, err)
	return all
}

func TestApply(t *testing.T) {
	root := scratch(t, "bare-metal")
	before := files(t, root)
	p := plan(t, root, 0, 20_000_000)
	var diffs string
	for _, c := range p.Changes {
		diffs += c.Diff()
	}
	require.Equal(t, `/etc/sysctl.d/90-pushd.conf (new)
+ # Written by pushd tune for 20,000,000 connections.
+ net.netfilter.nf_conntrack_max = 20000144
+ fs.nr_open = 20000704
+ fs.epoll.max_user_watches = 20000000
/etc/systemd/system/pushd.service.d/limits.conf (new)
+ # Written by pushd tune for 20,000,000 connections.
+ [Service]
+ LimitNOFILE=20000704
/proc/sys/fs/nr_open
- 1048576
+ 20000704
/proc/sys/net/netfilter/nf_conntrack_max
- 262144
+ 20000144
/proc/sys/fs/epoll/max_user_watches
- 14560256
+ 20000000
`, diffs, "limits.conf(5) says unlimited for somebody already, which ours would lower")
	require.Len(t, p.Left, 2, "a running process's limit, and memory")
	require.Equal(t, before, files(t, root), "a plan changes nothing")

	require.NoError(t, p.Apply())
	require.Equal(t, "20000704\n", content(t, root, "proc/sys/fs/nr_open"))
	require.Contains(t, content(t, root, tuning.DropIn), "LimitNOFILE=20000704\n")
	require.Empty(t, plan(t, root, 0, 20_000_000).Changes, "what is applied is not applied again")

	undo(t, root)
	require.Equal(t, before, files(t, root), "nothing is left, folders that were made included")
	_, err := tuning.Undo(root, false)
	require.ErrorIs(t, err, tuning.ErrNothingToUndo)
}

func TestApplyLogins(t *testing.T) {
	root := scratch(t, "bare-metal")
	require.NoError(t, os.Remove(filepath.Join(root, "etc/security/limits.d/10-web.conf")))
	require.NoError(t, plan(t, root, 0, 1_000_000).Apply())
	require.Equal(t, "# Written by pushd tune for 1,000,000 connections.\n* - nofile 1000704\nroot - nofile 1000704\n", content(t, root, tuning.LimitsFile))
}

// No value is lowered, whoever raised it.
func TestApplyNeverLowers(t *testing.T) {
	root := scratch(t, "cgroup-v1")
	require.NoError(t, os.MkdirAll(filepath.Join(root, filepath.Dir(tuning.SysctlFile)), 0o755))
	set(t, root, tuning.SysctlFile, "# ours\nnet.core.somaxconn = 65535\nfs.file-max=5\nkernel.pid_max =  4194304\n")
	before := files(t, root)
	require.NoError(t, plan(t, root, 0, 1000).Apply())
	require.Equal(t, "# Written by pushd tune for 1,000 connections.\nnet.core.somaxconn = 65535\nfs.file-max = 5\nkernel.pid_max = 4194304\nnet.ipv4.tcp_max_syn_backlog = 4096\n",
		content(t, root, tuning.SysctlFile))
	require.NotContains(t, files(t, root), tuning.DropIn[1:], "the unit has more than 1,704 already")

	require.NoError(t, plan(t, root, 0, 2_000_000).Apply())
	require.Empty(t, plan(t, root, 0, 1_500_000).Changes, "less was asked for")
	undo(t, root)
	require.Equal(t, before, files(t, root), "what was before the first")
}

// A plan may be broken off anywhere: undo takes back what was done, and making
// it again completes it.
func TestApplyBrokenOff(t *testing.T) {
	whole := scratch(t, "bare-metal")
	steps := len(plan(t, whole, 0, 20_000_000).Changes)
	require.NoError(t, plan(t, whole, 0, 20_000_000).Apply())
	want := files(t, whole)
	delete(want, tuning.StateFile[1:])
	crash := errors.New("the power went")

	for end := range steps + 1 {
		root := scratch(t, "bare-metal")
		before := files(t, root)
		err := plan(t, root, 0, 20_000_000).ApplyUntil(end, crash)
		if end < steps {
			require.ErrorIs(t, err, crash)
		}
		undo(t, root)
		require.Equal(t, before, files(t, root), "broken off before change %d", end)

		plan(t, root, 0, 20_000_000).ApplyUntil(end, crash)
		require.NoError(t, plan(t, root, 0, 20_000_000).Apply())
		got := files(t, root)
		delete(got, tuning.StateFile[1:])
		require.Equal(t, want, got, "made again after change %d", end)
		undo(t, root)
		require.Equal(t, before, files(t, root))
	}
}

// Before anything is changed it is on disk what was.
func TestApplyNotesFirst(t *testing.T) {
	root := scratch(t, "initramfs")
	set(t, root, "var", "a file where the folder would be")
	before := files(t, root)
	require.ErrorContains(t, plan(t, root, 0, 1_000_000).Apply(), "nothing was changed, for it could not be noted what was before")
	require.Equal(t, before, files(t, root))

	require.NoError(t, os.Remove(filepath.Join(root, "var")))
	require.NoError(t, os.MkdirAll(filepath.Join(root, filepath.Dir(tuning.StateFile)), 0o755))
	set(t, root, tuning.StateFile, "{")
	require.ErrorContains(t, plan(t, root, 0, 1_000_000).Apply(), "nothing was changed, for it could not be noted what was before: "+tuning.StateFile)
	_, err := tuning.Undo(root, false)
	require.ErrorContains(t, err, tuning.StateFile)
}

// Where there is only /proc, as in an initramfs, sysctls are raised all the same.
func TestApplyProcAlone(t *testing.T) {
	root := scratch(t, "initramfs")
	p := plan(t, root, 0, 1_000_000)
	require.Contains(t, p.Left, "files: there is no /etc, so nothing is kept for the next boot")
	require.NoError(t, p.Apply())
	require.Equal(t, "1000800\n", content(t, root, "proc/sys/fs/file-max"))
	require.NotContains(t, files(t, root), "etc/")
	require.Contains(t, files(t, root), tuning.StateFile[1:])
}

// One that cannot be written does not keep the others from it.
func TestApplyPartly(t *testing.T) {
	root := scratch(t, "initramfs")
	p := plan(t, root, 0, 1_000_000)
	require.Equal(t, "/proc/sys/net/ipv4/tcp_mem", p.Changes[0].Path)
	require.NoError(t, os.Remove(filepath.Join(root, p.Changes[0].Path)))
	require.ErrorContains(t, p.Apply(), "/proc/sys/net/ipv4/tcp_mem: open ")
	require.Equal(t, "1000800\n", content(t, root, "proc/sys/fs/file-max"))
}

// What somebody else has changed since is left as it is.
func TestUndoForeign(t *testing.T) {
	root := scratch(t, "initramfs")
	before := files(t, root)
	require.NoError(t, plan(t, root, 0, 1_000_000).Apply())
	set(t, root, "proc/sys/fs/file-max", "2000000\n")
	dry, err := tuning.Undo(root, true)
	require.NoError(t, err)
	require.Equal(t, "2000000\n", content(t, root, "proc/sys/fs/file-max"))
	all := undo(t, root)
	require.Equal(t, dry, all, "what was told is what was done")
	require.Equal(t, "/proc/sys/fs/file-max", all[0].Path)
	require.True(t, all[0].Foreign)
	require.True(t, all[1].Restored)
	before["proc/sys/fs/file-max"] = "2000000"
	require.Equal(t, before, files(t, root))
}

// What could not be undone can be tried again.
func TestUndoAgain(t *testing.T) {
	root := scratch(t, "bare-metal")
	before := files(t, root)
	require.NoError(t, plan(t, root, 0, 20_000_000).Apply())
	name := filepath.Join(root, "proc/sys/fs/nr_open")
	require.NoError(t, os.Rename(name, name+".away"))
	require.NoError(t, os.Mkdir(name, 0o755)) // neither read nor written
	_, err := tuning.Undo(root, false)
	require.ErrorContains(t, err, "/proc/sys/fs/nr_open: read ")
	require.NotContains(t, files(t, root), tuning.SysctlFile[1:], "the others are undone")
	require.NoError(t, os.Remove(name))
	require.NoError(t, os.Rename(name+".away", name))
	undo(t, root)
	require.Equal(t, before, files(t, root))
}

// The limit of a live process is raised by prlimit(2) and lowered again. It is
// the soft one, which needs no privilege.
func TestApplyProcess(t *testing.T) {
	sleeper := exec.Command("sleep", "60")
	require.NoError(t, sleeper.Start())
	t.Cleanup(func() { sleeper.Process.Kill(); sleeper.Wait() })
	pid := sleeper.Process.Pid
	var limit unix.Rlimit
	require.NoError(t, unix.Prlimit(pid, unix.RLIMIT_NOFILE, nil, &limit))
	require.GreaterOrEqual(t, limit.Max, uint64(2048), "this test raises a soft limit of 1,024 to 2,048")
	limit.Cur = 1024
	require.NoError(t, unix.Prlimit(pid, unix.RLIMIT_NOFILE, &limit, nil))

	root := t.TempDir()
	folder := filepath.Join(root, "proc", strconv.Itoa(pid))
	require.NoError(t, os.MkdirAll(folder, 0o755))
	for _, name := range []string{"limits", "stat"} {
		b, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), name))
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(folder, name), b, 0o644))
	}
	p := plan(t, root, pid, 1024)
	require.Len(t, p.Changes, 1)
	require.NoError(t, p.Apply())
	var now tuning.Limit
	var err error
	now.Soft, now.Hard, err = tuning.ProcessLimits(os.DirFS("/"), pid)
	require.NoError(t, err)
	require.Equal(t, tuning.Limit{Soft: 1728, Hard: limit.Max}, now)

	undo(t, root)
	now.Soft, now.Hard, err = tuning.ProcessLimits(os.DirFS("/"), pid)
	require.NoError(t, err)
	require.Equal(t, tuning.Limit{Soft: 1024, Hard: limit.Max}, now)

	// Another process by the same id is not touched.
	require.NoError(t, plan(t, root, pid, 1024).Apply())
	stat := filepath.Join(folder, "stat")
	require.NoError(t, os.WriteFile(stat, []byte("1 (other) S 1 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 7 0\n"), 0o644))
	all := undo(t, root)
	require.True(t, all[0].Gone)
	now.Soft, now.Hard, err = tuning.ProcessLimits(os.DirFS("/"), pid)
	require.NoError(t, err)
	require.EqualValues(t, 1728, now.Soft)
}

// What somebody else has written is not written over, nor what has been raised
// since it was read lowered.
func TestApplyFilesOfOthers(t *testing.T) {
	root := scratch(t, "bare-metal")
	require.NoError(t, os.MkdirAll(filepath.Join(root, filepath.Dir(tuning.DropIn)), 0o755))
	set(t, root, tuning.DropIn, "[Service]\nMemoryMax=1G\n")
	h, err := tuning.ReadTree(os.DirFS(root), 0)
	require.NoError(t, err)
	set(t, root, "proc/sys/fs/nr_open", "90000000\n")
	p, err := tuning.NewPlan(root, tuning.Judge(h, tuning.Ask{Connections: 20_000_000}))
	require.NoError(t, err)
	require.Contains(t, strings.Join(p.Left, "\n"), tuning.DropIn+": it is not of pushd tune; write into it:\n")
	require.NoError(t, p.Apply())
	require.Equal(t, "[Service]\nMemoryMax=1G\n", content(t, root, tuning.DropIn))
	require.Equal(t, "90000000\n", content(t, root, "proc/sys/fs/nr_open"))
}
