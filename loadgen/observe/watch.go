package observe

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/prometheus/procfs"
)

// Config says what is watched. The zero value watches the kernel and this process.
type Config struct {
	// Servers are the addresses that the server listens on. Where no PIDs are given,
	// or one of them is gone, its processes are who listens there.
	Servers []netip.AddrPort
	PIDs    []int // the server's processes

	// Admin is where the server has its metrics; none where its Address is "".
	Admin AdminConfig
}

// Sample is what was seen at one moment.
type Sample struct {
	At     time.Time
	Server *ServerSample // nil when nothing is known of it
	Kernel *KernelSample // nil but on Linux
	Self   SelfSample
}

// Watch samples a server, its host and this process. It is for one goroutine.
// Close it when done.
type Watch struct {
	cfg    Config
	admin  *Admin  // nil where none is given
	kernel *kernel // nil but on Linux

	given   map[int]ProcessSample // PIDs, with what is known of each; nil when one is gone and Servers tell who came
	targets []target              // who listens on each of Servers

	byProc, byMetrics meter
	problems          []string
	told              map[string]bool
}

// target is an address that the server listens on.
type target struct {
	addr   netip.AddrPort
	found  map[int]ProcessSample
	hidden bool // looking again would be as dear, and find as little
}

// NewWatch checks the admin address and begins to count. It does not connect yet.
func NewWatch(cfg Config) (*Watch, error) {
	w := &Watch{cfg: cfg, told: make(map[string]bool)}
	if cfg.Admin.Address != "" {
		admin, err := NewAdmin(cfg.Admin)
		if err != nil {
			return nil, err
		}
		w.admin = admin
	}
	if len(cfg.PIDs) > 0 {
		w.given = make(map[int]ProcessSample)
		for _, pid := range cfg.PIDs {
			w.given[pid] = ProcessSample{}
		}
	}
	for _, addr := range cfg.Servers {
		w.targets = append(w.targets, target{addr: addr})
	}
	_, err := openProc()
	if err == nil {
		w.kernel, err = newKernel(procfs.DefaultMountPoint)
	}
	if err != nil {
		w.problem("kernel", fmt.Errorf("the kernel's figures: %w", err))
	}
	return w, nil
}

// Close closes idle connections. It may be called twice.
func (w *Watch) Close() {
	if w.admin != nil {
		w.admin.Close()
	}
}

// Problems says why figures were absent: what each source said the first time.
func (w *Watch) Problems() []string { return slices.Clone(w.problems) }

func (w *Watch) problem(source string, err error) {
	if err != nil && !w.told[source] {
		w.told[source] = true
		w.problems = append(w.problems, err.Error())
	}
}

// Sample looks once. It waits for the server's metrics, for as long as
// AdminConfig.Timeout and ctx allow.
func (w *Watch) Sample(ctx context.Context) Sample {
	s := Sample{At: time.Now(), Self: Self()}
	processes := w.processes()
	if w.kernel != nil {
		k, err := w.kernel.sample()
		w.problem("kernel", err)
		s.Kernel = &k
	}
	if w.admin != nil {
		var err error
		s.Server, err = w.admin.Sample(ctx)
		if ctx.Err() == nil {
			w.problem("admin", err)
		}
	}
	if len(processes) > 0 {
		s.Server = cmp.Or(s.Server, new(ServerSample))
		s.Server.add(processes)
	}
	if s.Server != nil {
		w.countCPU(s.Server)
	}
	return s
}

// countCPU makes s.CPU a count that a restart of the server does not set back.
// Once it came from /proc it comes from nowhere else: between two counts a
// difference would mean nothing.
func (w *Watch) countCPU(s *ServerSample) {
	for _, p := range s.Processes {
		w.byProc.add(p.PID, p.CPU)
	}
	switch {
	case len(s.Processes) > 0:
		s.CPU = new(w.byProc.total)
	case w.byProc.last != nil:
		s.CPU = nil
	case s.CPU != nil:
		w.byMetrics.add(0, *s.CPU)
		s.CPU = new(w.byMetrics.total)
	}
}

// processes samples the server's, each once, by pid, and looks for others where
// one is gone.
func (w *Watch) processes() (all []ProcessSample) {
	if w.given != nil {
		if w.renew(w.given) || len(w.targets) == 0 {
			return living(w.given)
		}
		w.given = nil
	}
	seen := make(map[int]ProcessSample)
	for i := range w.targets {
		for _, p := range w.serving(&w.targets[i]) {
			seen[p.PID] = p
		}
	}
	return living(seen)
}

// serving samples who listens on t's address.
func (w *Watch) serving(t *target) []ProcessSample {
	if len(t.found) > 0 && w.renew(t.found) || t.hidden {
		return living(t.found)
	}
	pids, err := Listener(t.addr)
	w.problem(t.addr.String(), err)
	t.hidden = errors.Is(err, ErrHidden)
	t.found = make(map[int]ProcessSample)
	for _, pid := range pids {
		t.found[pid] = ProcessSample{}
	}
	w.renew(t.found)
	return living(t.found)
}

// renew samples the processes again, and says whether they all live. Who does not
// has a pid of 0 from then on, even when another process gets the number. That is
// a problem only where nothing is known by which to look for who came after.
func (w *Watch) renew(processes map[int]ProcessSample) (whole bool) {
	whole = true
	for pid, before := range processes {
		now, err := Process(pid)
		if before.started != 0 && now.started != before.started {
			now, err = ProcessSample{started: before.started}, fmt.Errorf("pid %d: %w", pid, ErrGone)
		}
		if !errors.Is(err, ErrGone) || len(w.targets) == 0 {
			w.problem(fmt.Sprint("pid ", pid), err)
		}
		processes[pid] = now
		whole = whole && now.PID != 0
	}
	return whole
}

// living are those that have a pid, in its order.
func living(processes map[int]ProcessSample) (all []ProcessSample) {
	for _, p := range processes {
		if p.PID != 0 {
			all = append(all, p)
		}
	}
	slices.SortFunc(all, func(a, b ProcessSample) int { return cmp.Compare(a.PID, b.PID) })
	return all
}
