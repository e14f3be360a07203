package auth_test

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pushd/pushd/internal/auth"
	"github.com/pushd/pushd/internal/leak"
)

func TestMain(m *testing.M) { leak.Main(m) }

var now = time.Unix(1_900_000_000, 0)

func clock() time.Time { return now }

// generate makes a key of an algorithm and writes its public half, of a secret
// all of it, to a file.
func generate(t testing.TB, alg, id string) (auth.Key, string) {
	k, err := auth.Generate(alg, id)
	require.NoError(t, err)
	private, public, err := k.JWK()
	require.NoError(t, err)
	if public == nil {
		public = private
	}
	return k, file(t, "key", string(public))
}

// file makes a file in a folder of the test's own and returns its path.
func file(t testing.TB, name, content string) string {
	path := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
	return path
}

// with returns claims that are good but for what overrides says; nil takes one out.
func with(overrides map[string]any) map[string]any {
	c := map[string]any{"sub": "42", "exp": now.Add(time.Hour).Unix(),
		"pushd": map[string]any{"subscribe": []string{"quotes.>", "news"}, "publish": []string{"chat.*"}}}
	for name, value := range overrides {
		if c[name] = value; value == nil {
			delete(c, name)
		}
	}
	return c
}

func sign(t testing.TB, k auth.Key, claims map[string]any) []byte {
	token, err := k.Sign(claims)
	require.NoError(t, err)
	return []byte(token)
}

func verifier(t testing.TB, cfg auth.Config, files ...string) *auth.Verifier {
	cfg.KeyFiles, cfg.Now = files, clock
	v, err := auth.New(cfg)
	require.NoError(t, err)
	return v
}

func TestVerify(t *testing.T) {
	for _, alg := range auth.Algorithms {
		k, path := generate(t, alg, "")
		v := verifier(t, auth.Config{}, path)
		g, err := v.Verify(sign(t, k, with(map[string]any{"jti": "t-1", "nbf": now.Unix(), "iat": "passed over"})))
		require.NoError(t, err, alg)
		require.Equal(t, "42", g.Subject)
		require.Equal(t, "t-1", g.ID)
		require.True(t, g.Expires.Equal(now.Add(time.Hour)))
		for topic, may := range map[string]bool{"quotes.ACME": true, "quotes.a.b": true, "quotes": false, "news": true, "chat.1": false, "$user.42": false} {
			require.Equal(t, may, g.MaySubscribe(topic), topic)
		}
		require.True(t, g.MayPublish("chat.1"))
		require.False(t, g.MayPublish("news"))
	}
	var nobody *auth.Grant
	require.False(t, nobody.MaySubscribe("news") || nobody.MayPublish("news"))
}

func TestNewRefuses(t *testing.T) {
	_, good := generate(t, "ES256", "")
	for _, c := range []struct {
		label string
		cfg   auth.Config
		part  string
	}{
		{"nothing", auth.Config{}, "expected a key file or a JWKS URL"},
		{"no such file", auth.Config{KeyFiles: []string{good, "/nonexistent"}}, "/nonexistent"},
		{"a folder", auth.Config{KeyFiles: []string{t.TempDir()}}, "directory"},
		{"a large file", auth.Config{KeyFiles: []string{file(t, "large", strings.Repeat("s", 2<<20))}}, "at most 1 MiB"},
		{"no key", auth.Config{KeyFiles: []string{file(t, "bad", "short")}}, "bad: the secret is 5 bytes"},
		{"leeway", auth.Config{KeyFiles: []string{good}, Leeway: -1}, "leeway"},
		{"refresh", auth.Config{KeyFiles: []string{good}, Refresh: -1}, "refresh"},
		{"in the open", auth.Config{JWKSURL: "http://example.com/jwks"}, "expected https"},
		{"no host", auth.Config{JWKSURL: "https:///jwks"}, "expected https"},
		{"another scheme", auth.Config{JWKSURL: "file:///etc/passwd"}, "expected https"},
		{"no URL", auth.Config{JWKSURL: "%"}, "expected https"},
		{"nearly loopback", auth.Config{JWKSURL: "http://localhost.example.com/"}, "expected https"},
	} {
		v, err := auth.New(c.cfg)
		require.ErrorContains(t, err, c.part, c.label)
		require.Nil(t, v, c.label)
	}
	for _, url := range []string{"https://h/jwks", "http://localhost:1/", "http://127.0.0.9/", "http://[::1]:80/"} {
		_, err := auth.New(auth.Config{JWKSURL: url})
		require.NoError(t, err, url)
	}
}

