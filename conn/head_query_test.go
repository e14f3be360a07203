package conn_test

import (
	"errors"
	"fmt"
	"net/url"
	"reflect"
	"strings"
	"testing"

	"github.com/pushd/pushd/conn"
)

// readQuery lists the pairs of a query as "key=value", and the error that ends them.
func readQuery(query, scratch []byte) (pairs []string, err error) {
	for {
		key, value, rest, ok, err := conn.NextQuery(query, scratch)
		if !ok {
			return pairs, err
		}
		pairs = append(pairs, fmt.Sprintf("%q=%q", key, value))
		query = rest
	}
}

func TestNextQuery(t *testing.T) {
	for _, test := range []struct {
		label, query string
		want         []string
		bad          bool
	}{
		{"nothing", "", nil, false},
		{"pairs", "topic=A&topic=B&since=k3f9:41", []string{`"topic"="A"`, `"topic"="B"`, `"since"="k3f9:41"`}, false},
		{"escapes", "t%6Fpic=%e2%82%AC+1%2B1%26", []string{`"topic"="€ 1+1&"`}, false},
		{"no equals sign", "a&b=", []string{`"a"=""`, `"b"=""`}, false},
		{"a second equals sign", "a=b=c", []string{`"a"="b=c"`}, false},
		{"no key", "=x", []string{`""="x"`}, false},
		{"empty pairs", "&&a=1&&", []string{`"a"="1"`}, false},
		{"any bytes", "a=%00%ff", []string{`"a"="\x00\xff"`}, false},
		{"an escape cut short", "a=1&b=%4", []string{`"a"="1"`}, true},
		{"a percent sign last", "a=%", nil, true},
		{"an escape of no digits", "%zz=1", nil, true},
		{"one good digit", "a=%4g", nil, true},
	} {
		t.Run(test.label, func(t *testing.T) {
			for _, room := range []int{0, len(test.query)} { // too little, and what is always enough
				got, err := readQuery([]byte(test.query), make([]byte, 0, room))
				if !reflect.DeepEqual(got, test.want) || err != nil != test.bad {
					t.Errorf("with room for %d: %q, %v; want %q", room, got, err, test.want)
				}
				var refusal *conn.Refusal
				if test.bad && (!errors.As(err, &refusal) || refusal.Status != 400) {
					t.Errorf("the error is %v, want a 400", err)
				}
			}
		})
	}
}

// FuzzNextQuery compares with net/url, which differs in one thing: it refuses semicolons.
func FuzzNextQuery(f *testing.F) {
	f.Add("topic=A&topic=B&since=k3f9:41")
	f.Add("a=%41+%2B&&b&=c&%zz")
	f.Fuzz(func(t *testing.T, query string) {
		if strings.Contains(query, ";") {
			t.Skip()
		}
		scratch := make([]byte, 0, len(query))
		got := url.Values{}
		rest := []byte(query)
		for {
			key, value, next, ok, err := conn.NextQuery(rest, scratch)
			want, wantErr := url.ParseQuery(query)
			if err != nil && wantErr == nil {
				t.Fatalf("%q: %v, net/url has no objection", query, err)
			}
			if err == nil && !ok {
				if wantErr != nil || !reflect.DeepEqual(got, want) {
					t.Fatalf("%q: %q; net/url: %q, %v", query, got, want, wantErr)
				}
			}
			if !ok {
				return
			}
			got.Add(string(key), string(value))
			rest = next
		}
	})
}
