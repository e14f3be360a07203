package main

import (
	"fmt"
	"os"
	"strings"
)

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
