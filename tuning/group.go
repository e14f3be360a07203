package tuning

import (
	"io/fs"
	"path"
	"strconv"
	"strings"
)

// groupPaths returns the control groups of a process by controller, "" for
// version 2 (cgroups(7), /proc/PID/cgroup).
func groupPaths(root fs.FS, pid int) map[string]string {
	paths := map[string]string{}
	b, _ := fs.ReadFile(root, path.Join("proc", process(pid), "cgroup"))
	for line := range strings.Lines(string(b)) {
		if f := strings.SplitN(strings.TrimSpace(line), ":", 3); len(f) == 3 {
			for controller := range strings.SplitSeq(f[1], ",") {
				paths[controller] = f[2]
			}
		}
	}
	return paths
}

// readGroup reads the limits of a control group. The hierarchy of version 2 is
// mounted at /sys/fs/cgroup, or beside those of version 1 at unified below it.
func readGroup(root fs.FS, paths map[string]string) (g Group) {
	const mount = "sys/fs/cgroup"
	memory, pids := paths["memory"], paths["pids"]
	if memory != "" { // version 1 has the controller, so version 2 has it not
		g.Version = 1
		for folder := range above(mount+"/memory", memory) {
			const unlimited = 1 << 62 // version 1 writes the largest number that is whole pages
			if limit := number(root, folder+"/memory.limit_in_bytes"); limit > 0 && limit < unlimited {
				g.bindMemory(limit, number(root, folder+"/memory.usage_in_bytes"), stat(root, folder, "total_inactive_file"))
			}
		}
		for folder := range above(mount+"/pids", pids) {
			g.bindPids(number(root, folder+"/pids.max"))
		}
		return g
	}
	if own, ok := paths[""]; ok {
		g.Version = 2
		for folder := range above(mount, own) {
			if limit := number(root, folder+"/memory.max"); limit > 0 {
				g.bindMemory(limit, number(root, folder+"/memory.current"), stat(root, folder, "inactive_file"))
			}
			g.bindPids(number(root, folder+"/pids.max"))
		}
	}
	return g
}

// visible returns a group's path below the root of what can be seen. In a container
// that root is often the group itself, and the group's path may lead nowhere, or
// with .. out of what can be seen.
func visible(group string) string {
	if strings.HasPrefix(group, "/..") {
		return "/"
	}
	return path.Clean("/" + group)
}

// above yields a group's folder and those above it up to the root of what can be
// seen.
func above(mount, group string) func(func(string) bool) {
	return func(yield func(string) bool) {
		for group := visible(group); yield(path.Join(mount, group)) && group != "/"; group = path.Dir(group) {
		}
	}
}

// bindMemory keeps the limit that leaves least.
func (g *Group) bindMemory(limit, used, reclaimable uint64) {
	used -= min(reclaimable, used)
	if g.MemoryMax == 0 || left(limit, used) < left(g.MemoryMax, g.MemoryUsed) {
		g.MemoryMax, g.MemoryUsed = limit, used
	}
}

func (g *Group) bindPids(limit uint64) {
	if limit > 0 && (g.PidsMax == 0 || limit < g.PidsMax) {
		g.PidsMax = limit
	}
}

// left is what a limit leaves, never less than nothing.
func left(limit, used uint64) uint64 { return limit - min(used, limit) }

// number reads a file of one number, or 0: "max" is none.
func number(root fs.FS, name string) uint64 {
	b, _ := fs.ReadFile(root, name)
	n, _ := strconv.ParseUint(strings.TrimSpace(string(b)), 10, 64)
	return n
}

// stat reads a line of memory.stat, or 0.
func stat(root fs.FS, folder, key string) uint64 {
	b, _ := fs.ReadFile(root, folder+"/memory.stat")
	for line := range strings.Lines(string(b)) {
		if name, value, _ := strings.Cut(strings.TrimSpace(line), " "); name == key {
			n, _ := strconv.ParseUint(value, 10, 64)
			return n
		}
	}
	return 0
}
