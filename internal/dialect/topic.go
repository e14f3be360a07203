package dialect

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/pushd/pushd/broadcast"
)

const (
	MaxTopic = 255 // most bytes of a topic's name
	MaxName  = 255 // most bytes of a key, an event or an id
	MaxUser  = 128 // most bytes of a user's id
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
	return refuseTopic(name, why)
}

// CheckTopicOrUser is CheckTopic for those who may also name the topic of a
// user, which is broadcast.UserPrefix and what CheckUser accepts.
func CheckTopicOrUser(name string) error {
	user, found := strings.CutPrefix(name, broadcast.UserPrefix)
	if !found {
		return CheckTopic(name)
	}
	return refuseTopic(name, checkUser(user))
}

func refuseTopic(name, why string) error {
	if why == "" {
		return nil
	}
	return refuse(CodeBadTopic, "topic %s: %s", excerpt(name), why).about(name)
}

// CheckUser says whether id may be a user's: 1 to MaxUser bytes that could be
// one segment of a topic's name. The error is a bad_request.
func CheckUser(id string) error {
	if why := checkUser(id); why != "" {
		return refuse(CodeBadRequest, "user %s: %s", excerpt(id), why)
	}
	return nil
}

func checkUser(id string) string {
	switch {
	case len(id) > MaxUser:
		return "the user is " + strconv.Itoa(len(id)) + " bytes, expected at most " + strconv.Itoa(MaxUser)
	case strings.Contains(id, "."):
		return "a user may not contain a dot"
	}
	return checkSegments(id)
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

// CheckID says whether s may be the id by which a repetition of a message is
// known: as CheckKey does, but it may not be empty.
func CheckID(s string) error {
	if s == "" {
		return refuse(CodeBadRequest, "id is empty, expected 1 to %d bytes", MaxName)
	}
	return checkName("id", s)
}

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
