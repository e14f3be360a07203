package tuning

import (
	"cmp"
	"fmt"
	"slices"
)

// The settings that have no name of a sysctl.
const (
	OpenFiles   = "RLIMIT_NOFILE"
	Memory      = "memory available"
	GroupMemory = "cgroup memory.max"
	GroupPids   = "cgroup pids.max"
	HugePages   = "transparent_hugepage"
)

// reservedFiles are the descriptors that connections leave for all else, as long
// as that is not more than half: 256 admin and 256 metrics requests, 64 pages, 64
// refusals, listeners, pollers.
const reservedFiles = 704

// connectionBytes is what an idle connection takes: about 4 KiB of the kernel's
// for the socket, its file and its place in epoll (4.1 KiB of slab were measured
// on Linux 6.18, TCP itself 2.5 of them), and less than half a KiB of ours.
const connectionBytes = 4608

// Kind is what a [Finding] counts.
type Kind string

const (
	Held    Kind = "held"    // connections at once: these bind
	Pushed  Kind = "pushed"  // connections that a message is on its way to at once
	Waiting Kind = "waiting" // arrivals at once that wait to be accepted: a burst
	Process Kind = "process" // connections of one process out of several
	Shown   Kind = "shown"   // nothing: the setting does not limit how many there are
)

// Finding is what was found about one setting.
type Finding struct {
	Setting string `json:"setting"`          // a sysctl, or one of the names above
	Now     string `json:"now"`              // as the system writes it
	Needed  string `json:"needed,omitempty"` // for as many as were asked for, as the system would write it; "" where nothing is
	Short   bool   `json:"short"`            // Now is below Needed
	Holds   Count  `json:"holds"`            // how many it allows, by Kind
	Kind    Kind   `json:"kind"`
	Why     string `json:"why"`
	How     string `json:"how,omitempty"` // what sets it, here
	Source  string `json:"source"`        // who documents that
}

// Ask is what a host is judged for.
type Ask struct {
	Connections uint64 // idle ones at once; 0 is as many as memory allows
	Client      bool   // they are opened by a load generator here, and not held by a server
}

// Judge judges a host.
func Judge(h Host, ask Ask) Verdict {
	j := judgement{h: h, client: ask.Client, n: ask.Connections}
	if j.n == 0 {
		j.n = j.asManyAsMemory()
	}
	if h.System == "linux" {
		j.linux()
	} else {
		j.kern()
	}
	for i, f := range j.findings {
		if f.Short {
			j.findings[i].How = here(h, f)
		}
	}
	slices.SortStableFunc(j.findings, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(rank(a.Kind), rank(b.Kind)), cmp.Compare(a.Holds, b.Holds))
	})
	v := Verdict{
		Connections: Count(j.n), Client: ask.Client, Holds: Unlimited, Fit: true,
		Findings: j.findings, Notes: notes(h, j.n), LeftAlone: LeftAlone(h.System), host: h,
	}
	for _, f := range v.Findings {
		if f.Kind == Held {
			v.Holds = min(v.Holds, f.Holds)
			v.Fit = v.Fit && !f.Short
			switch {
			case f.Holds == Unlimited:
			case v.Binds == "":
				v.Binds = f.Setting
			case v.Then == "":
				v.Then = f.Setting
			}
		}
	}
	return v
}

// rank orders the kinds: what limits how many there are comes first.
func rank(k Kind) int {
	return slices.Index([]Kind{Held, Waiting, Process, Shown}, cmp.Or(map[Kind]Kind{Pushed: Held}[k], k))
}

// judgement is a verdict in the making.
type judgement struct {
	h        Host
	client   bool
	n        uint64 // connections asked for
	findings []Finding
}

// add notes a finding about a number that must be at least needed.
func (j *judgement) add(setting string, now, needed uint64, kind Kind, holds uint64, why, source string) {
	j.findings = append(j.findings, Finding{
		Setting: setting, Now: limitText(now), Needed: limitText(needed), Short: now < needed,
		Holds: Count(holds), Kind: kind, Why: why, Source: source,
	})
}

