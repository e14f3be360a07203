package dialect_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/pushd/pushd/internal/dialect"
)

func TestPatternMatch(t *testing.T) {
	for _, c := range []struct {
		pattern, topic string
		want           bool
	}{
		{"news", "news", true},
		{"news", "new", false},
		{"news", "news.eu", false},
		{"news.eu", "news", false},
		{"*", "news", true},
		{"*", "news.eu", false},
		{"news.*", "news.eu", true},
		{"news.*", "news", false},
		{"news.*", "news.eu.de", false},
		{"*.eu", "news.eu", true},
		{"*.eu", "news.us", false},
		{"news.*.de", "news.eu.de", true},
		{">", "news", true},
		{">", "news.eu.de", true},
		{"news.>", "news.eu.de", true},
		{"news.>", "news", false},
		{"news.>", "newsx.eu", false},
		{"*.>", "news", false},
		{"*.>", "news.eu", true},
		{">", "$user.42", false},
		{"*.42", "$user.42", false},
		{"$user.*", "$user.42", true},
		{"$user.*", "user.42", false},
		{"*.$x", "a.$x", true},
	} {
		p, err := dialect.ParsePattern(c.pattern)
		if err != nil {
			t.Fatal(err)
		}
		if got := p.Match(c.topic); got != c.want {
			t.Errorf("%q matches %q: %v, want %v", c.pattern, c.topic, got, c.want)
		}
		if n := testing.AllocsPerRun(10, func() { p.Match(c.topic) }); n != 0 {
			t.Errorf("%q on %q: %v allocations, want none", c.pattern, c.topic, n)
		}
	}
	if (dialect.Pattern{}).Match("news") || (dialect.Pattern{}).Match("") {
		t.Error("the zero Pattern matches")
	}
}

func TestParsePatternRefuses(t *testing.T) {
	for pattern, part := range map[string]string{
		"":         "at least one",
		"a.":       "at least one",
		".a":       "at least one",
		"a..b":     "at least one",
		">.a":      "stand last",
		"a.>.b":    "stand last",
		"a*":       "/ , * >",
		"a.>b":     "/ , * >",
		"**":       "/ , * >",
		"a b":      "white space",
		"a/b":      "/ , * >",
		"a\xff.b":  "UTF-8",
		"*.\x00.>": "control",

		strings.Repeat("a", 256): "at most 255",
	} {
		p, err := dialect.ParsePattern(pattern)
		wantError(t, pattern, err, "bad_request", part)
		if p.String() != "" {
			t.Errorf("%q: %v, yet %q", pattern, err, p)
		}
	}
}

func TestPatternList(t *testing.T) {
	list, err := dialect.ParsePatternList([]string{"news.eu", "news.*", "demo.>"})
	if err != nil {
		t.Fatal(err)
	}
	for topic, want := range map[string]int{"news.eu": 0, "news.us": 1, "demo.a.b": 2, "chat": -1} {
		if got := list.Match(topic); got != want {
			t.Errorf("%q matches pattern %d, want %d", topic, got, want)
		}
	}
	_, err = dialect.ParsePatternList([]string{"a", "b*"})
	wantError(t, "second is bad", err, "bad_request", `"b*"`)
}

// The matcher against a regular expression made from the pattern.
func FuzzPattern(f *testing.F) {
	for _, c := range [][2]string{
		{"news.*", "news.eu"}, {">", "a.b"}, {"*.>", "a.b.c"}, {"a.>.b", "a"}, {"$user.*", "$user.1"}, {">", "$a"},
		{"a.*.c", "a.b.c"}, {"日本.*", "日本.x"}, {"a.b", "a.b.c"}, {"a.b.c", "a.b"}, {"*", "a\xff"},
	} {
		f.Add(c[0], c[1])
	}
	f.Fuzz(func(t *testing.T, pattern, topic string) {
		p, err := dialect.ParsePattern(pattern)
		if err != nil || dialect.CheckTopic(strings.TrimPrefix(topic, "$")) != nil || len(topic) > dialect.MaxTopic {
			return
		}
		if p.String() != pattern {
			t.Fatalf("%q was read as %q", pattern, p)
		}
		expr := strings.NewReplacer(`\*`, `[^.]+`, `>`, `.+`).Replace(regexp.QuoteMeta(pattern))
		want := regexp.MustCompile(`^` + expr + `$`).MatchString(topic)
		if topic[0] == '$' && pattern[0] != '$' {
			want = false
		}
		if got := p.Match(topic); got != want {
			t.Errorf("%q matches %q: %v, want %v", pattern, topic, got, want)
		}
	})
}
