package auth_test

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"

	"github.com/pushd/pushd/internal/auth"
	"github.com/pushd/pushd/internal/leak"
)

func TestMain(m *testing.M) { leak.Main(m) }

var (
	secret       = []byte("0123456789abcdef0123456789abcdef")
	rsaKey, _    = rsa.GenerateKey(rand.Reader, 2048)
	ecKey, _     = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	_, edKey, _  = ed25519.GenerateKey(rand.Reader)
	now          = time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)
	signers      = map[string]any{"HS256": secret, "RS256": rsaKey, "ES256": ecKey, "EdDSA": edKey}
	publicPEM    = toPEM("PUBLIC KEY", pkix(&rsaKey.PublicKey))
	withEachFile = func(t testing.TB) []string {
		return []string{
			write(t, secret), write(t, publicPEM),
			write(t, toPEM("PUBLIC KEY", pkix(&ecKey.PublicKey))), write(t, toPEM("PUBLIC KEY", pkix(edKey.Public()))),
		}
	}
)

func pkix(k any) []byte {
	der, err := x509.MarshalPKIXPublicKey(k)
	if err != nil {
		panic(err)
	}
	return der
}

func toPEM(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

func write(t testing.TB, b []byte) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "key")
	require.NoError(t, os.WriteFile(name, b, 0o600))
	return name
}

func verifier(t testing.TB, cfg auth.Config) *auth.Verifier {
	t.Helper()
	cfg.Now = func() time.Time { return now }
	v, err := auth.New(cfg)
	require.NoError(t, err)
	return v
}

// token signs one that is good for an hour. Changes come in pairs of a claim and its value, nil for none; a name that
// begins with @ is of the header.
func token(t testing.TB, algorithm string, k any, changes ...any) string {
	t.Helper()
	c := jwt.MapClaims{"sub": "42", "exp": now.Add(time.Hour).Unix()}
	tok := jwt.NewWithClaims(jwt.GetSigningMethod(algorithm), c)
	for i := 0; i+1 < len(changes); i += 2 {
		name := changes[i].(string)
		switch header, is := strings.CutPrefix(name, "@"); {
		case is:
			tok.Header[header] = changes[i+1]
		case changes[i+1] == nil:
			delete(c, name)
		default:
			c[name] = changes[i+1]
		}
	}
	s, err := tok.SignedString(k)
	require.NoError(t, err)
	return s
}

func reasonOf(t testing.TB, err error) auth.Reason {
	t.Helper()
	e, ok := errors.AsType[*auth.Error](err)
	require.True(t, ok, "%v", err)
	return e.Reason
}

func TestVerify(t *testing.T) {
	v := verifier(t, auth.Config{KeyFiles: withEachFile(t), Audience: "push", Issuer: "us"})
	for algorithm, k := range signers {
		g, err := v.Verify([]byte(token(t, algorithm, k, "aud", []string{"x", "push"}, "iss", "us", "jti", "j",
			"pushd", map[string]any{"subscribe": []string{"a.>"}, "publish": []string{"b.*"}, "later": 1})))
		require.NoError(t, err, algorithm)
		require.Equal(t, "42", g.Subject)
		require.Equal(t, "j", g.ID)
		require.True(t, g.Expires.Equal(now.Add(time.Hour)))
		require.True(t, g.MaySubscribe("a.b"))
		require.False(t, g.MaySubscribe("b.c"))
		require.True(t, g.MayPublish("b.c"))
		require.False(t, g.MayPublish("a.b"))
		require.False(t, g.MaySubscribe("$user.43"))
	}
	g, err := v.Verify([]byte(token(t, "HS256", secret, "aud", "push", "iss", "us", "sub", nil)))
	require.NoError(t, err)
	require.Empty(t, g.Subject)
	require.False(t, g.MaySubscribe("a") || g.MayPublish("a"), "a token without the claim opens nothing")
}

