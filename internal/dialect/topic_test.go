package dialect_test

import (
	"strings"
	"testing"

	"github.com/pushd/pushd/internal/dialect"
)

func TestCheckTopic(t *testing.T) {
	for _, c := range []struct{ name, topic, refuse string }{
		{"one segment", "news", ""},
		{"segments", "quotes.AMZN.bid", ""},
		{"one byte", "a", ""},
		{"longest", strings.Repeat("a", 255), ""},
		{"beyond ASCII", "börse.日本.😀", ""},
		{"punctuation", `a-b_c:d@e#f"g\h$`, ""},
		{"U+FFFD itself", "a\uFFFD", ""},
		{"dollar later", "a.$b", ""},
		{"empty", "", "at least one"},
		{"too long", strings.Repeat("a", 256), "256 bytes"},
		{"leading dot", ".a", "empty"},
		{"trailing dot", "a.", "empty"},
		{"two dots", "a..b", "empty"},
		{"only a dot", ".", "empty"},
		{"slash", "a/b", "/ , * >"},
		{"comma", "a,b", "/ , * >"},
		{"star", "a.*", "/ , * >"},
		{"greater", "a.>", "/ , * >"},
		{"space", "a b", "white space"},
		{"tab", "a\tb", "white space"},
		{"NUL", "a\x00", "control"},
		{"DEL", "a\x7f", "control"},
		{"C1 control", "a\u0085", "control"},
		{"no-break space", "a\u00a0b", "white space"},
		{"line separator", "a\u2028b", "white space"},
		{"not UTF-8", "a\xffb", "UTF-8"},
		{"cut rune", "a\xe2\x82", "UTF-8"},
		{"reserved", "$user.42", "reserved"},
	} {
		err := dialect.CheckTopic(c.topic)
		if c.refuse == "" {
			if err != nil {
				t.Errorf("%s: %v", c.name, err)
			}
			continue
		}
		e := wantError(t, c.name, err, "bad_topic", c.refuse)
		if len(c.topic) <= 255 && e.Topic != c.topic || len(c.topic) > 255 && e.Topic != "" {
			t.Errorf("%s: the error is about %q", c.name, e.Topic)
		}
	}
}

func TestCheckUser(t *testing.T) {
	for _, c := range []struct{ label, user, refuse string }{
		{"digits", "42", ""},
		{"anything that a segment may hold", "a-b_c:d@ü$😀", ""},
		{"longest", strings.Repeat("u", 128), ""},
		{"too long", strings.Repeat("u", 129), "129 bytes, expected at most 128"},
		{"empty", "", "at least one"},
		{"a dot", "a.b", "dot"},
		{"a space", "a b", "white space"},
		{"a wildcard", "*", "/ , * >"},
		{"not UTF-8", "\xff", "UTF-8"},
	} {
		user, topic := dialect.CheckUser(c.user), dialect.CheckTopicOrUser("$user."+c.user)
		if c.refuse != "" {
			wantError(t, c.label, user, "bad_request", c.refuse)
			wantError(t, c.label, topic, "bad_topic", c.refuse)
		} else if user != nil || topic != nil {
			t.Errorf("%s: %v, %v", c.label, user, topic)
		}
	}
	for topic, refuse := range map[string]string{"$user": "reserved", "$users.1": "reserved", "a b": "white space", "": "at least one"} {
		wantError(t, topic, dialect.CheckTopicOrUser(topic), "bad_topic", refuse)
	}
	if err := dialect.CheckTopicOrUser("user.42"); err != nil {
		t.Error(err)
	}
}

func TestCheckKeyAndEvent(t *testing.T) {
	for _, c := range []struct{ name, s, refuse string }{
		{"empty", "", ""},
		{"anything printable", "o-17 / ü , * > 😀", ""},
		{"longest", strings.Repeat("k", 255), ""},
		{"too long", strings.Repeat("k", 256), "256 bytes"},
		{"newline", "a\nb", "control"},
		{"not UTF-8", "a\xff", "UTF-8"},
	} {
		for what, check := range map[string]func(string) error{"key": dialect.CheckKey, "event": dialect.CheckEvent} {
			err := check(c.s)
			if c.refuse != "" {
				wantError(t, c.name, err, "bad_request", c.refuse)
				wantError(t, c.name, err, "bad_request", what)
			} else if err != nil {
				t.Errorf("%s %s: %v", what, c.name, err)
			}
		}
	}
}
