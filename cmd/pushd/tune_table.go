package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"

	"golang.org/x/sys/unix"

	"github.com/pushd/pushd/tuning"
)

// width is how wide a terminal is, at most 110, or 80 where it is none.
func width(to io.Writer) int {
	if f, ok := to.(*os.File); ok {
		if size, err := unix.IoctlGetWinsize(int(f.Fd()), unix.TIOCGWINSZ); err == nil && size.Col >= 40 {
			return min(int(size.Col), 110)
		}
	}
	return 80
}

// tuneTable is a verdict for people: what it comes to, one line a setting, and
// then what is to be done; if all is asked for, what there is to say about the
// others, too.
func tuneTable(v tuning.Verdict, width int, all bool) string {
	var b strings.Builder
	wrap(&b, width, "", v.String())
	wrap(&b, width, "", fitness(v))
	fmt.Fprintf(&b, "\n  %-30s %16s %16s %13s\n", "SETTING", "NOW", "NEEDED", "HOLDS")
	for _, f := range v.Findings {
		fmt.Fprintf(&b, "%s %-30s %16s %16s %13s\n", mark(f), f.Setting, f.Show(), f.ShowNeeded(), holds(f))
	}
	b.WriteString("! too low for so many   ~ too low to push to so many at once, or for a burst\n")
	for _, f := range v.Findings {
		if f.Short {
			fmt.Fprintf(&b, "\n%s %s: %s, %s needed\n", mark(f), f.Setting, f.Show(), f.ShowNeeded())
			wrap(&b, width, "  ", f.Why)
			wrap(&b, width, "  how:    ", f.How)
			wrap(&b, width, "  source: ", f.Source)
		}
	}
	if len(v.Notes) > 0 {
		b.WriteString("\nAlso:\n")
	}
	for _, n := range v.Notes {
		wrap(&b, width, "  ", n)
	}
	if all {
		others(&b, v, width)
	} else {
		b.WriteString("\nWith --explain: what the others are, and what guides change for nothing.\n")
	}
	return b.String()
}

// others says what is enough, and what is better left alone.
func others(b *strings.Builder, v tuning.Verdict, width int) {
	b.WriteString("\nWhat is enough, or limits nothing:\n")
	for _, f := range v.Findings {
		if !f.Short {
			wrap(b, width, "  ", f.Setting+" ("+f.Now+"): "+f.Why+" ["+f.Source+"]")
		}
	}
	if len(v.LeftAlone) > 0 {
		b.WriteString("\nLeft alone, for they do nothing for how many idle connections are held:\n")
	}
	for _, l := range v.LeftAlone {
		wrap(b, width, "  ", l.Setting+": "+l.Why+" ["+l.Source+"]")
	}
}

// fitness says in a line whether the host is fit, and for want of what not.
func fitness(v tuning.Verdict) string {
	if v.Fit {
		return fmt.Sprintf("fit for %s", v.Connections)
	}
	var short []string
	for _, f := range v.Findings {
		if f.Short && f.Kind == tuning.Held {
			short = append(short, f.Setting)
		}
	}
	return fmt.Sprintf("unfit for %s; too low: %s", v.Connections, strings.Join(short, ", "))
}

// mark is ! for what makes the host unfit, ~ for what is short and does not.
func mark(f tuning.Finding) string {
	switch {
	case f.Short && f.Kind == tuning.Held:
		return "!"
	case f.Short:
		return "~"
	}
	return " "
}

// holds is a finding's last column.
func holds(f tuning.Finding) string {
	switch f.Kind {
	case tuning.Waiting:
		return "a burst"
	case tuning.Shown:
		return ""
	}
	return f.Holds.String()
}

// wrap writes a paragraph within a width, its later lines as far in as the first.
func wrap(b *strings.Builder, width int, first, text string) {
	indent := strings.Repeat(" ", max(len(first), 2))
	line := first
	for i, word := range strings.Fields(text) {
		switch {
		case i == 0:
			line += word
		case utf8.RuneCountInString(line)+1+len(word) > width:
			b.WriteString(line + "\n")
			line = indent + word
		default:
			line += " " + word
		}
	}
	b.WriteString(line + "\n")
}
