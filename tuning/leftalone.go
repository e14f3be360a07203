package tuning

// Left is a setting that is often changed and is left alone here.
type Left struct {
	Setting string `json:"setting"`
	Why     string `json:"why"`
	Source  string `json:"source"`
}

// LeftAlone lists what guides on many connections like to change and what does
// nothing for how many idle ones a server holds, by its own documentation.
func LeftAlone(system string) []Left {
	if system != "linux" {
		return []Left{}
	}
	const ip, vm, net = "kernel ip-sysctl.rst", "kernel sysctl/vm.rst", "kernel sysctl/net.rst"
	return []Left{
		{"net.ipv4.tcp_tw_reuse", "lets new outgoing connections take ports in TIME-WAIT: a server opens none", ip},
		{"net.ipv4.tcp_fin_timeout", "how long a connection that is closed already stays in FIN-WAIT-2", ip},
		{"net.ipv4.tcp_max_tw_buckets", "bounds closed connections in TIME-WAIT; not to be lowered", ip},
		{"net.ipv4.tcp_max_orphans", "bounds sockets that no process has any more", ip},
		{"net.ipv4.tcp_keepalive_time", "for sockets with SO_KEEPALIVE: pushd pings by itself (--ping-interval)", "tcp(7)"},
		{"net.core.rmem_max, wmem_max", "bound what setsockopt may ask for: pushd sets no buffer sizes", net + "; socket(7)"},
		{"net.core.netdev_max_backlog", "packets that wait for the processor: idle connections send none", net},
		{"vm.swappiness", "what is given up first when memory is short: it makes no more of it", vm},
		{"vm.max_map_count", "memory maps of a process: a connection has none", vm},
		{"kernel.threads-max, pid_max", "threads do not grow with connections", "proc_sys_kernel(5)"},
	}
}
