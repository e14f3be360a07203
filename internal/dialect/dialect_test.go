package dialect_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/pushd/pushd/internal/dialect"
)

func TestChoice(t *testing.T) {
	for _, c := range []struct {
		name, offers string
		want         dialect.ID
		echo, refuse bool
	}{
		{name: "nothing offered", want: dialect.Raw},
		{name: "raw", offers: "pushd.raw.v1", want: dialect.Raw, echo: true},
		{name: "json", offers: "pushd.v1", want: dialect.JSON, echo: true},
		{name: "the client's order counts", offers: "pushd.v1 pushd.raw.v1", want: dialect.JSON, echo: true},
		{name: "the other order", offers: "pushd.raw.v1 pushd.v1", want: dialect.Raw, echo: true},
		{name: "bearer before", offers: "bearer.abc pushd.v1", want: dialect.JSON, echo: true},
		{name: "bearer after", offers: "pushd.v1 bearer.abc", want: dialect.JSON, echo: true},
		{name: "only a bearer", offers: "bearer.abc", want: dialect.Raw},
		{name: "bearer names a dialect", offers: "bearer.pushd.v1", want: dialect.Raw},
		{name: "unknown before", offers: "mqtt pushd.v1", want: dialect.JSON, echo: true},
		{name: "unknown after", offers: "pushd.v1 mqtt", want: dialect.JSON, echo: true},
		{name: "only unknown", offers: "mqtt stomp", refuse: true},
		{name: "a bearer and unknown", offers: "bearer.abc pushd.v2", refuse: true},
		{name: "another case is another token", offers: "PUSHD.V1", refuse: true},
	} {
		var choice dialect.Choice
		for _, token := range strings.Fields(c.offers) {
			credential, ok := choice.Offer([]byte(token))
			if want, is := strings.CutPrefix(token, "bearer."); ok != is || is && string(credential) != want {
				t.Errorf("%s: %q is credential %q, %v", c.name, token, credential, ok)
			}
		}
		id, echo, err := choice.Result()
		if id != c.want || echo != c.echo || (err != nil) != c.refuse {
			t.Errorf("%s: %v, echo %v, error %v", c.name, id, echo, err)
		}
		if err != nil {
			wantError(t, c.name, err, "bad_request", "pushd.v1 or pushd.raw.v1")
		}
	}
}

func TestChoiceDoesNotAllocate(t *testing.T) {
	tokens := [][]byte{[]byte("bearer.abc"), []byte("mqtt"), []byte("pushd.v1")}
	if n := testing.AllocsPerRun(100, func() {
		var c dialect.Choice
		for _, token := range tokens {
			c.Offer(token)
		}
		if id, _, _ := c.Result(); id != dialect.JSON {
			t.Fatal(id)
		}
	}); n != 0 {
		t.Errorf("%v allocations, want none", n)
	}
}

func TestNames(t *testing.T) {
	if n := len(dialect.Encoders()); n != dialect.Count {
		t.Fatalf("%d encoders, want %d", n, dialect.Count)
	}
	for id := range dialect.RawDeflate { // those that are compressed have the same names
		if got, ok := dialect.Lookup([]byte(id.Name())); !ok || got != id {
			t.Errorf("Lookup(%q) is %d, %v", id.Name(), got, ok)
		}
	}
}

func TestHTTPStatus(t *testing.T) {
	for code, want := range map[string]int{
		"bad_request": 400, "bad_topic": 400, "bad_json": 400, "unauthorized": 401, "forbidden": 403,
		"not_found": 404, "method": 405, "timeout": 408, "position_conflict": 409, "too_large": 413,
		"media_type": 415, "upgrade_required": 426, "rate_limited": 429, "headers_too_large": 431,
		"queue_full": 503, "overloaded": 503, "draining": 503, "no such code": 500,
	} {
		if got := dialect.HTTPStatus(code); got != want {
			t.Errorf("%s: %d, want %d", code, got, want)
		}
	}
}

// wantError checks that err is an *Error with this code whose message holds
// part, and returns it.
func wantError(t testing.TB, name string, err error, code, part string) *dialect.Error {
	t.Helper()
	var e *dialect.Error
	if !errors.As(err, &e) {
		t.Fatalf("%s: error %v, want %s", name, err, code)
	}
	if e.Code != code || !strings.Contains(e.Message, part) {
		t.Errorf("%s: %v, want %s with %q", name, err, code, part)
	}
	return e
}
