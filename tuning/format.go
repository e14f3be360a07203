package tuning

import (
	"fmt"
	"slices"
	"strings"
)

// written begins every file of ours.
const written = "# Written by pushd tune for %s connections.\n"

// lines calls add for each finding that needs a value, and note for those that
// have it already.
func (v Verdict) lines(add, note func(Finding)) {
	for _, f := range v.Findings {
		switch {
		case f.Short:
			add(f)
		case f.Needed != "":
			note(f)
		}
	}
}

// isSysctl tells sysctls from what has another kind of name.
func isSysctl(setting string) bool {
	return strings.Contains(setting, ".") && !strings.Contains(setting, " ")
}

// Sysctl writes a file for sysctl.d(5), or sysctl.conf(5) elsewhere.
func (v Verdict) Sysctl() string {
	var b strings.Builder
	fmt.Fprintf(&b, written, v.Connections)
	v.lines(func(f Finding) {
		if isSysctl(f.Setting) {
			fmt.Fprintf(&b, "%s = %s\n", f.Setting, f.Needed)
		}
	}, func(f Finding) {
		if isSysctl(f.Setting) {
			fmt.Fprintf(&b, "# %s is %s already, and %s is enough\n", f.Setting, f.Now, f.Needed)
		}
	})
	return b.String()
}

// files is the limit of open files that is needed.
func (v Verdict) files() string { return limitText(forConnections(uint64(v.Connections))) }

// Systemd writes a drop-in for the unit (systemd.exec(5)).
func (v Verdict) Systemd() string {
	return fmt.Sprintf(written, v.Connections) + "# " + dropIn + "; then: systemctl daemon-reload\n[Service]\nLimitNOFILE=" + v.files() + "\n"
}

// Limits writes lines for limits.conf(5). * does not stand for root there.
func (v Verdict) Limits() string {
	return fmt.Sprintf(written, v.Connections) + "# For logins (PAM); systemd's services do not read it.\n" + limitsLines(v.files())
}

func limitsLines(n string) string { return "* - nofile " + n + "\nroot - nofile " + n + "\n" }

// Docker writes flags of docker run, and what its host must set. A container's
// network namespace begins with the kernel's defaults and not the host's values,
// so its sysctls are given even where this host has them.
func (v Verdict) Docker() string {
	flags := []string{HowTo(OpenFiles, v.files()).Docker}
	var host []string
	v.lines(func(f Finding) {
		if way := HowTo(f.Setting, f.Needed); slices.Contains(namespaced, f.Setting) {
			flags = append(flags, way.Docker)
		} else if isSysctl(f.Setting) {
			host = append(host, way.Shell)
		}
	}, func(f Finding) {
		if slices.Contains(namespaced, f.Setting) {
			flags = append(flags, HowTo(f.Setting, f.Needed).Docker)
		}
	})
	var b strings.Builder
	fmt.Fprintf(&b, written+"# Flags of docker run. With --network host leave out those of --sysctl: it refuses them.\n", v.Connections)
	b.WriteString(strings.Join(flags, " \\\n") + "\n")
	writeHost(&b, "host", host)
	return b.String()
}

// Kubernetes writes what a pod may ask for, and what is the node's.
func (v Verdict) Kubernetes() string {
	var pod, unsafe, node []string
	ours := func(f Finding) {
		if !slices.Contains(namespaced, f.Setting) {
			return
		}
		pod = append(pod, fmt.Sprintf("    - {name: %s, value: %q}\n", f.Setting, f.Needed))
		if !slices.Contains(safe, f.Setting) {
			unsafe = append(unsafe, f.Setting)
		}
	}
	v.lines(func(f Finding) {
		if ours(f); isSysctl(f.Setting) && !slices.Contains(namespaced, f.Setting) {
			node = append(node, HowTo(f.Setting, f.Needed).Shell)
		}
	}, ours)
	var b strings.Builder
	fmt.Fprintf(&b, written, v.Connections)
	if len(pod) > 0 {
		b.WriteString("# In the pod's spec:\nsecurityContext:\n  sysctls:\n" + strings.Join(pod, ""))
	}
	if len(unsafe) > 0 {
		b.WriteString("# Kubernetes calls these unsafe, and a node refuses the pod unless its kubelet is told:\n#   --allowed-unsafe-sysctls=" + strings.Join(unsafe, ",") + "\n")
	}
	fmt.Fprintf(&b, "# Open files: there is no field. A pod has what the node's runtime has; in a drop-in for containerd.service or crio.service:\n#   [Service]\n#   LimitNOFILE=%s\n# and see in the pod: grep 'open files' /proc/1/limits\n", v.files())
	writeHost(&b, "node", node)
	return b.String()
}

func writeHost(b *strings.Builder, where string, lines []string) {
	if len(lines) == 0 {
		return
	}
	fmt.Fprintf(b, "# On the %s, for no container can set them:\n", where)
	for _, line := range lines {
		b.WriteString("#   " + line + "\n")
	}
}
