package tuning

import (
	"io/fs"
	"path"
	"strings"
)

// readPlace looks for what container runtimes and systemd leave to be found.
func readPlace(root fs.FS, groups map[string]string) (p Place) {
	exists := func(name string) bool { _, err := fs.Stat(root, name); return err == nil }
	if exists("run/systemd/system") {
		p.Systemd = true
	}
	named, _ := fs.ReadFile(root, "run/systemd/container") // systemd's and podman's contract for containers
	for _, controller := range []string{"name=systemd", ""} {
		if group := groups[controller]; strings.HasSuffix(group, ".service") {
			p.Unit = path.Base(group)
		}
	}
	for _, group := range groups {
		if strings.Contains(group, "kubepods") {
			p.Container = "kubernetes"
		}
	}
	switch {
	case p.Container != "":
	case exists("var/run/secrets/kubernetes.io/serviceaccount") || exists("run/secrets/kubernetes.io/serviceaccount"):
		p.Container = "kubernetes"
	case exists("run/.containerenv"):
		p.Container = "podman"
	case exists(".dockerenv"):
		p.Container = "docker"
	default:
		p.Container = strings.TrimSpace(string(named))
	}
	return p
}
