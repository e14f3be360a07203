package main_test

import (
	"io/fs"
	"testing"

	"github.com/stretchr/testify/assert"

	main "github.com/pushd/pushd/cmd/pushd"
)

func TestCgroupLimit(t *testing.T) {
	for name, tt := range map[string]struct {
		files map[string]string
		want  int64
	}{
		"no cgroups":      {nil, 0},
		"version 1":       {map[string]string{"/proc/self/cgroup": "4:memory:/a\n"}, 0},
		"unlimited":       {map[string]string{"/proc/self/cgroup": "0::/a\n", "/sys/fs/cgroup/a/memory.max": "max\n"}, 0},
		"a service":       {map[string]string{"/proc/self/cgroup": "0::/system.slice/pushd.service\n", "/sys/fs/cgroup/system.slice/pushd.service/memory.max": "1073741824\n"}, 1 << 30},
		"in a container":  {map[string]string{"/proc/self/cgroup": "0::/\n", "/sys/fs/cgroup/memory.max": "536870912\n"}, 1 << 29},
		"path not mapped": {map[string]string{"/proc/self/cgroup": "0::/../x\n", "/sys/fs/cgroup/memory.max": "536870912\n"}, 1 << 29},
	} {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, tt.want, main.CgroupLimit(func(path string) ([]byte, error) {
				if s, ok := tt.files[path]; ok {
					return []byte(s), nil
				}
				return nil, fs.ErrNotExist
			}))
		})
	}
}
