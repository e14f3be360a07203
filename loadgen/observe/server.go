package observe

// ServerSample is what the server costs at one moment.
type ServerSample struct {
	Processes []ProcessSample // by pid; none where they cannot be seen

	// By /proc where Processes can be seen, else by the server's metrics.
	RSS       *uint64  // memory in RAM, bytes, all processes together
	CPU       *float64 // seconds, all processes together; in a Watch also those that a restart ended
	OpenFiles *uint64  // descriptors of the process that is nearest to its limit
	MaxFiles  *uint64  // its soft RLIMIT_NOFILE, math.MaxUint64 if unlimited

	Connections *float64           // pushd_connections
	Gauges      map[string]float64 // that AdminConfig.Gauges names and the server has
}

// add puts into s what the processes cost, in place of what its metrics say.
func (s *ServerSample) add(processes []ProcessSample) {
	s.Processes = processes
	s.RSS = new(uint64)
	var nearest float64
	for _, p := range processes {
		*s.RSS += p.RSS
		if p.OpenFiles == nil {
			continue
		}
		if used := float64(*p.OpenFiles) / float64(max(p.SoftFiles, 1)); used >= nearest {
			nearest = used
			s.OpenFiles, s.MaxFiles = new(uint64(*p.OpenFiles)), new(p.SoftFiles)
		}
	}
}

// meter adds up counts of which each may begin again.
type meter struct {
	last  map[int]float64
	total float64
}

func (m *meter) add(key int, now float64) {
	if m.last == nil {
		m.last = make(map[int]float64)
	}
	if before := m.last[key]; before <= now {
		m.total += now - before
	} else {
		m.total += now
	}
	m.last[key] = now
}
