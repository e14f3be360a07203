package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// mapping reads a YAML mapping of which the fields are known, and gathers all
// that is wrong with it.
type mapping struct {
	file  string
	path  string         // of the mapping, such as topics[0].history
	lines map[string]int // where each field was set
	errs  []error
}

// field is one that a mapping may have. read takes its value; the error says
// what is wrong with it, or is nil where that is in the mapping's errors.
type field struct {
	name string
	read func(value *yaml.Node) error
}

// bad notes what is wrong with a field.
func (m *mapping) bad(line int, name string, format string, args ...any) {
	m.errs = append(m.errs, fmt.Errorf("%s:%d: %s.%s: "+format, append([]any{m.file, line, m.path, name}, args...)...))
}

// read has the fields take what the node holds.
func (m *mapping) read(n *yaml.Node, fields []field) {
	m.lines = make(map[string]int)
	line := n.Line // of an alias, not of what it stands for
	if n = resolve(n); n.Kind != yaml.MappingNode {
		m.errs = append(m.errs, fmt.Errorf("%s:%d: %s: expected a mapping of %s, not %s", m.file, line, m.path, list(fields), kindOf(n)))
		return
	}
	for i := 0; i < len(n.Content); i += 2 {
		key, value := n.Content[i], resolve(n.Content[i+1])
		f := find(fields, key.Value)
		first, twice := m.lines[key.Value]
		switch {
		case f == nil:
			m.bad(key.Line, key.Value, "unknown; expected %s", list(fields))
			continue
		case twice:
			m.bad(key.Line, key.Value, "set twice, first in line %d", first)
			continue
		}
		m.lines[key.Value] = key.Line
		if err := f.read(value); err != nil {
			m.bad(key.Line, key.Value, "%w", err)
		}
	}
}

func find(fields []field, name string) *field {
	for i := range fields {
		if fields[i].name == name {
			return &fields[i]
		}
	}
	return nil
}

// list names the fields as a sentence does: a, b or c.
func list(fields []field) string {
	var names []string
	for _, f := range fields {
		names = append(names, f.name)
	}
	last := len(names) - 1
	return strings.Join(names[:last], ", ") + " or " + names[last]
}

func resolve(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}

// kindOf names what stands where something else was expected.
func kindOf(n *yaml.Node) string {
	switch {
	case n.Kind == yaml.SequenceNode:
		return "a list"
	case n.Kind == yaml.MappingNode:
		return "a mapping"
	case n.Tag == "!!null":
		return "nothing"
	}
	return strconv.Quote(n.Value)
}

// checkScalar refuses what is not one value.
func checkScalar(n *yaml.Node, want string) error {
	if n.Kind != yaml.ScalarNode || n.Tag == "!!null" {
		return fmt.Errorf("expected %s, not %s", want, kindOf(n))
	}
	return nil
}

// scalar has parse take one value; want says what was expected where that fails.
func scalar(want string, parse func(string) (ok bool)) func(*yaml.Node) error {
	return func(n *yaml.Node) error {
		if err := checkScalar(n, want); err != nil {
			return err
		}
		if !parse(n.Value) {
			return fmt.Errorf("%q: expected %s", n.Value, want)
		}
		return nil
	}
}

func boolean(to *bool) func(*yaml.Node) error {
	return scalar(expected(*to), func(s string) bool {
		*to = s == "true"
		return s == "true" || s == "false"
	})
}

// unit is how a number of something is written.
type unit struct {
	like  any // a value of the type, for expected
	parse func(string) (int64, error)
	show  func(int64) string
}

var (
	units     = unit{0, func(s string) (int64, error) { return strconv.ParseInt(s, 10, 64) }, number}
	sizes     = unit{size(0), func(s string) (n int64, err error) { err = (*size)(&n).UnmarshalText([]byte(s)); return n, err }, bytes}
	durations = unit{time.Duration(0), func(s string) (int64, error) { d, err := time.ParseDuration(s); return int64(d), err }, duration}
)

// from reads a number from min to max; why is what max follows from, or "".
func from[T int | time.Duration](to *T, u unit, min, max int64, why string) func(*yaml.Node) error {
	want := fmt.Sprintf("%s, from %s to %s%s", expected(u.like), u.show(min), u.show(max), why)
	return scalar(want, func(s string) bool {
		n, err := u.parse(s)
		*to = T(n)
		return err == nil && min <= n && n <= max
	})
}
