package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/pushd/pushd/internal/scale/told"
	"github.com/pushd/pushd/loadgen/report"
)

// result is what the machine has told.
type result struct {
	kernel string
	steps  []told.Step // the first is without connections
	report *report.Report
	failed string
}

// readResult reads what the machine has told, of which the last line may be cut off.
func readResult(path string) (*result, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	r := &result{}
	for d := json.NewDecoder(file); ; {
		var l told.Line
		if err := d.Decode(&l); errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			break
		} else if err != nil {
			return nil, fmt.Errorf("what the machine told: %w", err)
		}
		switch {
		case l.Kernel != "":
			r.kernel = l.Kernel
		case l.Step != nil:
			r.steps = append(r.steps, *l.Step)
		case l.Report != nil:
			r.report = l.Report
		case l.Failed != "":
			r.failed = l.Failed
		}
	}
	return r, nil
}

// figure is one of loadgen's, or 0 where there is none.
func (r *result) figure(name string) int {
	if r.report != nil {
		for _, f := range r.report.Figures {
			if f.Name == name {
				return int(f.Value)
			}
		}
	}
	return 0
}

// causes are what loadgen says of what went wrong, a line each.
func (r *result) causes() string {
	var b strings.Builder
	for _, c := range r.report.Causes {
		fmt.Fprintf(&b, "\n%s: %s (%s)", commas(c.Count), c.Name, c.Example)
	}
	return b.String()
}

// judge says what is missing from n connections of which each got every message, in order and once.
func (r *result) judge(n int) error {
	switch {
	case r.failed != "":
		return errors.New(r.failed)
	case r.report == nil:
		return errors.New("the machine has ended before it was through")
	case r.report.Ended != "":
		return fmt.Errorf("the clients have ended: %s", r.report.Ended)
	}
	for name, want := range map[string]int{
		"open": n, "published": messages, "delivered": n * messages,
		"lost": 0, "repeated": 0, "disordered": 0, "gaps": 0, "connections_lost": 0,
	} {
		if got := r.figure(name); got != want {
			return fmt.Errorf("%s: %s, expected %s%s", name, commas(got), commas(want), r.causes())
		}
	}
	if last := r.steps[len(r.steps)-1]; last.Connections != n {
		return fmt.Errorf("the server had %s connections, expected %s", commas(last.Connections), commas(n))
	}
	return nil
}
