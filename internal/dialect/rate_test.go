package dialect_test

import (
	"encoding/json"
	"testing"

	"github.com/pushd/pushd/internal/dialect"
)

func TestParseRate(t *testing.T) {
	for _, c := range []struct {
		in   string
		want float64
		ok   bool
	}{
		{"0.1", 0.1, true}, {"2", 2, true}, {"2.0", 2, true}, {"3e0", 3, true}, {"50", 50, true},
		{"50.1", 0, true}, {"1e999", 0, true},
		{"0.09", 0, false}, {"0", 0, false}, {"-1", 0, false}, {"-1e999", 0, false}, {"1e-999", 0, false},
		{"", 0, false}, {"2x", 0, false}, {"2 ", 0, false}, {"+2", 0, false}, {"0x2", 0, false}, {"Inf", 0, false}, {"NaN", 0, false},
		{`"2"`, 0, false}, {"true", 0, false}, {"[2]", 0, false}, {"{}", 0, false},
	} {
		got, err := dialect.ParseRate(c.in)
		if got != c.want || (err == nil) != c.ok {
			t.Errorf("%q: %v, %v, want %v", c.in, got, err, c.want)
		}
		if err != nil {
			wantError(t, c.in, err, "bad_request", "max_rate")
			wantError(t, c.in, err, "bad_request", "at least 0.1")
		}
	}
}

func FuzzRate(f *testing.F) {
	for _, s := range []string{"0.1", "2.5", "50", "51", "1e999", "-0", "0x1", "1_0", "NaN", " 1", "1 ", "1e-1", `"1"`, "[1]"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		rate, err := dialect.ParseRate(s)
		var number json.Number
		if err != nil {
			wantError(t, s, err, "bad_request", "max_rate")
		} else if json.Unmarshal([]byte(s), &number) != nil || rate != 0 && (rate < 0.1 || rate > 50) {
			t.Errorf("%q was read as %v", s, rate)
		}
	})
}
