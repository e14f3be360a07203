package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/term"

	"github.com/pushd/pushd/loadgen"
	"github.com/pushd/pushd/loadgen/report"
)

// progressLine shows how far a run has come: one line that changes on a
// terminal, and elsewhere a line every few seconds.
type progressLine struct {
	to       io.Writer
	terminal bool
	last     time.Time
	phase    string
}

// plainEvery is the time between lines where there is no terminal.
const plainEvery = 5 * time.Second

func newProgressLine(to io.Writer) *progressLine {
	f, ok := to.(*os.File)
	return &progressLine{to: to, terminal: ok && term.IsTerminal(int(f.Fd()))}
}

func (l *progressLine) show(p loadgen.Progress) {
	if !l.terminal && p.Phase == l.phase && time.Since(l.last) < plainEvery {
		return
	}
	l.last, l.phase = time.Now(), p.Phase
	text := fmt.Sprintf("%4.0fs %s: %s", p.Elapsed.Seconds(), p.Phase, number(int64(p.Open)))
	if p.Asked > 0 {
		text += " of " + number(int64(p.Asked))
	}
	text += fmt.Sprintf(" open (%s/s)", number(int64(p.PerSecond)))
	if p.Refused > 0 {
		text += fmt.Sprintf(", %s refused", number(int64(p.Refused)))
	}
	if p.Lost > 0 {
		text += fmt.Sprintf(", %s lost", number(int64(p.Lost)))
	}
	if p.Published > 0 {
		text += fmt.Sprintf(", %s published, %s delivered/s, p99 %s", number(int64(p.Published)), number(int64(p.DeliveriesPerSecond)), report.Value(p.P99.Seconds(), report.Seconds))
	}
	if l.terminal {
		fmt.Fprintf(l.to, "\r\x1b[K%s", text)
		return
	}
	fmt.Fprintln(l.to, text)
}

// end leaves the line.
func (l *progressLine) end() {
	if l.terminal {
		fmt.Fprint(l.to, "\r\x1b[K")
	}
}
