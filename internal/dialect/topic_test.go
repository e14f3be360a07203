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
