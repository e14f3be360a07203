package tuning_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/pushd/pushd/tuning"
)

func TestFormats(t *testing.T) {
	v := tuning.Judge(recorded(t, "cgroup-v1", 0), tuning.Ask{Connections: 1_000_000})
	require.Equal(t, `# Written by pushd tune for 1,000,000 connections.
net.netfilter.nf_conntrack_max = 1000311
fs.file-max = 1002208
# fs.nr_open is 1048576 already, and 1000704 is enough
# net.ipv4.tcp_mem is 769206 1025609 1538412 already, and 769206 1025609 1538412 is enough
# fs.epoll.max_user_watches is 14560256 already, and 1000000 is enough
net.core.somaxconn = 4096
net.ipv4.tcp_max_syn_backlog = 4096
`, v.Sysctl())
	require.Equal(t, `# Written by pushd tune for 1,000,000 connections.
# /etc/systemd/system/pushd.service.d/limits.conf; then: systemctl daemon-reload
[Service]
LimitNOFILE=1000704
`, v.Systemd())
	require.Equal(t, `# Written by pushd tune for 1,000,000 connections.
# For logins (PAM); systemd's services do not read it.
* - nofile 1000704
root - nofile 1000704
`, v.Limits())
	require.Equal(t, `# Written by pushd tune for 1,000,000 connections.
# Flags of docker run. With --network host leave out those of --sysctl: it refuses them.
--ulimit nofile=1000704:1000704 \
--sysctl net.core.somaxconn=4096 \
--sysctl net.ipv4.tcp_max_syn_backlog=4096
# On the host, for no container can set them:
#   sysctl -w net.netfilter.nf_conntrack_max=1000311
#   sysctl -w fs.file-max=1002208
`, v.Docker())

	var pod struct {
		SecurityContext struct {
			Sysctls []struct{ Name, Value string }
		} `yaml:"securityContext"`
	}
	require.NoError(t, yaml.Unmarshal([]byte(v.Kubernetes()), &pod), "all but the pod's part is comment")
	require.Len(t, pod.SecurityContext.Sysctls, 2)
	require.Equal(t, "net.core.somaxconn", pod.SecurityContext.Sysctls[0].Name)
	require.Equal(t, "4096", pod.SecurityContext.Sysctls[0].Value)
	require.Contains(t, v.Kubernetes(), "--allowed-unsafe-sysctls=net.core.somaxconn,net.ipv4.tcp_max_syn_backlog\n")
	require.Contains(t, v.Kubernetes(), "#   LimitNOFILE=1000704\n")
	require.Contains(t, v.Kubernetes(), "#   sysctl -w fs.file-max=1002208\n")
}

func TestHowTo(t *testing.T) {
	require.Equal(t, tuning.Ways{
		Shell:      "ulimit -n 20704   (a process that runs: prlimit --pid PID --nofile=20704)",
		Systemd:    "LimitNOFILE=20704",
		Docker:     "--ulimit nofile=20704:20704",
		Kubernetes: "no field: a pod has what its runtime gives; LimitNOFILE=20704 in the unit of containerd or CRI-O, on the node",
	}, tuning.HowTo(tuning.OpenFiles, "20704"))
	w := tuning.HowTo("net.ipv4.tcp_mem", "1 2 3")
	require.Equal(t, `sysctl -w net.ipv4.tcp_mem="1 2 3"`, w.Shell)
	require.Equal(t, `on the host: sysctl -w net.ipv4.tcp_mem="1 2 3"`, w.Docker, "it is not a network namespace's")
	require.Equal(t, `securityContext: {sysctls: [{name: net.ipv4.ip_local_port_range, value: "1024 65535"}]}`, tuning.HowTo("net.ipv4.ip_local_port_range", "1024 65535").Kubernetes)
}

// How is what is right for the place.
func TestHow(t *testing.T) {
	for _, c := range []struct {
		tree string
		pid  int
		want string
	}{
		{"bare-metal", 0, tuning.HowTo(tuning.OpenFiles, "2000704").Shell},
		{"systemd", 812, "LimitNOFILE=2000704   (in pushd.service, then restart it)"},
		{"docker", 0, "--ulimit nofile=2000704:2000704"},
		{"kubernetes", 0, tuning.HowTo(tuning.OpenFiles, "2000704").Kubernetes},
	} {
		v := tuning.Judge(recorded(t, c.tree, c.pid), tuning.Ask{Connections: 2_000_000})
		require.Equal(t, c.want, finding(t, v, tuning.OpenFiles).How, c.tree)
	}
}
