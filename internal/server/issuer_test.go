package server_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"

	"github.com/pushd/pushd/internal/auth"
)

const audience = "push.example"

var secret = []byte("0123456789abcdef0123456789abcdef")

// verifier checks what token makes.
func verifier(t testing.TB) *auth.Verifier {
	t.Helper()
	name := filepath.Join(t.TempDir(), "secret")
	require.NoError(t, os.WriteFile(name, secret, 0o600))
	v, err := auth.New(auth.Config{KeyFiles: []string{name}, Audience: audience})
	require.NoError(t, err)
	return v
}

// claims of a token that is good for an hour; changes come in pairs of name and
// value, and nil takes a claim away.
func claims(changes ...any) jwt.MapClaims {
	c := jwt.MapClaims{"aud": audience, "exp": time.Now().Add(time.Hour).Unix()}
	for i := 0; i+1 < len(changes); i += 2 {
		if name := changes[i].(string); changes[i+1] == nil {
			delete(c, name)
		} else {
			c[name] = changes[i+1]
		}
	}
	return c
}

// may is the claim pushd.
func may(subscribe, publish string) map[string][]string {
	return map[string][]string{"subscribe": {subscribe}, "publish": {publish}}
}

func token(t testing.TB, changes ...any) string {
	t.Helper()
	return signed(t, jwt.SigningMethodHS256, secret, changes...)
}

func signed(t testing.TB, method jwt.SigningMethod, key any, changes ...any) string {
	t.Helper()
	s, err := jwt.NewWithClaims(method, claims(changes...)).SignedString(key)
	require.NoError(t, err)
	return s
}
