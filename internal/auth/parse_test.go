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
	"fmt"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pushd/pushd/internal/auth"
)

func block(kind string, der []byte, err error) string {
	if err != nil {
		panic(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

func der(b []byte, err error) []byte {
	if err != nil {
		panic(err)
	}
	return b
}

func certificate(t *testing.T, public, private any) string {
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Unix(1, 0)}
	b, err := x509.CreateCertificate(rand.Reader, template, template, public, private)
	return block("CERTIFICATE", b, err)
}

func TestParseKeys(t *testing.T) {
	rs, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	es, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	edPublic, ed, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	pkcs8 := func(key any) string { b, err := x509.MarshalPKCS8PrivateKey(key); return block("PRIVATE KEY", b, err) }
	pkix := func(key any) string { b, err := x509.MarshalPKIXPublicKey(key); return block("PUBLIC KEY", b, err) }
	sec1, err := x509.MarshalECPrivateKey(es)
	sec1PEM := block("EC PRIVATE KEY", sec1, err)
	jwk := func(alg, id string) (private, public string) {
		k, err := auth.Generate(alg, id)
		require.NoError(t, err)
		a, b, err := k.JWK()
		require.NoError(t, err)
		return string(a), string(b)
	}
	hsJWK, _ := jwk("HS256", "h")
	rsJWK, rsPublic := jwk("RS256", "r")
	esJWK, esPublic := jwk("ES256", "e")
	edJWK, edPublicJWK := jwk("EdDSA", "d")
	edit := func(s string, oldnew ...string) string {
		edited := strings.NewReplacer(oldnew...).Replace(s)
		require.NotEqual(t, s, edited)
		return edited
	}

	for _, c := range []struct {
		label, content string
		want           string // algorithms and ids
		signs          bool
	}{
		{"PKIX RSA", pkix(&rs.PublicKey), "[RS256 key]", false},
		{"PKIX EC", pkix(&es.PublicKey), "[ES256 key]", false},
		{"PKIX Ed25519", pkix(edPublic), "[EdDSA key]", false},
		{"PKCS #1 public", block("RSA PUBLIC KEY", x509.MarshalPKCS1PublicKey(&rs.PublicKey), nil), "[RS256 key]", false},
		{"PKCS #1 private", block("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(rs), nil), "[RS256 key]", true},
		{"PKCS #8 RSA", pkcs8(rs), "[RS256 key]", true},
		{"PKCS #8 EC", pkcs8(es), "[ES256 key]", true},
		{"PKCS #8 Ed25519", pkcs8(ed), "[EdDSA key]", true},
		{"SEC 1", sec1PEM, "[ES256 key]", true},
		{"openssl's parameters before it", block("EC PARAMETERS", []byte{6, 1, 1}, nil) + sec1PEM, "[ES256 key]", true},
		{"a certificate, which expired", certificate(t, &rs.PublicKey, rs), "[RS256 key]", false},
		{"two blocks, with talk around", "keys\n" + pkix(&rs.PublicKey) + "and\n" + pkix(edPublic), "[RS256 key EdDSA key]", false},
		{"a key twice", pkix(&es.PublicKey) + pkix(&es.PublicKey), "[ES256 key]", false},
		{"a secret", strings.Repeat("s", 32), "[HS256 key]", true},
		{"a secret with a line end", strings.Repeat("ü", 16) + "\r\n", "[HS256 key]", true},
		{"JWK oct", hsJWK, `[HS256 key "h"]`, true},
		{"JWK RSA", rsJWK, `[RS256 key "r"]`, true},
		{"JWK EC", "\n" + esJWK, `[ES256 key "e"]`, true},
		{"JWK Ed25519", edJWK, `[EdDSA key "d"]`, true},
		{"JWK RSA, public", rsPublic, `[RS256 key "r"]`, false},
		{"JWK EC, public", esPublic, `[ES256 key "e"]`, false},
		{"JWK Ed25519, public", edPublicJWK, `[EdDSA key "d"]`, false},
		{"without use and alg", edit(esPublic, `"use":"sig",`, "", `"alg":"ES256",`, ""), `[ES256 key "e"]`, false},
		{"RFC 9864's name", edit(edPublicJWK, `"alg":"EdDSA"`, `"alg":"Ed25519"`), `[EdDSA key "d"]`, false},
		{"key_ops", edit(esPublic, `"use":"sig"`, `"key_ops":["verify"]`), `[ES256 key "e"]`, false},
		{"a chain that is not ours", edit(esPublic, `"use":"sig"`, `"x5c":["AA"],"x5u":"x","x5t":"x"`), `[ES256 key "e"]`, false},
		{"a set, and what cannot be used", `{"keys":[` + rsPublic + `,{"kty":"new"},7,` + edit(esPublic, `"sig"`, `"enc"`) + `,` + edPublicJWK + `]}`,
			`[RS256 key "r" EdDSA key "d"]`, false},
	} {
		keys, err := auth.ParseKeys([]byte(c.content))
		require.NoError(t, err, c.label)
		require.Equal(t, c.want, fmt.Sprint(keys), c.label)
		require.Equal(t, c.signs, keys[0].CanSign(), c.label)
		require.NotRegexp(t, `[0-9]{20}|s{20}`, fmt.Sprintf("%v %+v %#v %s %x", keys, keys, keys, keys[0], keys[0]), "%s: a key is printed", c.label)
	}

	small, err := rsa.GenerateKey(rand.Reader, 1024)
	require.NoError(t, err)
	large, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	require.NoError(t, err)
	_, another, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	other := base64.RawURLEncoding.EncodeToString(another.Seed())
	for _, c := range []struct{ label, content, part string }{
		{"nothing", "", "empty"},
		{"white space", " \n", "empty"},
		{"a short secret", strings.Repeat("s", 31), "31 bytes, expected at least 32"},
		{"words", strings.Repeat("word ", 10), "white space"},
		{"two lines", strings.Repeat("s", 40) + "\n" + strings.Repeat("t", 40), "white space"},
		{"bytes", strings.Repeat("\xff\x00", 40), "oct"},
		{"DER", string(der(x509.MarshalPKIXPublicKey(&rs.PublicKey))), "oct"},
		{"a public key for ssh", "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPxtM3+KKM4yV8tMJfjmpqFQ8vBNzK0 me@here", "white space"},
		{"a public key without its frame", base64.StdEncoding.EncodeToString(der(x509.MarshalPKIXPublicKey(&rs.PublicKey))), "-----BEGIN"},
		{"a private key without its frame", base64.StdEncoding.EncodeToString(der(x509.MarshalPKCS8PrivateKey(ed))), "-----BEGIN"},
		{"RSA 1024", pkix(&small.PublicKey), "1024 bits, expected 2048 to 8192"},
		{"RSA 1024, private", pkcs8(small), "1024 bits"},
		{"P-384", pkix(&large.PublicKey), "P-384, expected P-256"},
		{"P-384, private", pkcs8(large), "P-384, expected P-256"},
		{"cut off", pkix(edPublic)[:60], "no whole block"},
		{"damaged", block("PUBLIC KEY", []byte("MII"), nil), "damaged"},
		{"an unknown block", block("OPENSSH PRIVATE KEY", []byte("x"), nil), "expected PUBLIC KEY"},
		{"an encrypted key", block("ENCRYPTED PRIVATE KEY", []byte("x"), nil), "not encrypted"},
		{"not JSON", "{", "expected a JWK"},
		{"an empty object", "{}", "JWK: "},
		{"an empty set", `{"keys":[]}`, "at least one key"},
		{"a set of nothing", `{"keys":[{"kty":"new"}]}`, "keys[0]"},
		{"keys is an object", `{"keys":{}}`, "expected a JWK"},
		{"to encrypt", edit(esPublic, `"sig"`, `"enc"`), `use is "enc", expected sig`},
		{"to wrap", edit(esPublic, `"use":"sig"`, `"key_ops":["wrapKey"]`), "key_ops"},
		{"RS512", edit(rsPublic, "RS256", "RS512"), `alg is "RS512", expected RS256`},
		{"an RSA key for HS256", edit(rsPublic, "RS256", "HS256"), `alg is "HS256", expected RS256`},
		{"a secret for RS256", edit(hsJWK, "HS256", "RS256"), `alg is "RS256", expected HS256`},
		{"a short oct", `{"kty":"oct","k":"QUFB"}`, "3 bytes, expected at least 32"},
		{"oct without k", `{"kty":"oct"}`, `"k"`},
		{"a point that is not on the curve", edit(esPublic, `"y":"`, `"y":"AA`), "JWK: "},
		{"halves of two keys", edit(esJWK, `"d":"`, `"d":"`+other+`","dd":"`), "do not belong together"},
		{"halves of two keys, Ed25519", edit(edJWK, `"d":"`, `"d":"`+other+`","dd":"`), "do not belong together"},
	} {
		_, err := auth.ParseKeys([]byte(c.content))
		require.ErrorContains(t, err, c.part, c.label)
		if len(c.content) > 60 {
			require.NotContains(t, err.Error(), c.content[28:52], "%s: the key is told", c.label)
		}
	}
}

func FuzzParseKeys(f *testing.F) {
	for _, alg := range auth.Algorithms {
		k, err := auth.Generate(alg, "k")
		require.NoError(f, err)
		private, public, err := k.JWK()
		require.NoError(f, err)
		f.Add(private)
		f.Add([]byte(`{"keys":[` + string(public) + `]}`))
		if private, public, err = k.PEM(); err == nil {
			f.Add(append(private, public...))
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		keys, err := auth.ParseKeys(b)
		if err != nil {
			return
		}
		require.NotEmpty(t, keys)
		for _, k := range keys {
			require.Contains(t, auth.Algorithms, k.Alg)
			if token, err := k.Sign(with(nil)); err == nil && len(keys) <= auth.MaxTried {
				require.True(t, k.CanSign())
				v, err := auth.New(auth.Config{KeyFiles: []string{file(t, "key", string(b))}, Now: clock})
				require.NoError(t, err)
				_, err = v.Verify([]byte(token))
				require.NoError(t, err)
			}
		}
	})
}
