package main

import (
	"fmt"
	"io"
	"reflect"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/pushd/pushd/broadcast"
	"github.com/pushd/pushd/internal/server"
)

// print writes the effective settings as a file that gives the same ones, with
// a comment where one was not the default.
func (c *settings) print(w *world) error {
	v := reflect.ValueOf(*c)
	for i := range v.NumField() {
		name := flagName(v.Type().Field(i).Name)
		value := v.Field(i).Interface()
		switch v := value.(type) {
		case size:
			value = v.String()
		case time.Duration:
			value = duration(int64(v))
		case []string:
			value = append([]string{}, v...) // [] and not null
		}
		b, err := yaml.Marshal(map[string]any{name: value})
		if err != nil {
			return err
		}
		line := strings.TrimSuffix(string(b), "\n")
		if origin, ok := w.sources.origin[name]; ok {
			key, rest, _ := strings.Cut(line, "\n")
			line = strings.TrimSuffix(key+" # "+strings.TrimSuffix(origin, ": "+name)+"\n"+rest, "\n")
		}
		if _, err := fmt.Fprintln(w.stdout, line); err != nil {
			return err
		}
	}
	return nil
}

// flagName is how kong names a field: LogLimit is log-limit.
func flagName(field string) string {
	var b strings.Builder
	for i, r := range field {
		if i > 0 && 'A' <= r && r <= 'Z' {
			b.WriteByte('-')
		}
		b.WriteRune(r)
	}
	return strings.ToLower(b.String())
}

// printedRule is a rule as the file has it.
type printedRule struct {
	Pattern     string          `yaml:"pattern"`
	Slow        string          `yaml:"slow"`
	MaxRate     float64         `yaml:"max_rate,omitempty"`
	Retain      bool            `yaml:"retain,omitempty"`
	RetainFor   string          `yaml:"retain_for,omitempty"`
	MaxKeys     int             `yaml:"max_keys,omitempty"`
	MaxKeyBytes string          `yaml:"max_key_bytes,omitempty"`
	Log         string          `yaml:"log,omitempty"`
	History     *printedHistory `yaml:"history,omitempty"`
	CompressMin string          `yaml:"compress_min,omitempty"`
}

type printedHistory struct {
	Count int    `yaml:"count,omitempty"`
	Bytes string `yaml:"bytes,omitempty"`
	Age   string `yaml:"age,omitempty"`
}

// printTopics writes the rules as a file that gives the same ones.
func printTopics(w io.Writer, rules []server.TopicRule) error {
	printed := []printedRule{}
	for _, r := range rules {
		s := r.Settings
		p := printedRule{
			r.Pattern.String(), s.Slow.String(), s.MaxRate, s.Retain, unless0(duration, s.RetainFor),
			s.MaxKeys, unless0(bytes, s.MaxKeyBytes), unless0(bytes, s.LogLimit), nil, "off",
		}
		if s.Deflate >= 0 {
			p.CompressMin = unless0(bytes, s.Deflate)
		}
		if h := s.History; h != (broadcast.History{}) {
			p.History = &printedHistory{h.Count, unless0(bytes, h.Bytes), unless0(duration, h.Age)}
		}
		printed = append(printed, p)
	}
	b, err := yaml.Marshal(map[string]any{"topics": printed})
	if err != nil {
		return err
	}
	_, err = w.Write(b)
	return err
}

func unless0[T int | time.Duration](show func(int64) string, v T) string {
	if v == 0 {
		return ""
	}
	return show(int64(v))
}
