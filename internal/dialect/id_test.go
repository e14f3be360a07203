package dialect_test

import (
	"strings"
	"testing"

	"github.com/pushd/pushd/internal/dialect"
)

func TestParseIdempotencyKey(t *testing.T) {
	for _, c := range []struct{ label, in, want, refuse string }{
		{"in quotes", `"8e03978e-40d5-43dd-bc93-6894a57f9324"`, "8e03978e-40d5-43dd-bc93-6894a57f9324", ""},
		{"as it is", "8e03978e-40d5-43dd-bc93-6894a57f9324", "8e03978e-40d5-43dd-bc93-6894a57f9324", ""},
		{"escapes", `"a\"b\\c"`, `a"b\c`, ""},
		{"a backslash without quotes", `a\b`, `a\b`, ""},
		{"beyond ASCII", "ü 1", "ü 1", ""},
		{"longest", strings.Repeat("i", 255), strings.Repeat("i", 255), ""},
		{"longest in quotes", `"` + strings.Repeat(`\"`, 255) + `"`, strings.Repeat(`"`, 255), ""},
		{"too long", strings.Repeat("i", 256), "", "id is 256 bytes, expected at most 255"},
		{"nothing", "", "", "id is empty"},
		{"nothing in quotes", `""`, "", "id is empty"},
		{"one quote", `"`, "", "a string in quotes"},
		{"no end", `"a`, "", "a string in quotes"},
		{"an escaped end", `"a\"`, "", "a string in quotes"},
		{"another escape", `"a\n"`, "", "a string in quotes"},
		{"parameters", `"a";b=1`, "", "a string in quotes"},
		{"a control character", `"a` + "\t" + `b"`, "", "control"},
		{"not UTF-8", "\xff", "", "UTF-8"},
	} {
		got, err := dialect.ParseIdempotencyKey(c.in)
		if got != c.want {
			t.Errorf("%s: %q, want %q", c.label, got, c.want)
		}
		if c.refuse != "" {
			wantError(t, c.label, err, "bad_request", c.refuse)
			wantError(t, c.label, err, "bad_request", "Idempotency-Key")
		} else if err != nil {
			t.Errorf("%s: %v", c.label, err)
		}
	}
}

// Whatever is taken may be an id, and in quotes it is the same.
func FuzzIdempotencyKey(f *testing.F) {
	for _, s := range []string{`"8e03978e"`, "8e03978e", `"a\"b\\c"`, `a\b`, `"`, `""`, `"a";b`, "\xff", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		id, err := dialect.ParseIdempotencyKey(s)
		if err != nil {
			wantError(t, s, err, "bad_request", "Idempotency-Key")
			return
		}
		if err := dialect.CheckID(id); err != nil {
			t.Errorf("%q was read as %q: %v", s, id, err)
		}
		if again, err := dialect.ParseIdempotencyKey(`"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(id) + `"`); again != id || err != nil {
			t.Errorf("%q was read as %q, which in quotes is %q: %v", s, id, again, err)
		}
	})
}
