package main

import (
	"fmt"
	"os"
	"strings"
)

// markers are the lines between which a scenario's table stands in a document.
func markers(scenario string) (begin, end string) {
	return "<!-- fanout " + scenario + ": begin -->\n", "<!-- fanout " + scenario + ": end -->\n"
}

// replace returns document with text between the markers of a scenario, and all else as it was.
func replace(document, scenario, text string) (string, error) {
	begin, end := markers(scenario)
	before, rest, ok1 := strings.Cut(document, begin)
	_, after, ok2 := strings.Cut(rest, end)
	if !ok1 || !ok2 {
		return "", fmt.Errorf("expected the lines %q and, below, %q", strings.TrimSpace(begin), strings.TrimSpace(end))
	}
	return before + begin + text + end + after, nil
}

// rewrite puts text between the markers of a scenario in a file.
func rewrite(path, scenario, text string) error {
	document, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	changed, err := replace(string(document), scenario, text)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return os.WriteFile(path, []byte(changed), 0o644)
}
