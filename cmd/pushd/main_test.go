package main_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	main "github.com/pushd/pushd/cmd/pushd"
	"github.com/pushd/pushd/internal/leak"
)

// Importing ants starts two goroutines for good: they are there before.
func TestMain(m *testing.M) { leak.Main(m) }

// call is one run of the program.
type call struct {
	args  []string
	env   map[string]string
	stdin string
}

type result struct {
	code           int
	stdout, stderr string
}

func (c call) run() result {
	var stdout, stderr bytes.Buffer
	env := func(name string) (string, bool) { v, ok := c.env[name]; return v, ok }
	code := main.Run(context.Background(), c.args, env, strings.NewReader(c.stdin), &stdout, &stderr)
	return result{code, stdout.String(), stderr.String()}
}

func pushd(args ...string) result { return call{args: args}.run() }

// write makes a file in a folder of the test's own and returns its path.
func write(t *testing.T, name, content string) string {
	path := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
	return path
}

func TestUsage(t *testing.T) {
	for _, c := range []struct {
		label  string
		args   []string
		stderr string
	}{
		{"no command", nil, "expected one of"},
		{"unknown command", []string{"serv"}, `did you mean "serve"?`},
		{"unknown flag", []string{"serve", "--lisen", "x"}, `did you mean "--listen"?`},
		{"publish without data", []string{"publish", "a"}, "nothing to publish: expected TOPIC DATA, TOPIC - or --ndjson FILE"},
		{"publish both ways", []string{"publish", "a", "1", "--ndjson", "-"}, "expected no TOPIC beside it"},
		{"ndjson with a key", []string{"publish", "--ndjson", "-", "--key", "k"}, "expected no --key, --event, --type, --id, --position or --delete beside it"},
		{"ndjson with an id", []string{"publish", "--ndjson", "-", "--id", "i"}, "expected no --key, --event, --type, --id, --position or --delete beside it"},
		{"delete without a key", []string{"publish", "a", "--delete"}, "--delete: expected TOPIC and --key"},
		{"delete with a value", []string{"publish", "a", "1", "--delete", "--key", "k"}, "expected no DATA"},
		{"lines of one id", []string{"publish", "a", "-", "--id", "i"}, "they are of one message"},
		{"bad rate", []string{"subscribe", "a", "--max-rate=0.01"}, "--max-rate: 0.01: expected 0.1 or more, or 0"},
		{"pace without lines", []string{"publish", "a", "1", "--pace"}, "--pace: expected --ndjson"},
		{"bad pace", []string{"publish", "--ndjson", "-", "--pace=-1"}, `--pace: "-1": expected a number above 0`},
		{"bad admin", []string{"publish", "a", "1", "--admin", "here"}, `--admin: "here" has no port`},
		{"no such file", []string{"publish", "--ndjson", "/nonexistent"}, "--ndjson: open /nonexistent"},
		{"not JSON", []string{"publish", "a", "{", "--type", "json"}, `--type json: "{" is not JSON`},
		{"unknown type", []string{"publish", "a", "{", "--type", "xml"}, "--type must be one of"},
		{"subscribe to nothing", []string{"subscribe"}, "expected"},
		{"bad url", []string{"subscribe", "a", "--url", "ftp://h"}, "--url: \"ftp://h\" has the scheme ftp"},
		{"bad count", []string{"subscribe", "a", "--count=-1"}, "--count: -1: expected 0 or more"},
		{"token file", []string{"subscribe", "a", "--token-file", "/nonexistent"}, "token: open /nonexistent"},
	} {
		t.Run(c.label, func(t *testing.T) {
			r := pushd(c.args...)
			require.Equal(t, 2, r.code)
			require.Contains(t, r.stderr, c.stderr)
			require.Empty(t, r.stdout)
		})
	}
}

func TestVersion(t *testing.T) {
	for _, arg := range []string{"version", "--version"} {
		r := pushd(arg)
		require.Zero(t, r.code)
		require.Contains(t, r.stdout, runtime.Version()+", "+runtime.GOOS+"/"+runtime.GOARCH)
		require.Empty(t, r.stderr)
	}
}

