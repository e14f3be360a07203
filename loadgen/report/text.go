package report

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// clean makes s one line that a terminal shows and does not obey: what a server
// said may hold escape sequences, line ends, or bytes that are no text.
func clean(s string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case !unicode.IsPrint(r):
			return utf8.RuneError
		}
		return r
	}, s)
	return strings.Join(strings.Fields(s), " ")
}

// cut shortens s to n runes.
func cut(s string, n int) string {
	if r := []rune(s); len(r) > n {
		return string(r[:n-1]) + "…"
	}
	return s
}

// pad fills s with spaces up to n runes, on the left where right is set.
func pad(s string, n int, right bool) string {
	fill := strings.Repeat(" ", max(0, n-utf8.RuneCountInString(s)))
	if right {
		return fill + s
	}
	return s + fill
}

// wrap breaks text after lead into lines of at most width runes, the later ones
// under the text of the first. The lead is far shorter than the width.
func wrap(lead, text string, width int) []string {
	indent := strings.Repeat(" ", utf8.RuneCountInString(lead))
	var lines []string
	line, empty := lead, true
	for _, word := range strings.Fields(text) {
		for {
			room := width - utf8.RuneCountInString(line)
			if !empty {
				room-- // for the space
			}
			if utf8.RuneCountInString(word) <= room {
				break
			}
			if empty { // longer than a line
				r := []rune(word)
				line, word = line+string(r[:room]), string(r[room:])
			}
			lines = append(lines, line)
			line, empty = indent, true
		}
		if !empty {
			line += " "
		}
		line, empty = line+word, false
	}
	return append(lines, line)
}
