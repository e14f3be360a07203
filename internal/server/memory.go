package server

import (
	"sync/atomic"

	"github.com/pushd/pushd/tuning"
)

// memory is what the process and the kernel spend on connections, read once a
// second. While there is too little left newcomers are told to come back: an
// operator sees that, and a process that was killed for want of memory sees
// nothing.
type memory struct {
	limit int64 // bytes, user and kernel; 0: only the host's, or the control group's, counts
	began tuning.MemoryUse
	live  int // connections when it was read last
	full  atomic.Bool

	user, kernel atomic.Uint64 // now
}

// begin notes what there is before the first connection: the kernel's is not all
// ours.
func (m *memory) begin() { m.began = tuning.ReadMemory() }

// note keeps what is spent.
func (m *memory) note(now tuning.MemoryUse) {
	m.user.Store(now.User)
	m.kernel.Store(now.Kernel - min(now.Kernel, m.began.Kernel))
}

// look keeps what is spent and judges it. It reports whether the verdict has
// changed.
func (m *memory) look(now tuning.MemoryUse) (changed bool) {
	m.note(now)
	full := now.Crowded() || m.limit > 0 && int64(m.user.Load()+m.kernel.Load()) >= m.limit
	return m.full.Swap(full) != full
}

// warnOfMemory tells of a limit that lets nobody in.
func (s *Server) warnOfMemory() {
	if s.memory.limit == 0 {
		return
	}
	if user := tuning.ReadMemory().User; user >= uint64(s.memory.limit) {
		s.cfg.Logger.Warn("the process has more than memory-limit before the first connection: newcomers will be refused", "limit", s.memory.limit, "user", user)
	}
}

// watchMemory looks, and says so when newcomers are refused, and no longer. While
// nobody comes or goes there is nothing to refuse, and nothing is read.
func (s *Server) watchMemory() {
	live := s.engine.Live()
	if live == s.memory.live && !s.memory.full.Load() {
		return
	}
	s.memory.live = live
	if !s.memory.look(tuning.ReadMemory()) {
		return
	}
	user, kernel := s.memory.user.Load(), s.memory.kernel.Load()
	if s.memory.full.Load() {
		s.cfg.Logger.Warn("memory is short: newcomers are refused", "user", user, "kernel", kernel, "limit", s.memory.limit, "connections", s.engine.Live())
	} else {
		s.cfg.Logger.Info("memory is there again: newcomers are welcome", "user", user, "kernel", kernel)
	}
}

func (c collector) collectMemory(m metrics) {
	c.memory.note(tuning.ReadMemory())
	user, kernel := float64(c.memory.user.Load()), float64(c.memory.kernel.Load())
	m.gauge(descMemory, user, "user")
	m.gauge(descMemory, kernel, "kernel")
	m.gauge(descMemoryLimit, float64(c.memory.limit))
	if n := float64(c.engine.Live()); n > 0 {
		m.gauge(descConnMemory, (user-min(user, float64(c.memory.began.User)))/n, "user")
		m.gauge(descConnMemory, kernel/n, "kernel")
	}
	full := 0.0
	if c.memory.full.Load() {
		full = 1
	}
	m.gauge(descMemoryFull, full)
}
