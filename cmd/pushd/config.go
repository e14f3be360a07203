package main

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
	"go.yaml.in/yaml/v3"

	"github.com/pushd/pushd/internal/spell"
)

// configFile is the settings of a YAML file: one mapping, flat but for topics.
type configFile struct {
	name    string
	entries map[string]entry

	topics     *yaml.Node // what stands under topics:, or nil
	topicsLine int
}

type entry struct {
	value string
	line  int
}

// notInFile are the flags that say what to do, not how.
var notInFile = []string{"help", "config", "check-config", "print-config"}

// load reads the file that --config or PUSHD_CONFIG names, if one does.
func (s *sources) load(command *kong.Context, serve *kong.Command) error {
	s.file = &configFile{}
	known := make(map[string]*kong.Flag)
	for _, flag := range serve.Flags {
		if flag.Name == "config" {
			s.file.name, _ = command.FlagValue(flag).(string)
		}
		if !slices.Contains(notInFile, flag.Name) {
			known[flag.Name] = flag
		}
	}
	if s.file.name == "" {
		s.file.name, _ = s.env(envName("config"))
	}
	if s.file.name == "" {
		return nil
	}
	b, err := readFile(s.file.name)
	if err != nil {
		return fmt.Errorf("config: %w", err)
	}
	return s.file.parse(b, known)
}

// maxFile bounds a settings file: a server reads it again while it serves.
const maxFile = 1 << 20

func readFile(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(b) > maxFile {
		err = fmt.Errorf("%s: expected settings of at most %s", name, size(maxFile))
	}
	return b, err
}

// parse takes the file in and reports all that is wrong with it, a line each.
func (f *configFile) parse(b []byte, known map[string]*kong.Flag) error {
	f.entries = make(map[string]entry)
	var document yaml.Node
	if err := yaml.Unmarshal(b, &document); err != nil {
		return f.syntax(err.Error())
	}
	if len(document.Content) == 0 {
		return nil // empty, or comments alone
	}
	root := document.Content[0]
	if root.Kind != yaml.MappingNode {
		return fmt.Errorf("%s:%d: expected settings, such as listen: 127.0.0.1:8080", f.name, root.Line)
	}
	var all []error
	for i := 0; i < len(root.Content); i += 2 {
		if err := f.add(root.Content[i], root.Content[i+1], known); err != nil {
			all = append(all, fmt.Errorf("%s:%d: %s: %w", f.name, root.Content[i].Line, root.Content[i].Value, err))
		}
	}
	return errors.Join(all...)
}

// counted0 are the mistakes of which the library counts lines from 0: those that
// its parser finds, and not its scanner.
var counted0 = []string{
	"did not find expected key", "did not find expected '-' indicator", "did not find expected ',' or ']'",
	"did not find expected ',' or '}'", "did not find expected node content", "did not find expected <document start>",
}

// syntax puts the line of a parser's message where ours have it.
func (f *configFile) syntax(message string) error {
	line := 1 // which the parser leaves out
	what := strings.TrimPrefix(message, "yaml: ")
	if n, rest, ok := strings.Cut(what, ": "); ok {
		if _, err := fmt.Sscanf(n, "line %d", &line); err == nil {
			what = rest
			if slices.Contains(counted0, what) {
				line++
			}
		}
	}
	return fmt.Errorf("%s:%d: %s", f.name, line, what)
}

func (f *configFile) add(key, value *yaml.Node, known map[string]*kong.Flag) error {
	if key.Value == "topics" {
		if f.topics != nil {
			return fmt.Errorf("set twice, first in line %d", f.topicsLine)
		}
		f.topics, f.topicsLine = value, key.Line
		return nil
	}
	flag, ok := known[key.Value]
	if !ok {
		if near := nearest(key.Value, known); near != "" {
			return fmt.Errorf("unknown setting; did you mean %s?", near)
		}
		return errors.New("unknown setting; bin/pushd serve --help lists them")
	}
	if first, ok := f.entries[key.Value]; ok {
		return fmt.Errorf("set twice, first in line %d", first.line)
	}
	value = resolve(value)
	want := expected(flag.Target.Interface())
	nodes := []*yaml.Node{value}
	if value.Kind == yaml.SequenceNode && flag.IsSlice() {
		nodes = value.Content
	}
	var values []string
	for _, n := range nodes {
		if err := checkScalar(n, want); err != nil {
			return err
		}
		values = append(values, n.Value)
	}
	f.entries[key.Value] = entry{strings.Join(values, ","), key.Line}
	return nil
}

// nearest returns the known setting that differs in the fewest letters from
// word, if these are few; "" if none does.
func nearest(word string, known map[string]*kong.Flag) string {
	word = strings.ToLower(strings.ReplaceAll(word, "_", "-"))
	best, least := "", 1+len(word)/3
	for _, name := range append(slices.Collect(maps.Keys(known)), "topics") {
		if d := spell.Distance(word, name); d < least || d == least && name < best {
			best, least = name, d
		}
	}
	return best
}
