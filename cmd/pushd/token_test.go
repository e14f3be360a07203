package main_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// tokenOf makes one, and returns it.
func tokenOf(t *testing.T, args ...string) string {
	t.Helper()
	r := pushd(append([]string{"token", "create"}, args...)...)
	require.Zero(t, r.code, r.stderr)
	return strings.TrimSpace(r.stdout)
}

type inspected struct {
	Header, Claims              map[string]any
	NotBefore, Expires, Verdict string
}

func inspect(t *testing.T, code int, token string, args ...string) (i inspected) {
	t.Helper()
	r := call{args: append([]string{"token", "inspect"}, args...), stdin: token + "\n"}.run()
	require.Equal(t, code, r.code, r.stderr)
	require.NoError(t, json.Unmarshal([]byte(r.stdout), &i), r.stdout)
	return i
}

// A key that was made signs tokens that its public half checks, in every form.
func TestToken(t *testing.T) {
	for _, algorithm := range []string{"HS256", "RS256", "ES256", "EdDSA"} {
		for _, format := range []string{"pem", "jwk"} {
			t.Run(algorithm+" "+format, func(t *testing.T) {
				key := filepath.Join(t.TempDir(), "key")
				args := []string{"token", "keygen", "--alg", algorithm, "--out", key, "--format", format}
				if format == "jwk" {
					args = append(args, "--kid", "first")
				}
				r := pushd(args...)
				require.Zero(t, r.code, r.stderr)
				info, err := os.Stat(key)
				require.NoError(t, err)
				require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
				checks := key + ".pub"
				if algorithm == "HS256" {
					checks = key
				}
				token := tokenOf(t, "--key", key, "--sub", "42", "--subscribe", "news.>", "--subscribe", "a", "--publish", "b", "--aud", "push", "--jti", "auto")
				i := inspect(t, 0, token, "--key", checks, "--aud", "push")
				require.Equal(t, "good", i.Verdict)
				require.Equal(t, algorithm, i.Header["alg"])
				require.Equal(t, format == "jwk", i.Header["kid"] == "first")
				require.Equal(t, "42", i.Claims["sub"])
				require.NotEmpty(t, i.Claims["jti"])
				require.Equal(t, map[string]any{"subscribe": []any{"news.>", "a"}, "publish": []any{"b"}}, i.Claims["pushd"])
				require.Contains(t, i.Expires, "T")
				require.Contains(t, inspect(t, 1, token, "--key", checks, "--aud", "else").Verdict, "for somebody else")
				require.Contains(t, inspect(t, 0, token).Verdict, "was not checked")
				require.Equal(t, 1, pushd(args...).code, "a key is not overwritten")
				public, err := os.ReadFile(checks)
				require.NoError(t, err)
				if algorithm != "HS256" {
					require.NotContains(t, string(public), "PRIVATE")
					require.NotContains(t, string(public), `"d"`)
				}
			})
		}
	}
}

func TestTokenMistakes(t *testing.T) {
	secret := write(t, "secret", strings.Repeat("s3cret", 6))
	public := filepath.Join(t.TempDir(), "k")
	require.Zero(t, pushd("token", "keygen", "--out", public).code)
	for _, c := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{"create"}, 2, "--key"},
		{[]string{"create", "--key", "none"}, 2, "none"},
		{[]string{"create", "--key", public + ".pub"}, 2, "expected a private key"},
		{[]string{"create", "--key", write(t, "short", "short")}, 2, "expected at least 32"},
		{[]string{"create", "--key", secret, "--sub", "a.b"}, 2, "--sub"},
		{[]string{"create", "--key", secret, "--subscribe", "a.>.b"}, 2, "--subscribe: pattern"},
		{[]string{"create", "--key", secret, "--for", "0s"}, 2, "--for: 0s: expected at least 1s"},
		{[]string{"inspect", "nonsense"}, 1, "not a JSON Web Token"},
		{[]string{"inspect", "a.b.c", "--jwks", "http://issuer.example/"}, 1, "not a JSON Web Token"},
		{[]string{"inspect", tokenOf(t, "--key", secret), "--jwks", "http://issuer.example/"}, 2, "expected an https URL"},
		{[]string{"keygen"}, 2, "--out"},
		{[]string{"keygen", "--out", "x", "--kid", "k"}, 2, "expected --format jwk"},
		{[]string{"keygen", "--out", "x", "--alg", "none"}, 2, "--alg"},
	} {
		r := pushd(append([]string{"token"}, c.args...)...)
		require.Equal(t, c.code, r.code, "%v: %s", c.args, r.stderr)
		require.Contains(t, r.stderr, c.says, c.args)
		require.NotContains(t, r.stderr, "s3cret")
	}
}

// The settings of a server say where its keys are, and a mistake in them.
func TestAuthSettings(t *testing.T) {
	for _, c := range []struct {
		args []string
		says string
	}{
		{[]string{"--auth-audience=a"}, "--auth-audience"},
		{[]string{"--auth-issuer=a"}, "expected nothing without --auth-key or --auth-jwks"},
		{[]string{"--auth-jwks=http://issuer.example/"}, "expected an https URL, or http on loopback"},
		{[]string{"--auth-cookie=a b"}, "expected the name of a cookie"},
		{[]string{"--auth-timeout=0"}, "--auth-timeout"},
	} {
		r := pushd(append([]string{"serve", "--check-config"}, c.args...)...)
		require.Equal(t, 2, r.code, c.args)
		require.Contains(t, r.stderr, c.says)
	}
	require.Zero(t, pushd("serve", "--check-config", "--auth-jwks=https://issuer.example/", "--auth-audience=a").code)
	r := pushd("serve", "--listen=127.0.0.1:0", "--admin=127.0.0.1:0", "--auth-key=none")
	require.Equal(t, 2, r.code)
	require.Contains(t, r.stderr, "auth: open none")
}
