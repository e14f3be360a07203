package tuning

// Host is what was read of a host. What could not be read is the zero value, and
// is not judged.
type Host struct {
	System string `json:"system"` // as GOOS
	Place  Place  `json:"place"`

	PID       int    `json:"pid,omitempty"`  // the process that was asked about, 0 for this one
	OpenFiles Limit  `json:"open_files"`     // of that process
	Own       Limit  `json:"own_open_files"` // of this one
	Held      uint64 `json:"held,omitempty"` // descriptors that the process that was asked about has open

	// Sysctls are values by name, as in sysctl(8), fields parted by one space.
	Sysctls map[string]string `json:"sysctls"`

	Memory     uint64 `json:"memory,omitempty"` // bytes that can be had without swapping (MemAvailable)
	PageSize   uint64 `json:"page_size"`        // bytes
	Processors int    `json:"processors,omitempty"`
	TCPPages   uint64 `json:"tcp_pages,omitempty"` // of memory that TCP sockets' buffers take now
	Group      Group  `json:"group"`
	HugePages  string `json:"huge_pages,omitempty"` // always, madvise or never

	Stated []Stated `json:"stated,omitempty"` // what files say of the limit of open files
}

// Place is where the process runs, as far as there are signs of it.
type Place struct {
	Container string `json:"container,omitempty"` // docker, podman, kubernetes, another's name; or none
	Systemd   bool   `json:"systemd"`             // systemd is the host's init (sd_booted(3))
	Unit      string `json:"unit,omitempty"`      // the service that the process is part of
}

// Group is the limits of the control group that the process is in: of it and
// those above, the ones that bind. A maximum of 0 is none.
type Group struct {
	Version    int    `json:"version,omitempty"` // of cgroups: 1 or 2
	MemoryMax  uint64 `json:"memory_max,omitempty"`
	MemoryUsed uint64 `json:"memory_used,omitempty"` // of that, without what the kernel gives up first (inactive_file)
	PidsMax    uint64 `json:"pids_max,omitempty"`
}

// Stated is what a file says of the limit of open files.
type Stated struct {
	File  string `json:"file"`
	Who   string `json:"who"` // a domain of limits.conf(5), a unit, or DefaultLimitNOFILE
	Limit Limit  `json:"limit"`
}
