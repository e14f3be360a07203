package auth_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"math/big"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pushd/pushd/internal/auth"
)

func pkcs8(k any) []byte {
	der, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		panic(err)
	}
	return der
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func ecJWK(id string, k *ecdsa.PrivateKey, more string) string {
	return fmt.Sprintf(`{"kty":"EC","crv":"P-256","kid":%q,"x":%q,"y":%q%s}`, id, b64(k.X.FillBytes(make([]byte, 32))), b64(k.Y.FillBytes(make([]byte, 32))), more)
}

func octJWK(id string, secret []byte) string {
	return fmt.Sprintf(`{"kty":"oct","kid":%q,"k":%q}`, id, b64(secret))
}

func rsaJWK(id string, k *rsa.PublicKey) string {
	return fmt.Sprintf(`{"kty":"RSA","kid":%q,"n":%q,"e":%q}`, id, b64(k.N.Bytes()), b64(big.NewInt(int64(k.E)).Bytes()))
}

func TestKeyFiles(t *testing.T) {
	ec, err := x509.MarshalECPrivateKey(ecKey)
	require.NoError(t, err)
	for _, c := range []struct {
		label, text, algorithm string
	}{
		{"a secret", string(secret), "HS256"},
		{"a secret and a line break", string(secret) + "\n", "HS256"},
		{"PKIX, RSA", string(publicPEM), "RS256"},
		{"PKCS #1, public", string(toPEM("RSA PUBLIC KEY", x509.MarshalPKCS1PublicKey(&rsaKey.PublicKey))), "RS256"},
		{"PKCS #1, private", string(toPEM("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(rsaKey))), "RS256"},
		{"PKCS #8, RSA", string(toPEM("PRIVATE KEY", pkcs8(rsaKey))), "RS256"},
		{"PKCS #8, EC", string(toPEM("PRIVATE KEY", pkcs8(ecKey))), "ES256"},
		{"PKCS #8, Ed25519", string(toPEM("PRIVATE KEY", pkcs8(edKey))), "EdDSA"},
		{"SEC 1, with parameters in front", string(toPEM("EC PARAMETERS", []byte{6, 0})) + string(toPEM("EC PRIVATE KEY", ec)), "ES256"},
		{"a JSON Web Key", ecJWK("k", ecKey, ""), "ES256"},
		{"a JSON Web Key of a secret", octJWK("k", secret), "HS256"},
		{"a set", `{"keys":[` + rsaJWK("k", &rsaKey.PublicKey) + `]}`, "RS256"},
	} {
		t.Run(c.label, func(t *testing.T) {
			v := verifier(t, auth.Config{KeyFiles: []string{write(t, []byte(c.text))}})
			for algorithm, k := range signers {
				_, err := v.Verify([]byte(token(t, algorithm, k)))
				require.Equal(t, algorithm == c.algorithm, err == nil, "%s: %v", algorithm, err)
			}
		})
	}
}

func TestBadKeyFiles(t *testing.T) {
	short, err := rsa.GenerateKey(rand.Reader, 1024)
	require.NoError(t, err)
	ec384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	require.NoError(t, err)
	for _, c := range []struct{ label, text, says string }{
		{"empty", "", "a secret of 0 bytes: expected at least 32"},
		{"a short secret", "s3cret", "a secret of 6 bytes: expected at least 32"},
		{"a short RSA key", string(toPEM("PUBLIC KEY", pkix(&short.PublicKey))), "an RSA key of 1024 bits: expected at least 2048"},
		{"another curve", string(toPEM("PUBLIC KEY", pkix(&ec384.PublicKey))), "P-384: expected P-256"},
		{"an encrypted key", string(toPEM("ENCRYPTED PRIVATE KEY", []byte("x"))), `"ENCRYPTED PRIVATE KEY" in PEM: expected a key or a certificate, not encrypted`},
		{"nonsense in PEM", string(toPEM("PUBLIC KEY", []byte("x"))), "asn1"},
		{"cut PEM", "-----BEGIN PUBLIC KEY-----\nabc", "no key is in it"},
		{"cut JSON", `{"keys":[`, "not a JSON Web Key"},
		{"an empty set", `{"keys":[]}`, "no key is in it"},
		{"a key of no kind", `{"kty":"x"}`, ""},
		{"a key for something else", ecJWK("k", ecKey, `,"alg":"ES512"`), "a key for ES512"},
	} {
		t.Run(c.label, func(t *testing.T) {
			name := write(t, []byte(c.text))
			_, err := auth.New(auth.Config{KeyFiles: []string{name}})
			require.ErrorContains(t, err, name+": ")
			require.ErrorContains(t, err, c.says)
			require.NotContains(t, err.Error(), "s3cret")
		})
	}
	_, err = auth.New(auth.Config{})
	require.ErrorContains(t, err, "expected at least one")
	_, err = auth.New(auth.Config{KeyFiles: []string{"none"}})
	require.ErrorIs(t, err, os.ErrNotExist)
}

// A token that names a key is checked by that key, or by one that has no name.
func TestKeyIDs(t *testing.T) {
	other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	set := `{"keys":[` + ecJWK("a", ecKey, "") + "," + ecJWK("b", other, "") + "," + ecJWK("c", ecKey, `,"use":"enc"`) + `]}`
	v := verifier(t, auth.Config{KeyFiles: []string{write(t, []byte(set))}})
	require.Equal(t, 2, auth.Keys(v), "one is for encryption")
	for _, c := range []struct {
		id   string
		key  any
		want auth.Reason
	}{
		{"a", ecKey, ""}, {"b", other, ""}, {"", ecKey, ""}, {"", other, ""},
		{"a", other, auth.BadSignature}, {"c", ecKey, auth.UnknownKey}, {"d", ecKey, auth.UnknownKey},
	} {
		header := []any{}
		if c.id != "" {
			header = []any{"@kid", c.id}
		}
		_, err := v.Verify([]byte(token(t, "ES256", c.key, header...)))
		if c.want == "" {
			require.NoError(t, err, c.id)
		} else {
			require.Equal(t, c.want, reasonOf(t, err), c.id)
		}
	}
	_, err = v.Verify([]byte(token(t, "HS256", secret, "@kid", "a")))
	require.Equal(t, auth.UnknownKey, reasonOf(t, err), "the key of another algorithm")
	_, err = v.Verify([]byte(token(t, "ES256", ecKey, "@kid", 7)))
	require.NoError(t, err, "a kid that is no text names none")
}

func TestReload(t *testing.T) {
	name := write(t, secret)
	v := verifier(t, auth.Config{KeyFiles: []string{name}})
	old := []byte(token(t, "HS256", secret))
	require.NoError(t, os.WriteFile(name, []byte("short"), 0o600))
	require.Error(t, v.Reload())
	_, err := v.Verify(old)
	require.NoError(t, err, "after an error all is as before")
	require.NoError(t, os.WriteFile(name, publicPEM, 0o600))
	require.NoError(t, v.Reload())
	_, err = v.Verify(old)
	require.Equal(t, auth.UnknownKey, reasonOf(t, err))
	_, err = v.Verify([]byte(token(t, "RS256", rsaKey)))
	require.NoError(t, err)
}

func TestReadPrivate(t *testing.T) {
	for algorithm, text := range map[string][]byte{"HS256": secret, "RS256": toPEM("PRIVATE KEY", pkcs8(rsaKey)), "ES256": toPEM("PRIVATE KEY", pkcs8(ecKey)),
		"EdDSA": toPEM("PRIVATE KEY", pkcs8(edKey))} {
		_, got, _, err := auth.ReadPrivate(write(t, text))
		require.NoError(t, err)
		require.Equal(t, algorithm, got)
	}
	_, _, _, err := auth.ReadPrivate(write(t, publicPEM))
	require.ErrorContains(t, err, "expected a private key")
	_, _, _, err = auth.ReadPrivate(write(t, []byte(`{"keys":[`+octJWK("a", secret)+","+octJWK("b", secret)+`]}`)))
	require.ErrorContains(t, err, "2 keys: expected one")
	_, _, id, err := auth.ReadPrivate(write(t, []byte(octJWK("a", secret))))
	require.NoError(t, err)
	require.Equal(t, "a", id)
}

// FuzzKeyFile: no file makes it panic, and what it takes can check.
func FuzzKeyFile(f *testing.F) {
	for _, s := range []string{string(secret), string(publicPEM), ecJWK("k", ecKey, ""), octJWK("k", secret), `{"keys":[` + rsaJWK("k", &rsaKey.PublicKey) + `]}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		v, err := auth.New(auth.Config{KeyFiles: []string{write(t, b)}})
		if err != nil {
			return
		}
		if auth.Keys(v) == 0 {
			t.Fatal("no key, and no error")
		}
		for _, s := range []string{"HS256", "ES256"} {
			_, err := v.Verify([]byte(token(t, s, signers[s], "@kid", "none")))
			if err != nil {
				reasonOf(t, err)
			}
		}
	})
}
