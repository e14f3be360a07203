package main

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/alecthomas/kong"
)

// sources finds the settings that are not on the command line, in the
// environment and then in the file, and knows where each came from.
type sources struct {
	env    func(string) (string, bool)
	file   *configFile       // nil until the first flag is looked for; then perhaps empty
	origin map[string]string // by flag: how messages name the setting
}

var _ kong.Resolver = (*sources)(nil)

func newSources(env func(string) (string, bool)) *sources {
	return &sources{env: env, origin: make(map[string]string)}
}

func envName(flag string) string {
	return "PUSHD_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// helpWithEnv names the variable behind each flag's help.
func helpWithEnv(v *kong.Value) string {
	if v.Flag == nil || v.Name == "help" || v.Name == "version" {
		return v.Help
	}
	return strings.TrimSuffix(v.Help, ".") + " ($" + envName(v.Name) + ")."
}

// Validate is part of kong.Resolver.
func (s *sources) Validate(*kong.Application) error { return nil }

// Resolve gives a flag's value from the environment or the file, nil if it
// stands in neither. It is not asked about flags of the command line.
func (s *sources) Resolve(command *kong.Context, parent *kong.Path, flag *kong.Flag) (any, error) {
	if parent.Command == nil { // --help and --version
		return nil, nil
	}
	if value, ok := s.env(envName(flag.Name)); ok {
		s.origin[flag.Name] = envName(flag.Name)
		return s.checked(flag, value)
	}
	if parent.Command.Name != "serve" {
		return nil, nil
	}
	if s.file == nil {
		if err := s.load(command, parent.Command); err != nil {
			return nil, usageError{err}
		}
	}
	entry, ok := s.file.entries[flag.Name]
	if !ok {
		return nil, nil
	}
	s.origin[flag.Name] = fmt.Sprintf("%s:%d: %s", s.file.name, entry.line, flag.Name)
	return s.checked(flag, entry.value)
}

// checked tries a value, so that a bad one is named with its origin, which
// kong would not do.
func (s *sources) checked(flag *kong.Flag, value string) (any, error) {
	scan := kong.ScanFromTokens(kong.Token{Type: kong.FlagValueToken, Value: value})
	if flag.Parse(scan, reflect.New(flag.Target.Type()).Elem()) != nil {
		return nil, s.bad(flag.Name, value, expected(flag.Target.Interface()))
	}
	return value, nil
}

// note completes the origins once the command line is parsed.
func (s *sources) note(command *kong.Context) {
	for _, path := range command.Path {
		if path.Flag != nil && !path.Resolved {
			s.origin[path.Flag.Name] = "--" + path.Flag.Name
		}
	}
}

// bad says what is wrong with a setting: where it came from, what it is, and
// what was expected.
func (s *sources) bad(flag string, value any, expected string) error {
	return usagef("%s: %s: expected %s", s.where(flag), show(value), expected)
}

func show(value any) string {
	if s, ok := value.(string); ok {
		return fmt.Sprintf("%q", s)
	}
	return fmt.Sprint(value)
}

// where names a setting as the person who set it knows it.
func (s *sources) where(flag string) string {
	if origin, ok := s.origin[flag]; ok {
		return origin
	}
	return "--" + flag
}

func (s *sources) isSet(flag string) bool { return s.origin[flag] != "" }
