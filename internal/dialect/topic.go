package dialect

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	MaxTopic = 255 // most bytes of a topic's name
	MaxName  = 255 // most bytes of a key or an event
)

// CheckTopic says whether name may be a topic's: 1 to MaxTopic bytes of UTF-8
// in segments separated by '.', none of them empty, without control
// characters, white space (Unicode's, so that what looks the same is the
// same), or any of / , * >. A leading '$' is reserved. The error is a
// bad_topic that names the topic.
func CheckTopic(name string) error {
	why := checkSegments(name)
	if why == "" && name[0] == '$' {
		why = "a leading $ is reserved"
	}
	if why != "" {
		return refuse(CodeBadTopic, "topic %s: %s", excerpt(name), why).about(name)
	}
	return nil
}

// checkSegments says what is wrong with name apart from a leading '$', or "".
func checkSegments(name string) string {
	if len(name) == 0 {
		return "expected at least one character"
	}
	if len(name) > MaxTopic {
		return "is " + strconv.Itoa(len(name)) + " bytes, expected at most " + strconv.Itoa(MaxTopic)
	}
	last := '.'
	for i, r := range name {
		switch {
		case r == '.' && last == '.':
			return "a segment between dots is empty"
		case r == '/' || r == ',' || r == '*' || r == '>':
			return "may not contain / , * >"
		case r <= ' ' || r >= 0x7f && (unicode.IsControl(r) || unicode.IsSpace(r)):
			return "may not contain white space or control characters"
		case r == utf8.RuneError && !utf8.ValidString(name[i:]):
			return "is not UTF-8"
		}
		last = r
	}
	if last == '.' {
		return "a segment between dots is empty"
	}
	return ""
}

// CheckKey says whether s may be a message's key: at most MaxName bytes of
// UTF-8 without control characters. The error is a bad_request.
func CheckKey(s string) error { return checkName("key", s) }

// CheckEvent says whether s may be a message's event, as CheckKey does.
func CheckEvent(s string) error { return checkName("event", s) }

func checkName(what, s string) error {
	switch {
	case len(s) > MaxName:
		return refuse(CodeBadRequest, "%s is %d bytes, expected at most %d", what, len(s), MaxName)
	case !utf8.ValidString(s):
		return refuse(CodeBadRequest, "%s %s is not UTF-8", what, excerpt(s))
	case strings.ContainsFunc(s, unicode.IsControl):
		return refuse(CodeBadRequest, "%s %s may not contain control characters", what, excerpt(s))
	}
	return nil
}

// excerpt quotes what somebody sent, for an error's message: 64 bytes of it
// are enough to know it by.
func excerpt(s string) string {
	const most = 64
	if len(s) <= most {
		return strconv.Quote(s)
	}
	return strconv.Quote(strings.ToValidUTF8(s[:most], "")) + "…"
}
