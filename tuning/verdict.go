package tuning

import (
	"fmt"
	"slices"
	"strings"
)

// Verdict is the judgement: findings in the order in which they bite.
type Verdict struct {
	Connections Count     `json:"connections"` // what was asked for
	Client      bool      `json:"client"`
	Holds       Count     `json:"holds"`           // the least that a finding of kind Held allows
	Binds       string    `json:"binds,omitempty"` // the setting that allows so many, "" where none does
	Then        string    `json:"then,omitempty"`  // the one that would bind next
	Fit         bool      `json:"fit"`             // no finding of kind Held is short
	Findings    []Finding `json:"findings"`
	Notes       []string  `json:"notes,omitempty"`
	LeftAlone   []Left    `json:"left_alone"`

	host Host
}

// Binding returns the finding that binds first; ok is false where none does.
func (v Verdict) Binding() (f Finding, ok bool) {
	for _, f := range v.Findings {
		if f.Kind == Held && f.Holds != Unlimited {
			return f, true
		}
	}
	return Finding{}, false
}

// Within returns how many connections the named settings allow together.
func (v Verdict) Within(settings ...string) Count {
	holds := Unlimited
	for _, f := range v.Findings {
		if f.Kind == Held && slices.Contains(settings, f.Setting) {
			holds = min(holds, f.Holds)
		}
	}
	return holds
}

// String is the verdict in a line: how many, what binds, and what would next.
func (v Verdict) String() string {
	first, ok := v.Binding()
	if !ok {
		return "holds any number: nothing that was read binds"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "holds %s; %s binds (%s)", v.Holds, first.Setting, first.Show())
	for _, f := range v.Findings {
		if f.Setting == first.Setting || f.Holds == Unlimited || (f.Kind != Held && f.Kind != Pushed) {
			continue
		}
		switch {
		case f.Kind == Held:
			fmt.Fprintf(&b, "; then %s at %s", f.Setting, f.Holds)
		case f.Holds < v.Holds:
			fmt.Fprintf(&b, "; %s of them with a message on its way at once (%s)", f.Holds, f.Setting)
			continue
		default:
			fmt.Fprintf(&b, "; then %s at %s with a message on its way to each", f.Setting, f.Holds)
		}
		break
	}
	return b.String()
}

// Show is Now as a person reads it.
func (f Finding) Show() string { return show(f.Setting, f.Now) }

// ShowNeeded is Needed as a person reads it.
func (f Finding) ShowNeeded() string { return show(f.Setting, f.Needed) }

// show writes a value with separators, bytes in MiB, and of three the last,
// which is the most.
func show(setting, value string) string {
	n := numbers(value)
	switch {
	case len(n) == 1 && (setting == Memory || setting == GroupMemory):
		return Count(n[0]>>20).String() + " MiB"
	case len(n) == 1 && n[0] >= endless:
		return "unlimited"
	case len(n) == 1:
		return Count(n[0]).String()
	case len(n) == 3:
		return Count(n[2]).String() + " (max)"
	}
	return value
}
