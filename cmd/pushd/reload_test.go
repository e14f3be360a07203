package main_test

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// ask makes a request of an admin door and returns what it says.
func ask(t *testing.T, method, url string) (status int, body string) {
	t.Helper()
	r, err := http.NewRequest(method, "http://"+url, nil)
	require.NoError(t, err)
	r.Close = true
	answer, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	require.NoError(t, err)
	return answer.StatusCode, strings.TrimSuffix(string(text), "\n")
}

// slow is the policy of the topic news.
func slow(t *testing.T, admin string) string {
	t.Helper()
	_, body := ask(t, "GET", admin+"/v1/topics/news")
	var got struct{ Slow string }
	require.NoError(t, json.Unmarshal([]byte(body), &got))
	return got.Slow
}

func replace(t *testing.T, file, content string) {
	t.Helper()
	require.NoError(t, os.WriteFile(file, []byte(content), 0o600))
}

// configured runs a server by a file and publishes to the topic news.
func configured(t *testing.T, content string, more ...string) (file, admin string, said *transcript) {
	file = write(t, "pushd.yaml", content)
	_, said = background(t, append([]string{"serve", "--dev", "--config", file, "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"}, more...)...)
	admin = said.await(t, `admin +(127\S+)\n`)
	require.Zero(t, pushd("publish", "news", "1", "--admin", admin).code)
	return file, admin, said
}

func hangUp(t *testing.T) {
	t.Helper()
	require.NoError(t, syscall.Kill(os.Getpid(), syscall.SIGHUP))
}

func TestReloadOnHangup(t *testing.T) {
	file, admin, said := configured(t, "topics: [{pattern: news, slow: drop}]\n")
	require.Equal(t, "drop", slow(t, admin))

	replace(t, file, "topics:\n- pattern: news\n  slow: conflat\n")
	hangUp(t)
	said.await(t, `level=ERROR msg="the settings were not reloaded: all is as before" error="\S+pushd.yaml:3: topics\[0\].slow: \\"conflat\\" is not conflate, drop or disconnect"`)
	require.Equal(t, "drop", slow(t, admin), "a bad file changes nothing")

	replace(t, file, "topics:\n- pattern: news\n  slow: conflate\n- pattern: '>'\n")
	hangUp(t)
	said.await(t, "level=INFO msg=reloaded topics=2\n")
	require.Equal(t, "conflate", slow(t, admin))
}

func TestReloadByRequest(t *testing.T) {
	file, admin, said := configured(t, "max-topics: 5\nlog-limit: 1MiB\ntopics: [{pattern: news, slow: drop}]\n", "--ping-interval", "20s")

	for _, c := range []struct{ label, content, wrong string }{
		{"a bad rule", "topics: [{pattern: news, slow: conflat}]", `:1: topics[0].slow: "conflat" is not conflate, drop or disconnect`},
		{"another bad setting", "topics: [{pattern: news}]\nshards: -1", ":2: shards: -1: expected 0 (one a processor) or 1 to 255"},
		{"unknown settings", "shrads: 1\ntopic: []", ":1: shrads: unknown setting; did you mean shards?\n" + file + ":2: topic: unknown setting; did you mean topics?"},
		{"half a file", "topics:\n- pattern: {new", ":2: did not find expected ',' or '}'"},
	} {
		t.Run(c.label, func(t *testing.T) {
			replace(t, file, c.content)
			status, body := ask(t, "POST", admin+"/v1/reload")
			var refused struct{ Code, Message string }
			require.NoError(t, json.Unmarshal([]byte(body), &refused))
			require.Equal(t, 400, status)
			require.Equal(t, "bad_request", refused.Code)
			require.Equal(t, file+c.wrong, refused.Message)
			require.Equal(t, "drop", slow(t, admin))
		})
	}
	require.NoError(t, os.Remove(file))
	status, body := ask(t, "POST", admin+"/v1/reload")
	require.Equal(t, 400, status)
	require.Contains(t, body, "no such file or directory")

	// What the command line says holds whatever the file says, so ping-interval needs no restart.
	replace(t, file, "max-topics: 6\nping-interval: 30s\ntopics: [{pattern: news, slow: conflate}]\n")
	status, body = ask(t, "POST", admin+"/v1/reload")
	require.Equal(t, 200, status)
	require.Equal(t, `{"topics":1,"restart":["max-topics","log-limit"]}`, body)
	require.Equal(t, "conflate", slow(t, admin))
	said.await(t, `level=WARN msg="settings have changed that only a restart applies" settings="\[max-topics log-limit\]"`)

	replace(t, file, "max-topics: 5\nlog-limit: 1024KiB\n")
	_, body = ask(t, "POST", admin+"/v1/reload")
	require.Equal(t, `{"topics":0,"restart":[]}`, body)
	require.Equal(t, "disconnect", slow(t, admin))
}

func TestHangupWithoutFile(t *testing.T) {
	_, said := background(t, "serve", "--dev", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0")
	admin := said.await(t, `admin +(127\S+)\n`)
	hangUp(t)
	said.await(t, `level=INFO msg="there is nothing to reload: the server was started without a settings file and without keys"`)
	status, body := ask(t, "POST", admin+"/v1/reload")
	require.Equal(t, 400, status)
	require.Equal(t, `{"code":"bad_request","message":"there is nothing to reload: the server was started without a settings file and without keys"}`, body)
}
