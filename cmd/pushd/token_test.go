package main_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// keygen makes a key in a folder of the test's own and returns what signs and
// what verifies.
func keygen(t *testing.T, args ...string) (private, public string) {
	private = filepath.Join(t.TempDir(), "key")
	r := pushd(append([]string{"token", "keygen", "--out", private}, args...)...)
	require.Zero(t, r.code, r.stderr)
	require.Empty(t, r.stdout)
	info, err := os.Stat(private)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode())
	if _, err := os.Stat(private + ".pub"); err == nil {
		return private, private + ".pub"
	}
	return private, private
}

func newToken(t *testing.T, key string, args ...string) string {
	r := pushd(append([]string{"token", "create", "--key", key}, args...)...)
	require.Zero(t, r.code, r.stderr)
	require.Empty(t, r.stderr)
	return strings.TrimSpace(r.stdout)
}

func TestToken(t *testing.T) {
	for _, c := range []struct {
		label string
		args  []string
	}{
		{"HS256", []string{"--alg", "HS256"}},
		{"RS256", []string{"--alg", "RS256"}},
		{"RS256 as PEM", []string{"--alg", "RS256", "--format", "pem"}},
		{"ES256", []string{"--alg", "ES256", "--kid", "k1"}},
		{"ES256 as PEM", []string{"--alg", "ES256", "--format", "pem"}},
		{"EdDSA", []string{"--alg", "EdDSA"}},
		{"EdDSA as PEM", []string{"--alg", "EdDSA", "--format", "pem"}},
	} {
		private, public := keygen(t, c.args...)
		token := newToken(t, private, "--sub", "42", "--subscribe", "quotes.>", "--subscribe", "news", "--publish", "chat.*", "--for", "2h", "--aud", "pushd", "--jti", "t-1")
		r := pushd("token", "inspect", "--key", public, "--aud", "pushd", token)
		require.Zero(t, r.code, "%s: %s", c.label, r.stderr)
		require.Equal(t, "valid\n", r.stderr, c.label)
		require.Contains(t, r.stdout, `"quotes.>"`)
		var printed struct {
			Header struct{ Alg, Kid string }
			Claims struct {
				Sub, Aud, Jti string
				Iat, Exp      time.Time
				Pushd         struct{ Subscribe, Publish []string }
			}
		}
		require.NoError(t, json.Unmarshal([]byte(r.stdout), &printed))
		require.Equal(t, c.args[1], printed.Header.Alg)
		require.Equal(t, !strings.Contains(c.label, "PEM"), printed.Header.Kid != "", c.label)
		require.Equal(t, 2*time.Hour, printed.Claims.Exp.Sub(printed.Claims.Iat))
		require.Equal(t, []string{"42", "pushd", "t-1"}, []string{printed.Claims.Sub, printed.Claims.Aud, printed.Claims.Jti})
		require.Equal(t, []string{"quotes.>", "news"}, printed.Claims.Pushd.Subscribe)
		require.Equal(t, []string{"chat.*"}, printed.Claims.Pushd.Publish)

		_, stranger := keygen(t, c.args...)
		r = pushd("token", "inspect", "--key", stranger, token)
		require.Equal(t, 1, r.code, c.label)
		require.Regexp(t, "^pushd: (bad_signature|unknown_key): ", r.stderr)
		require.NotEmpty(t, r.stdout, "what it says is shown all the same")
	}
}