// show notes a setting that limits nothing here.
func (j *judgement) show(setting, now, why, source string) {
	j.findings = append(j.findings, Finding{Setting: setting, Now: now, Holds: Unlimited, Kind: Shown, Why: why, Source: source})
}

// asManyAsMemory is how many connections the memory has room for. Where it was
// not read it is a million.
func (j *judgement) asManyAsMemory() uint64 {
	if room, ok := j.room(); ok {
		return room/connectionBytes + j.h.Held
	}
	return 1_000_000
}

// room is the memory that is left for connections to come, in bytes.
func (j *judgement) room() (bytes uint64, known bool) {
	bytes = Infinity
	if j.h.Memory > 0 {
		bytes, known = j.h.Memory, true
	}
	if g := j.h.Group; g.MemoryMax > 0 {
		bytes, known = min(bytes, left(g.MemoryMax, g.MemoryUsed)), true
	}
	return bytes, known
}

// soft is the limit of open files that holds: for a process that runs its soft
// one, for us the hard one, for serve raises itself to it, where it is finite:
// macOS has none, and refuses to raise to that.
func (j *judgement) soft() uint64 {
	if j.h.PID != 0 || j.h.OpenFiles.Hard == Infinity {
		return j.h.OpenFiles.Soft
	}
	return j.h.OpenFiles.Hard
}

// fromFiles is how many connections so many descriptors hold.
func fromFiles(n uint64) uint64 {
	if n == Infinity {
		return Infinity
	}
	return max(left(n, reservedFiles), n/2)
}

// forConnections is how many descriptors so many connections need: the inverse
// of fromFiles.
func forConnections(n uint64) uint64 { return min(plus(n, n), plus(n, reservedFiles)) }

// plus is a sum that stays at infinity.
func plus(a, b uint64) uint64 {
	if a > Infinity-b {
		return Infinity
	}
	return a + b
}

// files judges the limit of open files, on any system.
func (j *judgement) files(ceiling string) {
	now := j.soft()
	if now == 0 {
		return
	}
	why := fmt.Sprintf("Each connection is a descriptor, and serve keeps %d of them (at most half) for all else. It raises its soft limit to the hard one, which %s bounds.", reservedFiles, ceiling)
	if j.client {
		why = "Each connection is a descriptor. This is for one process: loadgen starts as many as it needs."
		j.add(OpenFiles, now, min(now, forConnections(j.n)), Process, fromFiles(now), why, "getrlimit(2)")
		return
	}
	j.add(OpenFiles, now, forConnections(j.n), Held, fromFiles(now), why, "getrlimit(2)")
}

// notes are what else is worth a line.
func notes(h Host, n uint64) (all []string) {
	for _, s := range h.Stated {
		line := fmt.Sprintf("%s: %s: open files %s", s.File, s.Who, s.Limit)
		if h.PID != 0 && s.Who == h.Place.Unit && s.Limit.Hard != 0 && s.Limit.Hard != h.OpenFiles.Hard {
			line += fmt.Sprintf(", but process %d runs with %s: it was started before that, or has set its own", h.PID, h.OpenFiles)
		}
		all = append(all, line)
	}
	if h.System != "linux" {
		return all
	}
	if h.Place.Container != "" {
		all = append(all, "in a container ("+h.Place.Container+"): fs.*, net.ipv4.tcp_mem, conntrack and huge pages are the host's, and are set there: run pushd tune there as well")
	}
	if _, ok := h.Sysctls["net.ipv4.tcp_mem"]; !ok && h.Sysctls["net.core.somaxconn"] != "" {
		all = append(all, "net.ipv4.tcp_mem is the host's and not to be seen in this network namespace: run pushd tune on the host for it")
	}
	return all
}
