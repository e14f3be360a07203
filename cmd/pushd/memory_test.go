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
		"no cgroups": {nil, 0},
		"version 1":  {map[string]string{"/proc/self/cgroup": "4:memory:/a\n"}, 0},
		"unlimited":  {map[string]string{"/proc/self/cgroup": "0::/a\n", "/sys/fs/cgroup/a/memory.max": "max\n"}, 0},
		"a service":  {map[string]string{"/proc/self/cgroup": "0::/system.slice/pushd.service\n", "/sys/fs/cgroup/system.slice/pushd.service/memory.max": "1073741824\n"}, 1 << 30},
		"a slice's":  {map[string]string{"/proc/self/cgroup": "0::/a.slice/b.service\n", "/sys/fs/cgroup/a.slice/b.service/memory.max": "max\n", "/sys/fs/cgroup/a.slice/memory.max": "536870912\n"}, 1 << 29},
		"a pod's, below the container's": {map[string]string{"/proc/self/cgroup": "0::/pod/c\n", "/sys/fs/cgroup/pod/c/memory.max": "1073741824\n",
			"/sys/fs/cgroup/pod/memory.max": "536870912\n", "/sys/fs/cgroup/memory.max": "2147483648\n"}, 1 << 29},
		"in a container":  {map[string]string{"/proc/self/cgroup": "0::/\n", "/sys/fs/cgroup/memory.max": "536870912\n"}, 1 << 29},
		"path not mapped": {map[string]string{"/proc/self/cgroup": "0::/../x\n", "/sys/fs/cgroup/x/memory.max": "1\n", "/sys/fs/cgroup/memory.max": "536870912\n"}, 1 << 29},
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
