package report

import (
	"fmt"
	"slices"
	"strings"
)

// Run is a report under the name that people know it by.
type Run struct {
	Name   string // a file's name, or "": the scenario and when it started
	Report *Report
}

func (r Run) name() string {
	if r.Name != "" {
		return clean(r.Name)
	}
	return clean(r.Report.Scenario + " " + r.Report.Started.Format("2006-01-02 15:04:05"))
}

// comparison is several runs side by side; the others are measured by the
// first.
type comparison struct {
	Names    []string
	Warnings []string // what makes them hard to compare
	Sections []comparedSection
}

type comparedSection struct {
	Name string
	Rows []row
}

type row struct {
	Label string
	Cells []cell // one a run
}

// cell is a figure of one run. A void one is not measured by anything, and
// nothing by it.
type cell struct {
	Value   string
	Ratio   string // to the first run's: "1.25×", or ""
	Verdict string // "better", "worse", "VOID" or ""
}

func compare(runs []Run) comparison {
	var c comparison
	for _, r := range runs {
		c.Names = append(c.Names, r.name())
	}
	c.Warnings = warnings(runs)
	for _, s := range sections(union(runs)) {
		section := comparedSection{Name: s.Name}
		for _, f := range s.Figures {
			section.Rows = append(section.Rows, compareFigure(f, runs))
		}
		c.Sections = append(c.Sections, section)
	}
	return c
}

// union is every figure that any run has, once.
func union(runs []Run) []Figure {
	var all []Figure
	seen := map[string]bool{}
	for _, r := range runs {
		for _, f := range r.Report.Figures {
			if !seen[f.Name] {
				seen[f.Name] = true
				all = append(all, f)
			}
		}
	}
	return all
}

func compareFigure(f Figure, runs []Run) row {
	r := row{Label: clean(f.Label)}
	first, comparable := runs[0].Report.Figure(f.Name)
	if _, void := runs[0].Report.VoidFor(first); void || !isFinite(first.Value) {
		comparable = false
	}
	for i, run := range runs {
		mine, ok := run.Report.Figure(f.Name)
		if !ok {
			r.Cells = append(r.Cells, cell{Value: none})
			continue
		}
		c := cell{Value: Value(mine.Value, mine.Unit)}
		if _, void := run.Report.VoidFor(mine); void {
			c.Verdict = "VOID"
		} else if i > 0 && comparable && isFinite(mine.Value) && mine.Unit == first.Unit {
			c.Ratio, c.Verdict = ratio(mine.Value, first.Value, first.Better)
		}
		r.Cells = append(r.Cells, c)
	}
	return r
}

// ratio measures v by first. There is none to nothing, but lost going from 0 to
// 5 is worse all the same.
func ratio(v, first float64, better Better) (ratio, verdict string) {
	if first > 0 && v >= 0 {
		ratio = digits(v/first) + "×"
	}
	if v == first || ratio == "1×" {
		return "1×", ""
	}
	switch {
	case better == Neither:
		return ratio, ""
	case (v < first) == (better == Lower):
		return ratio, "better"
	}
	return ratio, "worse"
}

// warnings says what else than the target differs between the runs, and what of
// them must not be believed.
func warnings(runs []Run) []string {
	var all []string
	first := runs[0]
	for i, run := range runs {
		r, name := run.Report, run.name()
		for _, v := range r.Void {
			all = append(all, clean(fmt.Sprintf("%s is VOID: do not believe %s: %s", name, voided(v), v.Why)))
		}
		if r.Ended != "" {
			all = append(all, clean(fmt.Sprintf("%s ended early: %s", name, r.Ended)))
		}
		if i == 0 {
			continue
		}
		differ := func(what, mine, theirs string) {
			if mine != theirs {
				all = append(all, clean(fmt.Sprintf("%s differ: %s in %s, %s in %s", what, theirs, first.name(), mine, name)))
			}
		}
		differ("scenarios", r.Scenario, first.Report.Scenario)
		differ("versions of pushd", r.Version, first.Report.Version)
		differ("hosts", r.Host.String(), first.Report.Host.String())
		mine, theirs := difference(r, first.Report)
		differ("commands", mine, theirs)
	}
	return all
}

// String is the machine in a few words.
func (h Host) String() string {
	return clean(fmt.Sprintf("%d × %s, %s, %s", h.CPUs, h.CPU, Value(float64(h.Memory), Bytes), h.OS))
}

// incidental are the flags that say where to, and not what.
var incidental = []string{"--url", "--publish-url", "--admin", "--server-pid", "--json", "--html", "--expect"}

// difference is the arguments that a has and b has not, and the other way
// round, apart from what is incidental.
func difference(a, b *Report) (onlyA, onlyB string) {
	without := func(args, others []string) string {
		others = slices.Clone(others)
		var only []string
		for _, arg := range args {
			if i := slices.Index(others, arg); i >= 0 {
				others = slices.Delete(others, i, i+1)
			} else {
				only = append(only, arg)
			}
		}
		if only == nil {
			return "nothing"
		}
		return strings.Join(only, " ")
	}
	argsA, argsB := arguments(a), arguments(b)
	return without(argsA, argsB), without(argsB, argsA)
}

// arguments are those of a command, a flag with its value as one of them.
func arguments(r *Report) []string {
	var all []string
	for i := 1; i < len(r.Command); i++ {
		arg := r.Command[i]
		flag, value, joined := strings.Cut(arg, "=")
		switch {
		case !strings.HasPrefix(arg, "-"):
			if !slices.Contains(r.Targets, arg) {
				all = append(all, arg)
			}
			continue
		case !joined && i+1 < len(r.Command) && !strings.HasPrefix(r.Command[i+1], "-"):
			i++
			flag, value, joined = arg, r.Command[i], true
		}
		if slices.Contains(incidental, flag) {
			continue
		}
		if joined {
			flag += " " + value
		}
		all = append(all, flag)
	}
	return all
}
