package tuning

import (
	"fmt"
	"slices"
	"strings"
)

// Ways are the lines that set a setting, by where the server runs; "" where a
// place has none of its own.
type Ways struct {
	Shell      string `json:"shell,omitempty"`
	Systemd    string `json:"systemd,omitempty"`
	Docker     string `json:"docker,omitempty"`
	Kubernetes string `json:"kubernetes,omitempty"`
}

// namespaced are the sysctls that a network namespace has of its own, so that a
// container can be given them; safe those that Kubernetes allows unasked.
var (
	namespaced = []string{"net.core.somaxconn", "net.ipv4.tcp_max_syn_backlog", "net.ipv4.ip_local_port_range", "net.ipv4.tcp_rmem", "net.ipv4.tcp_wmem"}
	safe       = []string{"net.ipv4.ip_local_port_range"}
)

// HowTo says how a setting, by the names of [Finding], is set to a value.
func HowTo(setting, value string) Ways {
	switch setting {
	case OpenFiles:
		return Ways{
			Shell:      "ulimit -n " + value + "   (a process that runs: prlimit --pid PID --nofile=" + value + ")",
			Systemd:    "LimitNOFILE=" + value,
			Docker:     "--ulimit nofile=" + value + ":" + value,
			Kubernetes: "no field: a pod has what its runtime gives; LimitNOFILE=" + value + " in the unit of containerd or CRI-O, on the node",
		}
	case Memory:
		return Ways{Shell: "a host with " + show(setting, value) + " to spare"}
	case GroupMemory:
		return Ways{
			Shell: "echo " + value + " > memory.max", Systemd: "MemoryMax=" + value,
			Docker: "--memory " + value, Kubernetes: `resources: {limits: {memory: "` + value + `"}}`,
		}
	case GroupPids:
		return Ways{Shell: "echo " + value + " > pids.max", Systemd: "TasksMax=" + value, Docker: "--pids-limit " + value, Kubernetes: "podPidsLimit of the kubelet, on the node"}
	}
	shell := "sysctl -w " + quoted(setting, value)
	w := Ways{Shell: shell, Systemd: shell, Docker: "on the host: " + shell, Kubernetes: "on the node: " + shell}
	if slices.Contains(namespaced, setting) {
		w.Docker = "--sysctl " + quoted(setting, value)
		w.Kubernetes = fmt.Sprintf(`securityContext: {sysctls: [{name: %s, value: "%s"}]}`, setting, value)
		if !slices.Contains(safe, setting) {
			w.Kubernetes += "   (unsafe: kubelet --allowed-unsafe-sysctls " + setting + ")"
		}
	}
	return w
}

func quoted(setting, value string) string {
	if strings.Contains(value, " ") {
		return fmt.Sprintf("%s=%q", setting, value)
	}
	return setting + "=" + value
}

// here is the way that is right for a host.
func here(h Host, f Finding) string {
	w := HowTo(f.Setting, f.Needed)
	way := w.Shell
	switch {
	case h.Place.Container == "kubernetes":
		way = w.Kubernetes
	case h.Place.Container != "":
		way = w.Docker
	case h.Place.Unit != "" && f.Setting == OpenFiles:
		way = w.Systemd + "   (in " + h.Place.Unit + ", then restart it)"
	case h.Place.Unit != "":
		way = w.Systemd
	}
	if way == "" {
		way = w.Shell
	}
	return way
}
