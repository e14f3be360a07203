package main

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// table is what a scenario found, as Markdown shows it.
type table struct {
	head  []string
	rows  [][]string
	notes []string // one paragraph each
}

func (t *table) add(cells ...string) { t.rows = append(t.rows, cells) }

// String is the table, its columns as wide as they must be, and below it the notes.
func (t *table) String() string {
	widths := make([]int, len(t.head))
	for _, row := range append([][]string{t.head}, t.rows...) {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	var b strings.Builder
	line := func(cells []string) {
		for i, cell := range cells {
			space := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell))
			if i == 0 {
				b.WriteString("| " + cell + space + " |")
			} else {
				b.WriteString(" " + space + cell + " |")
			}
		}
		b.WriteByte('\n')
	}
	line(t.head)
	for i, w := range widths {
		if i == 0 {
			b.WriteString("| " + strings.Repeat("-", w) + " |")
		} else {
			b.WriteString(" " + strings.Repeat("-", w-1) + ": |")
		}
	}
	b.WriteByte('\n')
	for _, row := range t.rows {
		line(row)
	}
	for _, note := range t.notes {
		b.WriteString("\n" + note + "\n")
	}
	return b.String()
}

// figure writes x with three digits that mean something, and commas.
func figure(x float64) string {
	switch a := max(x, -x); {
	case a >= 100_000:
		return commas(int(x/1000+0.5) * 1000)
	case a >= 1000:
		return commas(int(x/10+0.5) * 10)
	case a >= 100:
		return strconv.FormatFloat(x, 'f', 0, 64)
	case a >= 10:
		return strconv.FormatFloat(x, 'f', 1, 64)
	}
	return strconv.FormatFloat(x, 'f', 2, 64)
}

// commas writes n as people read it.
func commas(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
