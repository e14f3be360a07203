package report

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// width is the most columns that a table takes.
const width = 100

// Table writes r for a terminal, at most 100 columns wide: what is void, what
// stopped the run, then figures, causes, expectations and notes.
func Table(w io.Writer, r *Report) error {
	t := &table{}
	t.head(r)
	t.void(r)
	t.stop(r.Stopped)
	t.figures(r)
	t.causes(r.Causes)
	t.expectations(r.Expectations)
	t.notes(r.Notes)
	_, err := io.WriteString(w, t.String())
	return err
}

type table struct{ strings.Builder }

// para writes text after lead, its later lines under the first one's text.
func (t *table) para(lead, text string) {
	for _, line := range wrap(lead, clean(text), width) {
		t.WriteString(strings.TrimRight(line, " ") + "\n")
	}
}

func (t *table) section(title string) {
	t.WriteString("\n")
	t.para("", title)
}

func (t *table) head(r *Report) {
	t.para("", strings.TrimSpace(r.Scenario+" "+strings.Join(r.Targets, " ")))
	if a := about(r); a != "" {
		t.para("", a)
	}
	if r.Ended != "" {
		t.para("", "ENDED EARLY: "+r.Ended)
	}
}

// about is a line on when, how long, by what and where.
func about(r *Report) string {
	var parts []string
	add := func(given bool, s string) {
		if given {
			parts = append(parts, s)
		}
	}
	add(!r.Started.IsZero(), r.Started.Format("2006-01-02 15:04:05 MST"))
	add(r.Seconds > 0, Value(r.Seconds, Seconds))
	add(r.Version != "", "pushd "+r.Version)
	add(r.Host.CPUs > 0, fmt.Sprintf("%d × %s", r.Host.CPUs, r.Host.CPU))
	add(r.Host.Memory > 0, Value(float64(r.Host.Memory), Bytes))
	add(r.Host.OS != "", r.Host.OS)
	return strings.Join(parts, ", ")
}

func (t *table) void(r *Report) {
	if len(r.Void) > 0 {
		t.WriteString("\n")
	}
	for _, v := range r.Void {
		t.para("!! VOID ", "Do not believe "+voided(v)+": "+v.Why)
	}
}

// voided says what a Void is about.
func voided(v Void) string {
	if len(v.Figures) == 0 {
		return "any duration or rate of this run"
	}
	return strings.Join(v.Figures, ", ")
}

func (t *table) stop(s *Stop) {
	if s == nil {
		return
	}
	t.section("STOPPED BY " + s.Limit + " of " + s.Of + ", which is " + s.Value)
	t.para("  change  ", s.Set)
	t.para("  seen    ", s.Why)
}

func (t *table) figures(r *Report) {
	var label, value, name int
	for _, f := range r.Figures {
		label = max(label, utf8.RuneCountInString(clean(f.Label)))
		value = max(value, utf8.RuneCountInString(Value(f.Value, f.Unit)))
		name = max(name, utf8.RuneCountInString(clean(f.Name)))
	}
	const marks = 2 + 2 + 2 + len("  VOID") // indent, two gaps, the mark
	name = min(name, 28)
	label = min(label, width-marks-value-name)
	for _, s := range sections(r.Figures) {
		t.section(s.Name)
		for _, f := range s.Figures {
			line := "  " + pad(cut(clean(f.Label), label), label, false) + "  " +
				pad(Value(f.Value, f.Unit), value, true) + "  " + pad(cut(clean(f.Name), name), name, false)
			if _, void := r.VoidFor(f); void {
				line += "  VOID"
			}
			t.WriteString(strings.TrimRight(line, " ") + "\n")
		}
	}
}

func (t *table) causes(causes []Cause) {
	if len(causes) == 0 {
		return
	}
	t.section("what went wrong")
	var n int
	for _, c := range causes {
		n = max(n, len(Value(float64(c.Count), Count)))
	}
	for _, c := range causes {
		t.para("  "+pad(Value(float64(c.Count), Count), n, true)+"  ", c.Name)
		under := strings.Repeat(" ", n+4)
		if c.Example != "" {
			t.para(under+"such as: ", c.Example)
		}
		if c.Advice != "" {
			t.para(under+"to do:   ", c.Advice)
		}
	}
}

func (t *table) expectations(expectations []Expectation) {
	if len(expectations) == 0 {
		return
	}
	t.section("expectations")
	var text int
	for _, e := range expectations {
		text = max(text, min(40, utf8.RuneCountInString(clean(e.Text))))
	}
	for _, e := range expectations {
		mark := "  FAILED  "
		if e.Met {
			mark = "  ok      "
		}
		t.para(mark+pad(cut(clean(e.Text), text), text, false)+"  ", e.Got)
	}
}

func (t *table) notes(notes []string) {
	if len(notes) == 0 {
		return
	}
	t.section("notes")
	for _, n := range notes {
		t.para("  - ", n)
	}
}

// section is the figures that stand under one heading.
type section struct {
	Name    string
	Figures []Figure
}

// sections groups figures by heading, both in the order in which they come.
func sections(figures []Figure) []section {
	var all []section
	at := map[string]int{}
	for _, f := range figures {
		i, ok := at[f.Section]
		if !ok {
			i = len(all)
			at[f.Section] = i
			all = append(all, section{Name: f.Section})
		}
		all[i].Figures = append(all[i].Figures, f)
	}
	return all
}