func TestTokenInspect(t *testing.T) {
	private, public := keygen(t, "--alg", "EdDSA")
	token := newToken(t, private, "--sub", "42", "--iss", "me")
	early := newToken(t, private, "--not-before", "1h")
	published, err := os.ReadFile(public)
	require.NoError(t, err)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/jwks.json" {
			io.WriteString(w, `{"keys":[`+string(published)+`]}`)
			return
		}
		http.NotFound(w, r)
	}))
	defer server.Close()
	for _, c := range []struct {
		label, stdin string
		args         []string
		code         int
		stderr       string
	}{
		{"from standard input", token + "\n", nil, 0, "signature not checked: expected --key or --jwks"},
		{"from -", token, []string{"-", "--key", public}, 0, "valid"},
		{"from a file", "", []string{"--token-file", write(t, "token", token), "--key", public}, 0, "valid"},
		{"the private key verifies", token, []string{"--key", private}, 0, "valid"},
		{"of two keys", token, []string{"--key", write(t, "secret", strings.Repeat("s", 40)), "--key", public}, 0, "valid"},
		{"published keys", token, []string{"--jwks", server.URL + "/jwks.json"}, 0, "valid"},
		{"nothing published", token, []string{"--jwks", server.URL + "/"}, 1, "answered 404"},
		{"nobody there", token, []string{"--jwks", "http://127.0.0.1:1/jwks.json"}, 3, "refused"},
		{"published in the open", token, []string{"--jwks", "http://192.0.2.1/jwks.json"}, 2, "https"},
		{"wrong issuer", token, []string{"--key", public, "--iss", "you"}, 1, `wrong_issuer: iss is "me", expected "you"`},
		{"wrong audience", token, []string{"--key", public, "--aud", "x"}, 1, "wrong_audience"},
		{"too early", early, []string{"--key", public}, 1, "not_yet_valid"},
		{"too early, by whom ever", early, nil, 1, "not_yet_valid"},
		{"no token", "", nil, 1, "malformed"},
		{"two tokens", "", []string{token, "--token-file", "x"}, 2, "--token-file: expected no TOKEN beside it"},
		{"no such key", token, []string{"--key", "/nonexistent"}, 2, "/nonexistent"},
		{"no such file", "", []string{"--token-file", "/nonexistent"}, 2, "/nonexistent"},
	} {
		r := call{args: append([]string{"token", "inspect"}, c.args...), stdin: c.stdin}.run()
		require.Equal(t, c.code, r.code, "%s: %s", c.label, r.stderr)
		require.Contains(t, r.stderr, c.stderr, c.label)
		require.NotContains(t, r.stderr, token, c.label)
	}
}

func TestTokenUsage(t *testing.T) {
	private, public := keygen(t, "--alg", "ES256", "--kid", "k1")
	short := write(t, "short", "12345678")
	two := write(t, "two", `{"keys":[{"kty":"oct","kid":"a","k":"`+strings.Repeat("QUFB", 11)+`"},{"kty":"oct","kid":"b","k":"`+strings.Repeat("QkJC", 11)+`"}]}`)
	for _, c := range []struct {
		label  string
		args   []string
		stderr string
	}{
		{"no key", []string{"create"}, "missing flags: --key=FILE"},
		{"no such key", []string{"create", "--key", "/nonexistent"}, "--key: open /nonexistent"},
		{"a short secret", []string{"create", "--key", short}, "the secret is 8 bytes, expected at least 32"},
		{"the public half", []string{"create", "--key", public}, "expected a key that can sign"},
		{"another algorithm", []string{"create", "--key", private, "--alg", "HS256"}, "expected a key that can sign"},
		{"another key", []string{"create", "--key", private, "--kid", "k2"}, `it has: [ES256 key "k1"]`},
		{"which key", []string{"create", "--key", two}, "2 keys could sign: expected --kid"},
		{"no time", []string{"create", "--key", private, "--for", "0s"}, "--for: 0s: expected more than 0"},
		{"the past", []string{"create", "--key", private, "--not-before=-1s"}, "--not-before: -1s: expected 0 or more"},
		{"a bad user", []string{"create", "--key", private, "--sub", "a.b"}, "a user may not contain a dot"},
		{"a bad pattern", []string{"create", "--key", private, "--publish", ">.a"}, "> may only stand last"},
		{"a long id", []string{"create", "--key", private, "--jti", strings.Repeat("j", 300)}, "at most 255"},
		{"too much", []string{"create", "--key", private, "--aud", strings.Repeat("a", 9000)}, "too_large"},
		{"keygen unknown alg", []string{"keygen", "--out", "x", "--alg", "none"}, "--alg must be one of"},
		{"PEM of a secret", []string{"keygen", "--out", "x", "--alg", "HS256", "--format", "pem"}, "there is no PEM of a secret"},
		{"PEM with an id", []string{"keygen", "--out", "x", "--alg", "ES256", "--format", "pem", "--kid", "k"}, "--kid: PEM has no place for it"},
		{"over a key", []string{"keygen", "--out", private, "--alg", "ES256"}, "is there already"},
		{"no such folder", []string{"keygen", "--out", "/nonexistent/key", "--alg", "HS256"}, "--out: open /nonexistent/key"},
	} {
		r := pushd(append([]string{"token"}, c.args...)...)
		require.Equal(t, 2, r.code, "%s: %s", c.label, r.stderr)
		require.Contains(t, r.stderr, c.stderr, c.label)
		require.Empty(t, r.stdout, c.label)
	}
	require.NotEmpty(t, newToken(t, two, "--kid", "b"))

	// Neither half is written where either is there.
	before, err := os.ReadFile(private)
	require.NoError(t, err)
	require.NoError(t, os.Remove(public))
	require.Equal(t, 2, pushd("token", "keygen", "--out", private, "--alg", "ES256").code)
	require.NoFileExists(t, public)
	after, err := os.ReadFile(private)
	require.NoError(t, err)
	require.Equal(t, before, after)
}
