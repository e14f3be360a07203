package main_test

import (
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
)

// What publish says of messages that have an id or a position, and of keys,
// against a server.
func TestPublishAgain(t *testing.T) {
	_, admin, said := configured(t, "topics: [{pattern: prices, retain: true}]\n")
	url := said.await(t, `(ws://\S+/ws)`)
	for _, c := range []struct {
		label string
		args  []string
		code  int
		says  string // on either
	}{
		{"an id", []string{"prices", "1", "--key", "ACME", "--id", "o-17"}, 0, `^prices is at \w+:1, subscribers: 0\n$`},
		{"again", []string{"prices", "1", "--key", "ACME", "--id", "o-17"}, 0, `^prices is at \w+:1, subscribers: 0, published before\n$`},
		{"another key", []string{"prices", "2", "--key", "EMCA"}, 0, `:2,`},
		{"delete", []string{"prices", "--delete", "--key", "ACME"}, 0, `:3,`},
		{"delete again", []string{"prices", "--delete", "--key", "ACME"}, 1, `retains no such key`},
		{"delete the empty one", []string{"prices", "--delete", "--key="}, 1, `retains no such key`},
		{"a position", []string{"own", "1", "--position", "e:7"}, 0, `^own is at e:7`},
		{"again", []string{"own", "1", "--position", "e:7", "--format", "json"}, 0, `"position":"e:7","subscribers":0,"duplicate":true}`},
		{"none", []string{"own", "1"}, 1, `position_conflict|numbered in another way`},
		{"no position", []string{"own", "1", "--position", "7"}, 1, `EPOCH:OFFSET`},
	} {
		r := pushd(append([]string{"publish", "--admin", admin}, c.args...)...)
		require.Equal(t, c.code, r.code, "%s: %s", c.label, r.stderr)
		require.Regexp(t, regexp.MustCompile(c.says), r.stdout+r.stderr, c.label)
	}
	r := call{args: []string{"publish", "--ndjson", "-", "--admin", admin}, stdin: `{"topic":"own","position":"e:7","data":1}` + "\n" + `{"topic":"own","position":"e:8","id":"x","data":2}`}.run()
	require.Zero(t, r.code)
	require.Contains(t, r.stderr, "2 lines, 2 accepted (1 published before), 0 rejected")

	r = pushd("subscribe", "prices", "--url", url, "--count", "1", "--max-rate", "2", "--format", "json")
	require.Zero(t, r.code)
	require.Regexp(t, `^{"op":"message","topic":"prices","position":"\w+:3","key":"EMCA","retained":true,"data":2}\n$`, r.stdout)
}
