package tuning

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// ErrNotLinux is what other systems answer that Linux alone can do.
var ErrNotLinux = errors.New("changes are made on Linux only; elsewhere set what --format sysctl shows")

// Plan is what would be changed on a host, in the order in which it would be:
// files first, so that a plan that was broken off is made again whole.
type Plan struct {
	Changes []Change
	Left    []string // what is not written, and why
	root    string
}

// NewPlan plans what a verdict asks for, below root, which is / but in tests. No
// value is lowered. What may be written is found out by writing it.
func NewPlan(root string, v Verdict) (*Plan, error) {
	if v.host.System != "linux" {
		return nil, ErrNotLinux
	}
	p := &Plan{root: root}
	var short []Finding
	v.lines(func(f Finding) {
		switch {
		case isSysctl(f.Setting):
			short = append(short, f)
		case f.Setting == OpenFiles && v.host.PID == 0 && !v.Client:
			p.leave("%s of processes that run already: --pid raises one; this process's own ends with it", OpenFiles)
		case f.Setting != OpenFiles:
			p.leave("%s: not by a setting of this host's: %s", f.Setting, f.How)
		}
	}, func(Finding) {})
	err := p.files(v, short)
	// A limit of open files above fs.nr_open is refused.
	slices.SortStableFunc(short, func(a, b Finding) int { return order(a) - order(b) })
	for _, f := range short {
		err = errors.Join(err, p.change(Change{Path: "/" + sysctlPath(f.Setting), After: raise(f.Now, f.Needed)}))
	}
	return p, errors.Join(err, p.process(v))
}

func order(f Finding) int {
	if f.Setting == "fs.nr_open" {
		return 0
	}
	return 1
}

func (p *Plan) leave(format string, args ...any) {
	p.Left = append(p.Left, fmt.Sprintf(format, args...))
}

// change adds a change, if it is one. A sysctl that has been raised since it was
// read is not lowered.
func (p *Plan) change(c Change) (err error) {
	if c.Before, err = c.read(p.root); err != nil {
		return fmt.Errorf("%s: %w", c.Name(), err)
	}
	if c.Before != nil && c.isSysctl() {
		c.After = raise(*c.Before, c.After)
	}
	if c.Before == nil || *c.Before != c.After {
		p.Changes = append(p.Changes, c)
	}
	return nil
}

// has reports whether the host has a folder.
func (p *Plan) has(folder string) bool {
	info, err := os.Stat(filepath.Join(p.root, folder))
	return err == nil && info.IsDir()
}

// files plans what is kept for the next boot and for services and logins to come.
func (p *Plan) files(v Verdict, short []Finding) (err error) {
	h := v.host
	switch {
	case !p.has("/etc"):
		p.leave("files: there is no /etc, so nothing is kept for the next boot")
		return nil
	case h.Place.Container != "" && !h.Place.Systemd:
		p.leave("files: in a container nobody reads them; the host's are on the host")
		return nil
	}
	if len(short) > 0 {
		err = p.sysctlFile(v, short)
	}
	needed := forConnections(uint64(v.Connections))
	if v.Client {
		return err
	}
	if ours := h.Place.Unit == "" || h.Place.Unit == service; ours && h.service() < needed {
		err = errors.Join(err, p.file("/etc/systemd", dropIn, fmt.Sprintf(written, v.Connections)+"[Service]\nLimitNOFILE="+limitText(needed)+"\n"))
	}
	// What was started from here has the limit that logins have.
	if h.login() < needed {
		err = errors.Join(err, p.file("/etc/security", limitsFile, fmt.Sprintf(written, v.Connections)+limitsLines(limitText(needed))))
	}
	return err
}

// file plans a file of ours where there is the folder of those who read it. One
// that somebody else has written is left alone.
func (p *Plan) file(folder, name, text string) error {
	if !p.has(folder) {
		p.leave("%s: there is no %s", name, folder)
		return nil
	}
	c := Change{Path: name, After: text}
	before, err := c.read(p.root)
	if err == nil && before != nil && !strings.HasPrefix(*before, "# Written by pushd tune") {
		p.leave("%s: it is not of pushd tune; write into it:\n%s", name, text)
		return nil
	}
	return p.change(c)
}

// service is what the service is given by what files say; without a word it is
// systemd's default (systemd-system.conf(5)).
func (h Host) service() (hard uint64) {
	hard = 524_288
	for _, s := range h.Stated {
		if s.Who == "DefaultLimitNOFILE" || strings.HasSuffix(s.Who, ".service") { // in this order
			hard = s.Limit.Hard
		}
	}
	return hard
}

// login is the highest that a login has by this process's limit and by what
// files say: ours is read last, and must lower nobody's.
func (h Host) login() uint64 {
	most := h.Own.Hard
	for _, s := range h.Stated {
		if strings.HasPrefix(s.File, "/etc/security/") {
			most = max(most, s.Limit.Hard)
		}
	}
	return most
}

// sysctlFile keeps what our file says already, but for what must be more.
func (p *Plan) sysctlFile(v Verdict, short []Finding) error {
	before, err := Change{Path: sysctlFile}.read(p.root)
	if err != nil {
		return err
	}
	var b strings.Builder
	fmt.Fprintf(&b, written, v.Connections)
	values := map[string]string{}
	for _, f := range short {
		values[f.Setting] = raise(f.Now, f.Needed)
	}
	if before != nil {
		for lines := bufio.NewScanner(strings.NewReader(*before)); lines.Scan(); {
			name, value, _ := strings.Cut(lines.Text(), "=")
			name = strings.TrimSpace(name)
			if name == "" || strings.HasPrefix(name, "#") {
				continue
			}
			if needed, ok := values[name]; ok {
				value = raise(value, needed)
				delete(values, name)
			}
			fmt.Fprintf(&b, "%s = %s\n", name, normal(value))
		}
	}
	for _, f := range short {
		if value, ok := values[f.Setting]; ok {
			fmt.Fprintf(&b, "%s = %s\n", f.Setting, value)
		}
	}
	return p.change(Change{Path: sysctlFile, After: b.String()})
}

// process plans to raise the limit of the process that was asked about.
func (p *Plan) process(v Verdict) error {
	h, needed := v.host, forConnections(uint64(v.Connections))
	if h.PID == 0 || h.OpenFiles.Soft >= needed {
		return nil
	}
	start, err := startOf(os.DirFS(p.root), h.PID)
	if err != nil {
		return err
	}
	return p.change(Change{PID: h.PID, Start: start, After: Limit{needed, max(needed, h.OpenFiles.Hard)}.String()})
}