func TestReload(t *testing.T) {
	first, second := key(t, "ES256", "1"), key(t, "ES256", "2")
	path := file(t, "keys", set(first))
	v := verifier(t, auth.Config{}, path)
	v.Run(t.Context()) // has nothing to do
	require.NoError(t, v.Refresh(t.Context()))
	tokens := [][]byte{sign(t, first, with(nil)), sign(t, second, with(nil))}
	good := func() (good [2]bool) {
		for i, token := range tokens {
			_, err := v.Verify(token)
			good[i] = err == nil
		}
		return good
	}
	require.Equal(t, [2]bool{true, false}, good())
	require.NoError(t, os.WriteFile(path, []byte(set(first, second)), 0o600))
	require.Equal(t, [2]bool{true, false}, good())
	require.NoError(t, v.Reload())
	require.Equal(t, [2]bool{true, true}, good())
	require.NoError(t, os.WriteFile(path, []byte("{"), 0o600))
	require.Error(t, v.Reload())
	require.Equal(t, [2]bool{true, true}, good(), "they stay what they were")
	require.NoError(t, os.WriteFile(path, []byte(set(second)), 0o600))
	require.NoError(t, v.Reload())
	require.Equal(t, [2]bool{false, true}, good())
}

// A key without an id may have signed any token, and one without kid may be of
// any key; but of not more than 16.
func TestKeysWithoutID(t *testing.T) {
	var keys []auth.Key
	for range auth.MaxTried + 1 {
		keys = append(keys, key(t, "EdDSA", ""))
	}
	last := keys[auth.MaxTried-1]
	_, public, err := last.PEM() // forgets the id
	require.NoError(t, err)
	v := verifier(t, auth.Config{}, file(t, "pem", string(public)))
	_, err = v.Verify(sign(t, last, with(nil)))
	require.NoError(t, err, "kid in the token, none in the file")

	nameless := last
	nameless.ID = ""
	v = verifier(t, auth.Config{}, file(t, "16", set(keys[:auth.MaxTried]...)))
	_, err = v.Verify(sign(t, nameless, with(nil)))
	require.NoError(t, err, "16 keys are tried")
	v = verifier(t, auth.Config{}, file(t, "17", set(keys...)))
	_, err = v.Verify(sign(t, last, with(nil)))
	require.NoError(t, err, "kid tells")
	_, err = v.Verify(sign(t, nameless, with(nil)))
	wantReason(t, "17 keys", nil, err, auth.ReasonUnknownKey, "17 keys of EdDSA may have signed the token, expected at most 16")
}

func TestRightsAreShared(t *testing.T) {
	k, path := generate(t, "HS256", "")
	v := verifier(t, auth.Config{}, path)
	grant := func(claims map[string]any) *auth.Grant {
		g, err := v.Verify(sign(t, k, with(claims)))
		require.NoError(t, err)
		return g
	}
	first := grant(nil)
	require.Same(t, first.Rights, grant(map[string]any{"sub": "43"}).Rights)
	require.Same(t, grant(map[string]any{"pushd": nil}).Rights, grant(map[string]any{"pushd": nil}).Rights)
	for i := range 2 * auth.MaxShared { // each its own
		grant(map[string]any{"pushd": map[string]any{"subscribe": []string{"own." + strconv.Itoa(i)}}})
	}
	require.NotSame(t, first.Rights, grant(nil).Rights, "what is kept is bounded")
	require.True(t, first.MaySubscribe("news"))
}
