package tuning_test

import (
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/pushd/pushd/tuning"
)

// inNamespace runs a test again in a network namespace of its own, whose sysctls
// are nobody else's, and reports whether this is that run. Only root may.
func inNamespace(t *testing.T) bool {
	const mark = "PUSHD_TUNING_NAMESPACE"
	if os.Getenv(mark) == t.Name() {
		return true
	}
	if os.Geteuid() != 0 {
		t.Skip("only root may make a network namespace")
	}
	self, err := os.Executable()
	require.NoError(t, err)
	again := exec.Command(self, "-test.run", "^"+t.Name()+"$", "-test.v")
	again.Env = append(os.Environ(), mark+"="+t.Name())
	again.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
	out, err := again.CombinedOutput()
	if again.Process == nil { // it never ran
		t.Skipf("a network namespace is refused here: %v", err)
	}
	require.NoError(t, err, string(out))
	require.Contains(t, string(out), "--- PASS: "+t.Name())
	return false
}

// A tree whose /proc is the real one, so that sysctls are written for real and
// the files are in scratch.
func realProc(t *testing.T) string {
	root := t.TempDir()
	require.NoError(t, os.Symlink("/proc", filepath.Join(root, "proc")))
	require.NoError(t, os.Mkdir(filepath.Join(root, "etc"), 0o755))
	require.NoError(t, os.MkdirAll(filepath.Join(root, "run/systemd/system"), 0o755))
	return root
}

// The real kernel takes what apply writes, and undo gives it back.
func TestApplyForReal(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	const somaxconn = "/proc/sys/net/core/somaxconn"
	was := content(t, "/", somaxconn)
	set(t, "/", somaxconn, "128")
	t.Cleanup(func() { set(t, "/", somaxconn, was) })
	root := realProc(t)
	h, err := tuning.ReadTree(os.DirFS(root), 0)
	require.NoError(t, err)
	v := tuning.Judge(h, tuning.Ask{Connections: 1})
	require.True(t, finding(t, v, "net.core.somaxconn").Short)
	p, err := tuning.NewPlan(root, v)
	require.NoError(t, err)
	for _, c := range p.Changes {
		require.Contains(t, []string{tuning.SysctlFile, somaxconn}, c.Path, "nothing but the namespace's is touched")
	}
	require.NoError(t, p.Apply())
	require.Equal(t, "4096\n", content(t, "/", somaxconn))
	require.Contains(t, content(t, root, tuning.SysctlFile), "net.core.somaxconn = 4096\n")
	undo(t, root)
	require.Equal(t, "128\n", content(t, "/", somaxconn))
	require.NoFileExists(t, filepath.Join(root, tuning.SysctlFile))
}

// What is assumed of tcp_mem: an idle socket takes no page of it, and one with
// a small message unread takes one. Asked of the socket itself, for the host's
// count is everybody's.
func TestPagesOfTCP(t *testing.T) {
	const message = 128
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	reader, err := net.Dial("tcp", l.Addr().String())
	require.NoError(t, err)
	defer reader.Close()
	writer, err := l.Accept()
	require.NoError(t, err)
	defer writer.Close()
	require.Zero(t, charged(t, reader))
	require.Zero(t, charged(t, writer))
	_, err = writer.Write(make([]byte, message))
	require.NoError(t, err)
	require.Eventually(t, func() bool { return charged(t, reader) == os.Getpagesize() }, 10*time.Second, time.Millisecond)
	_, err = io.ReadFull(reader, make([]byte, message))
	require.NoError(t, err)
	require.Eventually(t, func() bool { return charged(t, writer) == 0 }, 10*time.Second, time.Millisecond, "what was acknowledged is given back")
}

// charged is what a socket takes of tcp_mem in bytes: what is received and
// unread, what is written and unacknowledged, and what is left of pages begun
// (SO_MEMINFO, linux/sock_diag.h).
func charged(t *testing.T, c net.Conn) int {
	raw, err := c.(*net.TCPConn).SyscallConn()
	require.NoError(t, err)
	var info [9]uint32 // rmem_alloc, rcvbuf, wmem_alloc, sndbuf, fwd_alloc, wmem_queued, optmem, backlog, drops
	size := uint32(unsafe.Sizeof(info))
	var errno syscall.Errno
	require.NoError(t, raw.Control(func(fd uintptr) {
		_, _, errno = unix.Syscall6(unix.SYS_GETSOCKOPT, fd, unix.SOL_SOCKET, unix.SO_MEMINFO,
			uintptr(unsafe.Pointer(&info)), uintptr(unsafe.Pointer(&size)), 0)
	}))
	require.Zero(t, errno)
	return int(info[0] + info[4] + info[5])
}
