package dialect_test

import (
	"strings"
	"testing"

	"github.com/pushd/pushd/broadcast"
	"github.com/pushd/pushd/internal/dialect"
)

func TestParsePosition(t *testing.T) {
	for _, c := range []struct {
		name, in string
		want     dialect.Position
		refuse   string
	}{
		{name: "usual", in: "k3f9:42", want: dialect.Position{Epoch: "k3f9", Offset: 42}},
		{name: "before the first", in: "k3f9:0", want: dialect.Position{Epoch: "k3f9"}},
		{name: "greatest", in: "A_-9:9007199254740991", want: dialect.Position{Epoch: "A_-9", Offset: 1<<53 - 1}},
		{name: "longest epoch", in: strings.Repeat("e", 32) + ":1", want: dialect.Position{Epoch: strings.Repeat("e", 32), Offset: 1}},
		{name: "too great", in: "k3f9:9007199254740992", refuse: "below 2^53"},
		{name: "beyond 64 bits", in: "k3f9:18446744073709551616", refuse: "below 2^53"},
		{name: "leading zero", in: "k3f9:042", refuse: "decimal offset"},
		{name: "sign", in: "k3f9:+4", refuse: "decimal offset"},
		{name: "underscore", in: "k3f9:1_0", refuse: "decimal offset"},
		{name: "second colon", in: "k3f9:4:2", refuse: "decimal offset"},
		{name: "no offset", in: "k3f9:", refuse: "decimal offset"},
		{name: "no epoch", in: ":42", refuse: "EPOCH:OFFSET"},
		{name: "no colon", in: "42", refuse: "EPOCH:OFFSET"},
		{name: "empty", in: "", refuse: "EPOCH:OFFSET"},
		{name: "quote in the epoch", in: `k":1`, refuse: "before the colon"},
		{name: "long epoch", in: strings.Repeat("e", 33) + ":1", refuse: "1 to 32"},
	} {
		got, err := dialect.ParsePosition(c.in)
		if got != c.want {
			t.Errorf("%s: %+v, want %+v", c.name, got, c.want)
		}
		if c.refuse != "" {
			wantError(t, c.name, err, "bad_request", c.refuse)
		} else if err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func TestParseMessagePosition(t *testing.T) {
	if got, err := dialect.ParseMessagePosition("k3f9:1"); err != nil || got != (broadcast.Position{Epoch: "k3f9", Offset: 1}) {
		t.Errorf("%+v, %v", got, err)
	}
	for in, refuse := range map[string]string{"k3f9:0": "at least 1", "k3f9:": "decimal offset", "": "EPOCH:OFFSET"} {
		got, err := dialect.ParseMessagePosition(in)
		wantError(t, in, err, "bad_request", refuse)
		if got.Epoch != "" {
			t.Errorf("%s: %+v", in, got)
		}
	}
}

func FuzzPosition(f *testing.F) {
	for _, s := range []string{"k3f9:42", "k3f9:0", "a:00", "a:9007199254740991", "a:9007199254740992", ":1", "a:", "é:1", "a\x00:1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p, err := dialect.ParsePosition(s)
		if err != nil {
			if !p.IsZero() {
				t.Errorf("%q: %v, yet %+v", s, err, p)
			}
			return
		}
		if p.String() != s || p.IsZero() || p.Offset > dialect.MaxOffset {
			t.Errorf("%q was read as %+v", s, p)
		}
		envelope(t, dialect.AppendPublished(nil, nil, "t", p))
	})
}
