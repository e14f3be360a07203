package tuning_test

import (
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/pushd/pushd/tuning"
)

func TestHolds(t *testing.T) {
	const meminfo = "MemTotal:       24684000 kB\nMemFree:        20000000 kB\nMemAvailable:   23900000 kB\n"
	for name, tt := range map[string]struct {
		openFiles int
		proc      map[string]string
		want      tuning.Capacity
	}{
		"open files":        {20_000, map[string]string{"meminfo": meminfo, "sys/fs/file-nr": "670\t0\t2466170\n"}, tuning.Capacity{19_296, "RLIMIT_NOFILE is 20000"}},
		"few open files":    {1024, nil, tuning.Capacity{512, "RLIMIT_NOFILE is 1024"}},
		"the host's files":  {1 << 20, map[string]string{"meminfo": meminfo, "sys/fs/file-nr": "1000\t0\t101000\n"}, tuning.Capacity{100_000, "fs.file-max is 101000"}},
		"all files taken":   {1 << 20, map[string]string{"sys/fs/file-nr": "9\t0\t8\n"}, tuning.Capacity{0, "fs.file-max is 8"}},
		"unlimited files":   {1 << 20, map[string]string{"sys/fs/file-nr": "9216\t0\t9223372036854775807\n"}, tuning.Capacity{1<<20 - 704, "RLIMIT_NOFILE is 1048576"}},
		"memory":            {1 << 20, map[string]string{"meminfo": "MemAvailable:  450000 kB\n"}, tuning.Capacity{100_000, "the memory available (KiB) is 450000"}},
		"nothing to read":   {1 << 20, nil, tuning.Capacity{1<<20 - 704, "RLIMIT_NOFILE is 1048576"}},
		"nonsense to read":  {1 << 20, map[string]string{"meminfo": "MemAvailable: many kB\n", "sys/fs/file-nr": "a b c\n"}, tuning.Capacity{1<<20 - 704, "RLIMIT_NOFILE is 1048576"}},
		"half of a file-nr": {1 << 20, map[string]string{"sys/fs/file-nr": "1\n"}, tuning.Capacity{1<<20 - 704, "RLIMIT_NOFILE is 1048576"}},
	} {
		t.Run(name, func(t *testing.T) {
			proc := fstest.MapFS{}
			for file, text := range tt.proc {
				proc[file] = &fstest.MapFile{Data: []byte(text)}
			}
			require.Equal(t, tt.want, tuning.Holds(tt.openFiles, proc))
		})
	}
}

func TestRaiseOpenFiles(t *testing.T) {
	n, err := tuning.RaiseOpenFiles()
	require.NoError(t, err)
	var limit unix.Rlimit
	require.NoError(t, unix.Getrlimit(unix.RLIMIT_NOFILE, &limit))
	require.EqualValues(t, limit.Cur, n)
}