func TestHelp(t *testing.T) {
	r := pushd("serve", "--help")
	require.Zero(t, r.code)
	require.Contains(t, r.stdout, "$PUSHD_PING_INTERVAL")
}

func TestUnreachable(t *testing.T) {
	for _, args := range [][]string{
		{"publish", "a", "1", "--admin", "127.0.0.1:1"},
		{"publish", "a", "-", "--admin", "127.0.0.1:1"},
		{"subscribe", "a", "--url", "127.0.0.1:1"},
	} {
		r := call{args: args, stdin: "1\n"}.run()
		require.Equal(t, 3, r.code, args)
		require.Regexp(t, `no server answers at \S*127.0.0.1:1\S*: .*connection refused`, r.stderr)
	}
}

// door is an admin door that echoes what it is told as text.
func door(t *testing.T, heard *[]string) string {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		*heard = append(*heard, strings.Join([]string{r.URL.Path, r.Header.Get("Content-Type"),
			r.Header.Get("Authorization"), string(body)}, " "))
		if r.URL.Path != "/v1/messages" {
			io.WriteString(w, `{"topic":"news","epoch":"k3f9","offset":42,"subscribers":1180}`)
			return
		}
		lines := strings.Count(string(body), "\n")
		answer := map[string]any{"lines": lines, "accepted": lines}
		if strings.Contains(string(body), "bad topic") {
			answer["accepted"], answer["rejected"] = lines-1, 1
			answer["errors"] = []map[string]any{{"line": 2, "code": "bad_topic", "message": "no spaces"}}
		}
		json.NewEncoder(w).Encode(answer)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

func TestPublish(t *testing.T) {
	var heard []string
	address := door(t, &heard)
	env := map[string]string{"PUSHD_ADMIN": address, "PUSHD_ADMIN_TOKEN": "s3"}

	r := call{args: []string{"publish", "news", `{"a":1}`}, env: env}.run()
	require.Equal(t, result{0, "news is at k3f9:42, subscribers: 1,180\n", ""}, r)
	r = call{args: []string{"publish", "news", "hello", "--format", "json"}, env: env}.run()
	require.JSONEq(t, `{"topic":"news","position":"k3f9:42","subscribers":1180,"duplicate":false}`, r.stdout)
	r = call{args: []string{"publish", "news", "-", "--type", "text"}, env: env, stdin: "1\ntwo\n"}.run()
	require.Zero(t, r.code)
	require.Contains(t, r.stderr, "2 lines, 2 accepted, 0 rejected")
	file := write(t, "tape.ndjson", `{"topic":"a","data":1}`+"\n"+`{"topic":"bad topic","data":1}`+"\n")
	r = call{args: []string{"publish", "--ndjson", file, "--pace", "1000"}, env: env}.run()
	require.Equal(t, 1, r.code, "a line was rejected")
	require.Contains(t, r.stderr, "line 2: bad_topic: no spaces\n2 lines, 1 accepted, 1 rejected")

	require.Equal(t, []string{
		`/v1/topics/news/messages application/json Bearer s3 {"a":1}`,
		`/v1/topics/news/messages text/plain; charset=utf-8 Bearer s3 hello`,
		`/v1/messages application/x-ndjson Bearer s3 {"topic":"news","text":"1"}` + "\n" + `{"topic":"news","text":"two"}` + "\n",
		`/v1/messages application/x-ndjson Bearer s3 {"topic":"a","data":1}` + "\n" + `{"topic":"bad topic","data":1}` + "\n",
	}, heard)
}

func TestLineIsNotJSON(t *testing.T) {
	r := call{args: []string{"publish", "a", "-", "--type", "json"}, stdin: "\"\xff\"\n"}.run()
	require.Equal(t, 1, r.code)
	require.Contains(t, r.stderr, `line 1: --type json: "\"\xff\"" is not JSON`)
}
