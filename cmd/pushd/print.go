package main

import (
	"fmt"
	"reflect"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
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
