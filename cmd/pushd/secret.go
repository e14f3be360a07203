package main

import (
	"fmt"
	"os"
	"strings"
)

// secrets reads one token or more, a line each, as secret does.
func (w *world) secrets(file, variable string) (tokens []string, err error) {
	if file == "" {
		token, err := w.secret("", variable)
		if token == "" {
			return nil, err
		}
		return []string{token}, nil
	}
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, usagef("token: %w", err)
	}
	for line := range strings.Lines(string(b)) {
		token := strings.TrimSpace(line)
		if strings.ContainsAny(token, " \t") {
			return nil, usageError{fmt.Errorf("%s: expected a token a line, and nothing else", file)}
		}
		if token != "" {
			tokens = append(tokens, token)
		}
	}
	if tokens == nil {
		return nil, usageError{fmt.Errorf("%s: expected a token a line: it has none", file)}
	}
	return tokens, nil
}

// secret reads a token from file, or where there is none from the variable.
// It is "" where neither is given: there is no flag for it, since flags can be
// read by other users of the host.
func (w *world) secret(file, variable string) (string, error) {
	token, _ := w.env(variable)
	from := variable
	if file != "" {
		b, err := os.ReadFile(file)
		if err != nil {
			return "", usagef("token: %w", err)
		}
		token, from = string(b), file
	} else if token == "" {
		return "", nil
	}
	token = strings.TrimSpace(token)
	if token == "" || strings.ContainsAny(token, " \t\r\n") {
		return "", usageError{fmt.Errorf("%s: expected one token, and nothing else", from)}
	}
	return token, nil
}
