package observe_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/pushd/pushd/loadgen/observe"
)

func TestProcessOfThisProcess(t *testing.T) {
	before, err := observe.Process(os.Getpid())
	require.NoError(t, err)
	require.Equal(t, os.Getpid(), before.PID)
	name := filepath.Base(os.Args[0])
	require.Equal(t, name[:min(len(name), 15)], before.Name)
	require.Greater(t, before.Threads, 1)
	var limit unix.Rlimit
	require.NoError(t, unix.Getrlimit(unix.RLIMIT_NOFILE, &limit))
	require.Equal(t, limit.Cur, before.SoftFiles)
	require.Equal(t, limit.Max, before.HardFiles)

	const more, size = 10, 64 << 20
	for range more {
		f, err := os.Open(os.DevNull)
		require.NoError(t, err)
		defer f.Close()
	}
	memory, err := unix.Mmap(-1, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON|unix.MAP_POPULATE)
	require.NoError(t, err)
	defer unix.Munmap(memory)
	cpu := observe.Self().CPU
	for observe.Self().CPU < cpu+0.1 {
	}
	after, err := observe.Process(os.Getpid())
	require.NoError(t, err)
	require.Equal(t, *before.OpenFiles+more, *after.OpenFiles)
	require.InDelta(t, size, float64(after.RSS)-float64(before.RSS), size/4)
	require.GreaterOrEqual(t, after.CPU-before.CPU, 0.08, "in steps of 10 ms")

	self := observe.Self()
	require.InDelta(t, self.CPU, after.CPU, 0.05)
	require.InDelta(t, after.RSS, *self.RSS, size/4)
}

func TestProcessOfAChild(t *testing.T) {
	c := start(t, "127.0.0.1:0")
	s, err := observe.Process(c.pid())
	require.NoError(t, err)
	require.EqualValues(t, softFiles, s.SoftFiles)
	require.EqualValues(t, hardFiles, s.HardFiles)
	require.GreaterOrEqual(t, *s.OpenFiles, 4, "three and a listener")
	require.GreaterOrEqual(t, s.CPU, 0.08)
	require.Positive(t, s.RSS)

	require.NoError(t, c.Process.Kill())
	require.NoError(t, unix.Waitid(unix.P_PID, c.pid(), nil, unix.WEXITED|unix.WNOWAIT, nil))
	_, err = observe.Process(c.pid())
	require.ErrorIs(t, err, observe.ErrGone, "a zombie")
	c.stop()
	_, err = observe.Process(c.pid())
	require.ErrorIs(t, err, observe.ErrGone)
	require.ErrorContains(t, err, "pid ")
}
