package tuning

import (
	"io/fs"
	"path"
	"slices"
	"strings"
)

// service is the unit that is looked for where the process is part of none.
const service = "pushd.service"

// readStated reads what files say of the limit of open files: limits.conf(5)
// for logins, systemd-system.conf(5) and the unit for services. Within each kind
// the last of an answer wins, as it does for those who read them.
func readStated(root fs.FS, unit string) (all []Stated) {
	for _, file := range append(glob(root, "etc/security/limits.conf"), glob(root, "etc/security/limits.d/*.conf")...) {
		all = append(all, statedLogins(root, file)...)
	}
	all = append(all, statedUnit(root, "DefaultLimitNOFILE", "system.conf", "system.conf.d", "etc/systemd", "run/systemd", "usr/lib/systemd")...)
	if unit == "" {
		unit = service
	}
	return append(all, statedUnit(root, "LimitNOFILE", unit, unit+".d", "etc/systemd/system", "run/systemd/system", "usr/lib/systemd/system", "lib/systemd/system")...)
}

// statedLogins reads the lines of limits.conf(5) about nofile:
// DOMAIN soft|hard|- nofile N.
func statedLogins(root fs.FS, file string) (all []Stated) {
	b, _ := fs.ReadFile(root, file)
	for line := range strings.Lines(string(b)) {
		line, _, _ = strings.Cut(line, "#")
		f := strings.Fields(line)
		if len(f) != 4 || f[2] != "nofile" {
			continue
		}
		n, ok := parseLimit(f[3])
		if !ok {
			continue
		}
		i := slices.IndexFunc(all, func(s Stated) bool { return s.Who == f[0] })
		if i < 0 {
			i, all = len(all), append(all, Stated{File: "/" + file, Who: f[0]})
		}
		if f[1] != "hard" {
			all[i].Limit.Soft = n
		}
		if f[1] != "soft" {
			all[i].Limit.Hard = n
		}
	}
	return all
}

// statedUnit reads a setting of a unit or of system.conf: from the file that is
// found first in the folders, and then from the drop-ins in the order of their
// names, of which one in an earlier folder hides those of its name (systemd.unit(5)).
func statedUnit(root fs.FS, key, name, dropins string, folders ...string) (all []Stated) {
	var files []string
	for _, folder := range folders {
		if found := glob(root, path.Join(folder, name)); len(found) > 0 {
			files = found
			break
		}
	}
	seen := map[string]string{}
	for _, folder := range folders {
		for _, file := range glob(root, path.Join(folder, dropins, "*.conf")) {
			if _, hidden := seen[path.Base(file)]; !hidden {
				seen[path.Base(file)] = file
			}
		}
	}
	var names []string
	for base := range seen {
		names = append(names, base)
	}
	slices.Sort(names)
	for _, base := range names {
		files = append(files, seen[base])
	}
	for _, file := range files {
		b, _ := fs.ReadFile(root, file)
		for line := range strings.Lines(string(b)) {
			if k, value, _ := strings.Cut(line, "="); strings.TrimSpace(k) == key {
				if limit, ok := parsePair(strings.TrimSpace(value)); ok {
					who := name
					if key != "LimitNOFILE" {
						who = key
					}
					all = append(all, Stated{"/" + file, who, limit})
				}
			}
		}
	}
	return all
}

// parsePair reads a limit as systemd.exec(5) has it: N, or soft:hard.
func parsePair(s string) (Limit, bool) {
	soft, hard, both := strings.Cut(s, ":")
	if !both {
		hard = soft
	}
	a, ok1 := parseLimit(soft)
	b, ok2 := parseLimit(hard)
	return Limit{a, b}, ok1 && ok2
}

// glob returns the files that a pattern matches, in order.
func glob(root fs.FS, pattern string) []string {
	files, _ := fs.Glob(root, pattern) // the patterns are ours, and good
	return files
}
