package report

import (
	"io"
	"strings"
	"unicode/utf8"
)

// Compare writes runs side by side: each figure of each run, how it stands to
// the first run's, and which of the two is better where that can be said. What
// makes the runs hard to compare comes first.
func Compare(w io.Writer, runs ...Run) error {
	if len(runs) == 0 {
		return nil
	}
	c := compare(runs)
	t := &table{}
	for _, warning := range c.Warnings {
		t.para("!! ", warning)
	}
	label, columns := c.widths()
	line := strings.Repeat(" ", 2+label)
	for i, name := range c.Names {
		line += "  " + pad(cut(name, columns[i].total()), columns[i].total(), true)
	}
	if len(c.Warnings) > 0 {
		t.WriteString("\n")
	}
	t.WriteString(strings.TrimRight(line, " ") + "\n")
	for _, s := range c.Sections {
		t.section(s.Name)
		for _, r := range s.Rows {
			line := "  " + pad(cut(r.Label, label), label, false)
			for i, cell := range r.Cells {
				line += "  " + columns[i].write(cell)
			}
			t.WriteString(strings.TrimRight(line, " ") + "\n")
		}
	}
	_, err := io.WriteString(w, t.String())
	return err
}

// column is how wide the parts of one run's cells are.
type column struct{ value, ratio, verdict int }

func (c column) total() int {
	n := c.value
	for _, part := range []int{c.ratio, c.verdict} {
		if part > 0 {
			n += 1 + part
		}
	}
	return n
}

func (c column) write(of cell) string {
	s := pad(of.Value, c.value, true)
	if c.ratio > 0 {
		s += " " + pad(of.Ratio, c.ratio, true)
	}
	if c.verdict > 0 {
		s += " " + pad(of.Verdict, c.verdict, false)
	}
	return s
}

// widths leaves labels 40 columns, and a name of a run room for 12.
func (c comparison) widths() (label int, columns []column) {
	columns = make([]column, len(c.Names))
	for _, s := range c.Sections {
		for _, r := range s.Rows {
			label = max(label, min(40, utf8.RuneCountInString(r.Label)))
			for i, cell := range r.Cells {
				w := &columns[i]
				w.value = max(w.value, utf8.RuneCountInString(cell.Value))
				w.ratio = max(w.ratio, utf8.RuneCountInString(cell.Ratio))
				w.verdict = max(w.verdict, utf8.RuneCountInString(cell.Verdict))
			}
		}
	}
	for i, name := range c.Names {
		want := min(12, utf8.RuneCountInString(name))
		columns[i].value += max(0, want-columns[i].total())
	}
	return label, columns
}
