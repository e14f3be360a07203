package netpoll_test

import (
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/pushd/pushd/netpoll"
)

// socketPath is short: sun_path has room for 104 bytes on macOS, which t.TempDir may exceed.
func socketPath(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "netpoll")
	require.NoError(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	return filepath.Join(dir, "sock")
}

func TestSocketFile(t *testing.T) {
	path := socketPath(t)
	l := listen(t, netpoll.ListenConfig{}, "unix", path)
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, fs.ModeSocket|0o600, info.Mode())
	require.Equal(t, path, l.Addr().String())
	require.NoError(t, l.Close())
	require.NoFileExists(t, path)
}

func TestSocketFileLeftBehindIsReplaced(t *testing.T) {
	path := socketPath(t)
	dead, err := net.ListenUnix("unix", &net.UnixAddr{Net: "unix", Name: path})
	require.NoError(t, err)
	dead.SetUnlinkOnClose(false)
	require.NoError(t, dead.Close())

	l := listen(t, netpoll.ListenConfig{}, "unix", path)
	dial(t, "unix", path)
	accept(t, l)
}

func TestSocketFileInUseStays(t *testing.T) {
	for _, c := range []struct {
		label, want string
		occupy      func(t *testing.T, path string)
	}{
		{"somebody listens", "somebody answers", func(t *testing.T, path string) {
			listen(t, netpoll.ListenConfig{}, "unix", path)
		}},
		{"a regular file", "a regular file stands there", func(t *testing.T, path string) {
			require.NoError(t, os.WriteFile(path, []byte("precious"), 0o600))
		}},
		{"a directory", "a directory stands there", func(t *testing.T, path string) {
			require.NoError(t, os.Mkdir(path, 0o700))
		}},
		{"a link to a socket", "a special file stands there", func(t *testing.T, path string) {
			require.NoError(t, os.Symlink(path+".elsewhere", path))
		}},
	} {
		t.Run(c.label, func(t *testing.T) {
			path := socketPath(t)
			c.occupy(t, path)
			before, err := os.Lstat(path)
			require.NoError(t, err)
			_, err = netpoll.ListenConfig{}.Listen("unix", path)
			require.ErrorIs(t, err, unix.EADDRINUSE)
			require.ErrorContains(t, err, c.want)
			require.ErrorContains(t, err, path)
			after, err := os.Lstat(path)
			require.NoError(t, err)
			require.True(t, os.SameFile(before, after))
		})
	}
}

func TestSocketFileMayBeGoneAtClose(t *testing.T) {
	path := socketPath(t)
	l := listen(t, netpoll.ListenConfig{}, "unix", path)
	require.NoError(t, os.Remove(path))
	require.NoError(t, l.Close())
}
