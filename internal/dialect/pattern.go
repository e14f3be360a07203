package dialect

import "strings"

// Pattern matches topics as in NATS: segment by segment, where "*" stands for
// any one segment and a last ">" for one or more. A wildcard in first place
// does not match a reserved topic, one that begins with '$': whoever opens ">"
// does not mean those.
type Pattern struct{ segments string }

// ParsePattern reads a pattern. The error is a bad_request.
func ParsePattern(s string) (Pattern, error) {
	if len(s) > MaxTopic {
		return Pattern{}, refuse(CodeBadRequest, "pattern %s is %d bytes, expected at most %d", excerpt(s), len(s), MaxTopic)
	}
	rest, more := s, true
	for more {
		var segment string
		segment, rest, more = strings.Cut(rest, ".")
		why := ""
		switch {
		case segment == "*", segment == ">" && !more:
		case segment == ">":
			why = "> may only stand last"
		default:
			why = checkSegments(segment)
		}
		if why != "" {
			return Pattern{}, refuse(CodeBadRequest, "pattern %s: segment %s: %s", excerpt(s), excerpt(segment), why)
		}
	}
	return Pattern{s}, nil
}

// String returns the pattern as it was read.
func (p Pattern) String() string { return p.segments }

// Match reports whether the topic, one that CheckTopic accepts, matches. The
// zero Pattern matches nothing.
func (p Pattern) Match(topic string) bool {
	if p.segments == "" || topic == "" || topic[0] == '$' && p.segments[0] != '$' {
		return false
	}
	rest := p.segments
	for {
		want, wants, wantMore := strings.Cut(rest, ".")
		if want == ">" {
			return true
		}
		have, has, haveMore := strings.Cut(topic, ".")
		if want != "*" && want != have {
			return false
		}
		if !wantMore || !haveMore {
			return wantMore == haveMore
		}
		rest, topic = wants, has
	}
}

// PatternList is patterns in the order in which they are tried.
type PatternList []Pattern

// ParsePatternList reads patterns; the error is that of the first bad one.
func ParsePatternList(list []string) (PatternList, error) {
	patterns := make(PatternList, len(list))
	for i, s := range list {
		var err error
		if patterns[i], err = ParsePattern(s); err != nil {
			return nil, err
		}
	}
	return patterns, nil
}

// Match returns the index of the first pattern that the topic matches, or -1.
func (l PatternList) Match(topic string) int {
	for i, p := range l {
		if p.Match(topic) {
			return i
		}
	}
	return -1
}
