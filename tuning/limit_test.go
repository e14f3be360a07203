package tuning_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/pushd/pushd/tuning"
)

func TestRaiseOpenFiles(t *testing.T) {
	n, err := tuning.RaiseOpenFiles()
	require.NoError(t, err)
	var limit unix.Rlimit
	require.NoError(t, unix.Getrlimit(unix.RLIMIT_NOFILE, &limit))
	require.EqualValues(t, limit.Cur, n)
	h, err := tuning.Read(0)
	require.NoError(t, err)
	require.Equal(t, tuning.Limit{Soft: uint64(limit.Cur), Hard: uint64(limit.Max)}, h.OpenFiles)
	require.NotEmpty(t, h.Sysctls)
}

func TestReadNoProcess(t *testing.T) {
	_, err := tuning.Read(1 << 30)
	require.Error(t, err)
}
