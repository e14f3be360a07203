package auth_test

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pushd/pushd/internal/auth"
	"github.com/pushd/pushd/internal/dialect"
)

// signed judges a signature without what is tested.
func signed(token []byte, secret []byte, es *ecdsa.PublicKey, ed ed25519.PublicKey) bool {
	parts := strings.Split(string(token), ".")
	text := []byte(parts[0] + "." + parts[1])
	signature, err := base64.RawURLEncoding.Strict().DecodeString(parts[2])
	if err != nil {
		return false
	}
	mac := hmac.New(sha256.New, secret)
	mac.Write(text)
	digest := sha256.Sum256(text)
	return hmac.Equal(signature, mac.Sum(nil)) || ed25519.Verify(ed, text, signature) ||
		len(signature) == 64 && ecdsa.Verify(es, digest[:], new(big.Int).SetBytes(signature[:32]), new(big.Int).SetBytes(signature[32:]))
}

// FuzzVerify takes token as it is, and then as claims that were signed: nothing
// is taken that was not signed, and no grant holds what it may not.
func FuzzVerify(f *testing.F) {
	secret := []byte(strings.Repeat("s", 32))
	es, esFile := generate(f, "ES256", "e")
	ed, edFile := generate(f, "EdDSA", "d")
	public := func(k auth.Key) any {
		_, b, err := k.PEM()
		require.NoError(f, err)
		block, _ := pem.Decode(b)
		p, err := x509.ParsePKIXPublicKey(block.Bytes)
		require.NoError(f, err)
		return p
	}
	esPublic, edPublic := public(es).(*ecdsa.PublicKey), public(ed).(ed25519.PublicKey)
	v := verifier(f, auth.Config{}, file(f, "secret", string(secret)), esFile, edFile)

	for _, k := range []auth.Key{es, ed} {
		f.Add(sign(f, k, with(nil)))
	}
	claims, err := json.Marshal(with(map[string]any{"jti": "t", "nbf": 1, "aud": []string{"a"}, "iss": "i"}))
	require.NoError(f, err)
	f.Add(claims)
	f.Add(hs256(secret, `{"alg":"HS256"}`, string(claims)))
	f.Add(hs256(secret, `{"alg":"HS256","kid":"e","crit":["exp"]}`, string(claims)))
	f.Add([]byte(b64(`{"alg":"none"}`) + "." + b64(string(claims)) + "."))
	f.Add([]byte(`{"exp":4e9,"pushd":{"subscribe":["a.>"],"publish":["*.b",null]}}`))
	f.Fuzz(func(t *testing.T, token []byte) {
		if _, err := v.Verify(token); err == nil && !signed(token, secret, esPublic, edPublic) {
			t.Errorf("taken, and nobody signed it: %q", token)
		}
		g, err := v.Verify(hs256(secret, `{"alg":"HS256"}`, string(token)))
		if err != nil {
			var e *auth.Error
			require.ErrorAs(t, err, &e)
			require.Less(t, len(e.Message), 600)
			return
		}
		require.True(t, json.Valid(token))
		require.True(t, g.Expires.After(now))
		if g.Subject != "" {
			require.NoError(t, dialect.CheckUser(g.Subject))
		}
		for _, patterns := range []dialect.PatternList{g.Rights.Subscribe, g.Rights.Publish} {
			require.LessOrEqual(t, len(patterns), auth.MaxPatterns)
			for _, p := range patterns {
				_, err := dialect.ParsePattern(p.String())
				require.NoError(t, err)
			}
		}
	})
}

func BenchmarkVerify(b *testing.B) {
	for _, alg := range auth.Algorithms {
		b.Run(alg, func(b *testing.B) {
			k, path := generate(b, alg, "")
			v := verifier(b, auth.Config{Audience: "pushd"}, path)
			token := sign(b, k, with(map[string]any{"aud": "pushd", "jti": rand.Text()}))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := v.Verify(token); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