func TestVerifyRefuses(t *testing.T) {
	v := verifier(t, auth.Config{KeyFiles: withEachFile(t), Audience: "push", Issuer: "us"})
	otherRSA, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	otherEC, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	ec384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	require.NoError(t, err)
	good := []any{"aud", "push", "iss", "us"}
	with := func(changes ...any) []any { return append(append([]any{}, good...), changes...) }
	sign := func(algorithm string, k any, changes ...any) string {
		return token(t, algorithm, k, with(changes...)...)
	}
	none := func(alg string) string {
		head := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"` + alg + `","typ":"JWT"}`))
		return head + "." + strings.Split(sign("HS256", secret), ".")[1] + "."
	}
	parts := strings.Split(sign("HS256", secret), ".")
	for _, c := range []struct {
		label, token string
		want         auth.Reason
	}{
		{"empty", "", auth.Malformed},
		{"one part", "abc", auth.Malformed},
		{"four parts", strings.Join(parts, ".") + ".x", auth.Malformed},
		{"not base64url", "!." + parts[1] + "." + parts[2], auth.Malformed},
		{"padding", parts[0] + "=." + parts[1] + "." + parts[2], auth.Malformed},
		{"a line break", strings.Join(parts, ".") + "\n", auth.Malformed},
		{"too large", sign("HS256", secret, "x", strings.Repeat("x", 8<<10)), auth.Malformed},
		{"crit", sign("HS256", secret, "@crit", []string{"b64"}), auth.Malformed},
		{"alg none", none("none"), auth.BadAlgorithm},
		{"alg None", none("None"), auth.BadAlgorithm},
		{"alg NONE", none("NONE"), auth.BadAlgorithm},
		{"alg absent", none(""), auth.BadAlgorithm},
		{"alg hs256", none("hs256"), auth.BadAlgorithm},
		{"HS512", sign("HS512", secret), auth.BadAlgorithm},
		{"RS512", sign("RS512", rsaKey), auth.BadAlgorithm},
		{"PS256", sign("PS256", rsaKey), auth.BadAlgorithm},
		{"ES384", sign("ES384", ec384), auth.BadAlgorithm},
		{"another secret", sign("HS256", []byte("another secret of thirty-two byte")), auth.BadSignature},
		{"the RSA key as secret", sign("HS256", publicPEM), auth.BadSignature},
		{"another RSA key", sign("RS256", otherRSA), auth.BadSignature},
		{"another EC key", sign("ES256", otherEC), auth.BadSignature},
		{"a claim was changed", parts[0] + "." + strings.Split(sign("HS256", secret, "sub", "43"), ".")[1] + "." + parts[2], auth.BadSignature},
		{"no signature", parts[0] + "." + parts[1] + ".", auth.BadSignature},
		{"expired", sign("HS256", secret, "exp", now.Add(-6*time.Second).Unix()), auth.Expired},
		{"no exp", sign("HS256", secret, "exp", nil), auth.BadClaims},
		{"exp is text", sign("HS256", secret, "exp", "tomorrow"), auth.Malformed},
		{"not yet valid", sign("HS256", secret, "nbf", now.Add(6*time.Second).Unix()), auth.NotYetValid},
		{"another audience", sign("HS256", secret, "aud", "pusher"), auth.WrongAudience},
		{"no audience", sign("HS256", secret, "aud", nil), auth.BadClaims},
		{"another issuer", sign("HS256", secret, "iss", "them"), auth.WrongIssuer},
		{"sub cannot be a user", sign("HS256", secret, "sub", "a.b"), auth.BadClaims},
		{"sub is a number", sign("HS256", secret, "sub", 42), auth.Malformed},
		{"jti too long", sign("HS256", secret, "jti", strings.Repeat("j", 256)), auth.BadClaims},
		{"pushd is text", sign("HS256", secret, "pushd", "all"), auth.BadClaims},
		{"subscribe is text", sign("HS256", secret, "pushd", map[string]any{"subscribe": "a"}), auth.BadClaims},
		{"a pattern that is none", sign("HS256", secret, "pushd", map[string]any{"subscribe": []string{"a.>.b"}}), auth.BadClaims},
		{"too many patterns", sign("HS256", secret, "pushd", map[string]any{"publish": make129()}), auth.BadClaims},
	} {
		t.Run(c.label, func(t *testing.T) {
			g, err := v.Verify([]byte(c.token))
			require.Nil(t, g)
			require.Equal(t, c.want, reasonOf(t, err), "%v", err)
			if len(c.token) > 20 {
				require.NotContains(t, err.Error(), c.token[:20])
			}
		})
	}
}

func make129() []string {
	all := make([]string, 129)
	for i := range all {
		all[i] = fmt.Sprintf("t%d", i)
	}
	return all
}

// Clocks differ by some seconds.
func TestLeeway(t *testing.T) {
	v := verifier(t, auth.Config{KeyFiles: []string{write(t, secret)}})
	for _, changes := range [][]any{{"exp", now.Add(-4 * time.Second).Unix()}, {"nbf", now.Add(4 * time.Second).Unix()}} {
		_, err := v.Verify([]byte(token(t, "HS256", secret, changes...)))
		require.NoError(t, err)
	}
}

// Tokens whose claims are equal share what the claims say.
func TestRightsAreShared(t *testing.T) {
	v := verifier(t, auth.Config{KeyFiles: []string{write(t, secret)}})
	tokens := make([][]byte, 2)
	for i := range tokens {
		tokens[i] = []byte(token(t, "HS256", secret, "sub", fmt.Sprint(i), "pushd", map[string]any{"subscribe": []string{"a.>"}}))
	}
	a, err := v.Verify(tokens[0])
	require.NoError(t, err)
	b, err := v.Verify(tokens[1])
	require.NoError(t, err)
	require.True(t, auth.SameRights(a, b))
	for i := range 3000 { // and do not pile up
		_, err := v.Verify([]byte(token(t, "HS256", secret, "pushd", map[string]any{"subscribe": []string{fmt.Sprintf("t%d", i)}})))
		require.NoError(t, err)
	}
	require.LessOrEqual(t, auth.Shared(v), 1024)
}

func BenchmarkVerify(b *testing.B) {
	v := verifier(b, auth.Config{KeyFiles: withEachFile(b)})
	for _, algorithm := range []string{"HS256", "RS256", "ES256", "EdDSA"} {
		b.Run(algorithm, func(b *testing.B) {
			good := []byte(token(b, algorithm, signers[algorithm], "pushd", map[string]any{"subscribe": []string{"a.>"}}))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := v.Verify(good); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// FuzzVerify: nothing but what was signed is taken, and nothing makes it panic.
func FuzzVerify(f *testing.F) {
	v := verifier(f, auth.Config{KeyFiles: withEachFile(f)})
	for algorithm, k := range signers {
		f.Add(token(f, algorithm, k), uint16(0), byte(0))
		f.Add(token(f, algorithm, k), uint16(40), byte(1))
	}
	f.Add("eyJhbGciOiJub25lIn0.e30.", uint16(0), byte(0))
	f.Fuzz(func(t *testing.T, text string, at uint16, flip byte) {
		b := []byte(text)
		if len(b) > 0 {
			b[int(at)%len(b)] ^= flip
		}
		g, err := v.Verify(b)
		if (g == nil) != (err != nil) {
			t.Fatalf("%v, %v", g, err)
		}
		if err != nil {
			reasonOf(t, err)
			return
		}
		parsed, _, err := jwt.NewParser().ParseUnverified(string(b), jwt.MapClaims{})
		if err != nil {
			t.Fatal(err)
		}
		signing, signature, _ := cutLast(string(b))
		sig, err := base64.RawURLEncoding.DecodeString(signature)
		if err != nil {
			t.Fatal(err)
		}
		k := signers[parsed.Method.Alg()]
		if s, is := k.(interface{ Public() any }); is {
			k = s.Public()
		}
		switch private := k.(type) {
		case *rsa.PrivateKey:
			k = &private.PublicKey
		case *ecdsa.PrivateKey:
			k = &private.PublicKey
		case ed25519.PrivateKey:
			k = private.Public()
		}
		if err := parsed.Method.Verify(signing, sig, k); err != nil {
			t.Fatalf("%q was taken: %v", b, err)
		}
	})
}

func cutLast(s string) (before, after string, ok bool) {
	i := strings.LastIndexByte(s, '.')
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+1:], true
}
