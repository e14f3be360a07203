package auth_test

import (
	"crypto"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"

	"github.com/pushd/pushd/internal/auth"
)

func b64(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }

// hs256 signs any header and claims with a secret.
func hs256(secret []byte, header, claims string) []byte {
	signed := b64(header) + "." + b64(claims)
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(signed))
	return []byte(signed + "." + b64(string(mac.Sum(nil))))
}

// wantReason checks an error's reason and part of its message, and that it
// does not give the token away.
func wantReason(t *testing.T, label string, token []byte, err error, reason auth.Reason, part string) {
	t.Helper()
	var e *auth.Error
	require.ErrorAs(t, err, &e, label)
	require.Equal(t, reason, e.Reason, "%s: %v", label, err)
	require.Contains(t, e.Message, part, label)
	require.Less(t, len(e.Message), 400, label)
	for _, segment := range strings.Split(string(token), ".") {
		if len(segment) > 16 {
			require.NotContains(t, err.Error(), segment, label)
		}
	}
}

// Every way to come without the right key.
func TestVerifyRefusesForgery(t *testing.T) {
	rs, rsFile := generate(t, "RS256", "rs")
	es, esFile := generate(t, "ES256", "es")
	hs, hsFile := generate(t, "HS256", "hs")
	ed, edFile := generate(t, "EdDSA", "ed")
	v := verifier(t, auth.Config{}, rsFile, esFile, hsFile, edFile)

	good, err := json.Marshal(with(nil))
	require.NoError(t, err)
	claims := string(good)
	payload := b64(claims)
	rsPublic, err := os.ReadFile(rsFile)
	require.NoError(t, err)
	_, rsPEM, err := rs.PEM()
	require.NoError(t, err)
	block, _ := pem.Decode(rsPEM)
	parsed, err := x509.ParsePKIXPublicKey(block.Bytes)
	require.NoError(t, err)
	stranger := func(alg, kid string) []byte {
		k, err := auth.Generate(alg, kid)
		require.NoError(t, err)
		return sign(t, k, with(nil))
	}
	hsToken, rsToken := string(sign(t, hs, with(nil))), string(sign(t, rs, with(nil)))
	cut := strings.LastIndex(hsToken, ".")

	type forged struct {
		label, token string
		reason       auth.Reason
		part         string
	}
	cases := []forged{
		{"no token", "", auth.ReasonMalformed, "JSON Web Token"},
		{"two parts", hsToken[:cut], auth.ReasonMalformed, ""},
		{"four parts", hsToken + ".x", auth.ReasonMalformed, ""},
		{"dots alone", "..", auth.ReasonMalformed, ""},
		{"no signature", hsToken[:cut+1], auth.ReasonSignature, ""},
		{"padded", hsToken + "=", auth.ReasonMalformed, ""},
		{"a line break in the signature", hsToken[:cut+5] + "\n" + hsToken[cut+5:], auth.ReasonMalformed, ""},
		{"white space before", " " + hsToken, auth.ReasonMalformed, ""},
		{"not UTF-8", "\xff" + hsToken, auth.ReasonMalformed, ""},
		{"header is no JSON", b64("{") + "." + payload + ".AA", auth.ReasonMalformed, ""},
		{"header is null", b64("null") + "." + payload + ".AA", auth.ReasonAlgorithm, "no alg"},
		{"header is an array", b64("[]") + "." + payload + ".AA", auth.ReasonMalformed, ""},
		{"no alg", b64(`{"typ":"JWT"}`) + "." + payload + ".AA", auth.ReasonAlgorithm, "no alg"},
		{"alg is a number", b64(`{"alg":1}`) + "." + payload + ".AA", auth.ReasonAlgorithm, "no alg"},
		{"huge", hsToken + strings.Repeat("A", auth.MaxToken), auth.ReasonTooLarge, "at most 8192"},
		{"crit", string(hs256([]byte("x"), `{"alg":"HS256","crit":["b64"],"b64":false}`, claims)), auth.ReasonMalformed, "crit"},
		{"empty crit", string(hs256([]byte("x"), `{"alg":"HS256","crit":[]}`, claims)), auth.ReasonMalformed, "crit"},
		{"kid is a number", string(hs256([]byte("x"), `{"alg":"HS256","kid":1}`, claims)), auth.ReasonMalformed, "kid"},
		{"kid is empty", string(hs256([]byte("x"), `{"alg":"HS256","kid":""}`, claims)), auth.ReasonMalformed, "kid"},

		{"the RSA key's JWK as secret", string(hs256(rsPublic, `{"alg":"HS256"}`, claims)), auth.ReasonSignature, ""},
		{"the RSA key's PEM as secret", string(hs256(rsPEM, `{"alg":"HS256"}`, claims)), auth.ReasonSignature, ""},
		{"the RSA key's DER as secret", string(hs256(block.Bytes, `{"alg":"HS256"}`, claims)), auth.ReasonSignature, ""},
		{"the RSA key's modulus as secret", string(hs256(parsed.(*rsa.PublicKey).N.Bytes(), `{"alg":"HS256"}`, claims)), auth.ReasonSignature, ""},
		{"the same, by its name", string(hs256(rsPEM, `{"alg":"HS256","kid":"rs"}`, claims)), auth.ReasonAlgorithm, `"rs" is one for RS256`},
		{"an empty secret", string(hs256(nil, `{"alg":"HS256"}`, claims)), auth.ReasonSignature, ""},

		{"unknown key", string(stranger("ES256", "nobody")), auth.ReasonUnknownKey, `no ES256 key "nobody" is known`},
		{"a long kid", string(stranger("ES256", strings.Repeat("k", 500))), auth.ReasonUnknownKey, "…"},
		{"another's claims", strings.Join([]string{strings.Split(hsToken, ".")[0], b64(`{"exp":4000000000}`), strings.Split(hsToken, ".")[2]}, "."), auth.ReasonSignature, ""},
		{"another's signature", rsToken[:strings.LastIndex(rsToken, ".")] + hsToken[cut:], auth.ReasonSignature, ""},
		{"claims are null", string(hs256([]byte("x"), `{"alg":"HS256"}`, "null")), auth.ReasonSignature, ""},
	}
	for _, k := range []auth.Key{rs, es, hs, ed} {
		cases = append(cases, forged{"wrong key for " + k.Alg, string(stranger(k.Alg, k.ID)), auth.ReasonSignature, "not that of a key"})
		for _, other := range []auth.Key{rs, es, hs, ed} {
			if other.Alg == k.Alg {
				continue
			}
			h := fmt.Sprintf(`{"alg":%q,"kid":%q}`, other.Alg, k.ID)
			token := string(sign(t, k, with(nil)))
			cases = append(cases, forged{k.Alg + " called " + other.Alg, b64(h) + token[strings.Index(token, "."):], auth.ReasonAlgorithm, "is one for " + k.Alg})
			h = fmt.Sprintf(`{"alg":%q}`, other.Alg)
			cases = append(cases, forged{k.Alg + " called " + other.Alg + " without kid", b64(h) + token[strings.Index(token, "."):], auth.ReasonSignature, ""})
		}
	}
	for _, none := range []string{"none", "None", "NONE", "nOnE", "none ", "", "no\\u006ee"} {
		for _, signature := range []string{"", "AA", hsToken[cut+1:]} {
			cases = append(cases, forged{"alg:" + none, b64(`{"alg":"`+none+`"}`) + "." + payload + "." + signature, auth.ReasonAlgorithm, "expected HS256"})
		}
	}
	for _, alg := range []string{"HS384", "HS512", "RS384", "RS512", "PS256", "ES384", "ES512", "hs256", "eddsa", "Ed25519", "ES256K"} {
		cases = append(cases, forged{"alg " + alg, b64(`{"alg":"`+alg+`"}`) + "." + payload + ".AA", auth.ReasonAlgorithm, `alg is "` + alg + `"`})
	}
	for _, c := range cases {
		_, err := v.Verify([]byte(c.token))
		wantReason(t, c.label, []byte(c.token), err, c.reason, c.part)
	}

	// One that is right in all but its algorithm: RS512 by the very key.
	other, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	token, err := jwt.NewWithClaims(jwt.SigningMethodRS512, jwt.MapClaims(with(nil))).SignedString(other)
	require.NoError(t, err)
	der, err := x509.MarshalPKIXPublicKey(crypto.PublicKey(&other.PublicKey))
	require.NoError(t, err)
	v = verifier(t, auth.Config{}, file(t, "rsa.pem", string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))))
	_, err = v.Verify([]byte(token))
	wantReason(t, "RS512", []byte(token), err, auth.ReasonAlgorithm, "RS512")
	token, err = jwt.NewWithClaims(jwt.SigningMethodRS256, jwt.MapClaims(with(nil))).SignedString(other)
	require.NoError(t, err)
	_, err = v.Verify([]byte(token))
	require.NoError(t, err)
}

// Tokens of the right key that say what they should not.
func TestVerifyRefusesClaims(t *testing.T) {
	secret := []byte(strings.Repeat("s", 32))
	v := verifier(t, auth.Config{Audience: "pushd", Issuer: "https://issuer"}, file(t, "secret", string(secret)+"\n"))
	at := func(d time.Duration) int64 { return now.Add(d).Unix() }
	patterns := func(n int) string { return `["a"` + strings.Repeat(`,"a"`, n-1) + `]` }
	const rest = `,"aud":"pushd","iss":"https://issuer"}`
	exp := fmt.Sprintf(`"exp":%d`, at(time.Second))
	for _, c := range []struct {
		label, claims string
		reason        auth.Reason
		part          string
	}{
		{"not an object", `[]`, auth.ReasonClaims, "JSON object"},
		{"null", `null`, auth.ReasonClaims, "JSON object"},
		{"empty", `{}`, auth.ReasonClaims, "exp"},
		{"no exp", `{"sub":"42"` + rest, auth.ReasonClaims, "expected exp"},
		{"EXP is not exp", fmt.Sprintf(`{"EXP":%d`, at(time.Hour)) + rest, auth.ReasonClaims, "expected exp"},
		{"exp is a string", `{"exp":"4000000000"` + rest, auth.ReasonClaims, "exp: expected a time"},
		{"exp is null", `{"exp":null` + rest, auth.ReasonClaims, "exp: expected a time"},
		{"exp is huge", `{"exp":1e300` + rest, auth.ReasonClaims, "exp: expected a time"},
		{"exp is negative", `{"exp":-1` + rest, auth.ReasonClaims, "exp: expected a time"},
		{"exp twice", `{"exp":1,` + exp + rest, auth.ReasonClaims, `"exp" stands twice`},
		{"exp twice, once escaped", `{"\u0065xp":1,` + exp + rest, auth.ReasonClaims, `"exp" stands twice`},
		{"expired", fmt.Sprintf(`{"exp":%d`, at(-time.Hour)) + rest, auth.ReasonExpired, "expired at 2030-03-17T16:46:40Z"},
		{"expires now", fmt.Sprintf(`{"exp":%d`, at(0)) + rest, auth.ReasonExpired, ""},
		{"expired long ago", `{"exp":0` + rest, auth.ReasonExpired, "1970"},
		{"not yet valid", fmt.Sprintf(`{"nbf":%d,`, at(time.Second)) + exp + rest, auth.ReasonNotYetValid, "not valid before 2030-03-17T17:46:41Z"},
		{"nbf is text", `{"nbf":"now",` + exp + rest, auth.ReasonClaims, "nbf: expected a time"},
		{"no aud", `{` + exp + `}`, auth.ReasonWrongAud, `no aud, expected one with "pushd"`},
		{"wrong aud", `{` + exp + `,"aud":"other"}`, auth.ReasonWrongAud, `[other]`},
		{"a list of wrong auds", `{` + exp + `,"aud":["a","PUSHD"]}`, auth.ReasonWrongAud, "pushd"},
		{"an empty list of auds", `{` + exp + `,"aud":[]}`, auth.ReasonWrongAud, "pushd"},
		{"aud is an object", `{` + exp + `,"aud":{}}`, auth.ReasonClaims, "aud: expected a string"},
		{"aud is null", `{` + exp + `,"aud":null}`, auth.ReasonClaims, "aud: expected a string"},
		{"an aud is null", `{` + exp + `,"aud":[null]}`, auth.ReasonClaims, "aud: expected a string"},
		{"no iss", `{` + exp + `,"aud":"pushd"}`, auth.ReasonWrongIssuer, `expected "https://issuer"`},
		{"wrong iss", `{` + exp + `,"aud":"pushd","iss":"x"}`, auth.ReasonWrongIssuer, `iss is "x"`},
		{"iss is a number", `{` + exp + `,"aud":"pushd","iss":1}`, auth.ReasonClaims, "iss: expected a string"},
		{"sub is a number", `{"sub":42,` + exp + rest, auth.ReasonClaims, "sub: expected a string"},
		{"sub is empty", `{"sub":"",` + exp + rest, auth.ReasonClaims, "at least one"},
		{"sub has a dot", `{"sub":"a.b",` + exp + rest, auth.ReasonClaims, "dot"},
		{"sub is a wildcard", `{"sub":">",` + exp + rest, auth.ReasonClaims, "/ , * >"},
		{"sub is long", `{"sub":"` + strings.Repeat("u", 129) + `",` + exp + rest, auth.ReasonClaims, "at most 128"},
		{"jti is a number", `{"jti":7,` + exp + rest, auth.ReasonClaims, "jti: expected a string"},
		{"jti is empty", `{"jti":"",` + exp + rest, auth.ReasonClaims, "jti: "},
		{"jti is long", `{"jti":"` + strings.Repeat("j", 256) + `",` + exp + rest, auth.ReasonClaims, "at most 255"},
		{"pushd is null", `{"pushd":null,` + exp + rest, auth.ReasonClaims, "pushd: expected a JSON object"},
		{"pushd is an array", `{"pushd":["a"],` + exp + rest, auth.ReasonClaims, "pushd: expected a JSON object"},
		{"subscribe is a string", `{"pushd":{"subscribe":"a"},` + exp + rest, auth.ReasonClaims, "pushd: subscribe: expected an array"},
		{"publish is null", `{"pushd":{"publish":null},` + exp + rest, auth.ReasonClaims, "pushd: publish: expected an array"},
		{"a pattern is a number", `{"pushd":{"publish":[1]},` + exp + rest, auth.ReasonClaims, "pushd: publish: expected an array"},
		{"a pattern is null", `{"pushd":{"publish":["a",null]},` + exp + rest, auth.ReasonClaims, "pushd: publish: expected an array"},
		{"a bad pattern", `{"pushd":{"subscribe":["a.>.b"]},` + exp + rest, auth.ReasonClaims, "> may only stand last"},
		{"an empty pattern", `{"pushd":{"subscribe":[""]},` + exp + rest, auth.ReasonClaims, "at least one"},
		{"too many patterns", `{"pushd":{"subscribe":` + patterns(129) + `},` + exp + rest, auth.ReasonClaims, "129 patterns, expected at most 128"},
		{"subscribe twice", `{"pushd":{"subscribe":["a"],"subscribe":[">"]},` + exp + rest, auth.ReasonClaims, "stands twice"},
		{"an unknown right", `{"pushd":{"Subscribe":["a"]},` + exp + rest, auth.ReasonClaims, `"Subscribe": expected subscribe and publish alone`},
	} {
		token := hs256(secret, `{"alg":"HS256"}`, c.claims)
		_, err := v.Verify(token)
		wantReason(t, c.label, token, err, c.reason, c.part)
	}
	for label, claims := range map[string]string{
		"an hour":         `{"sub":"42",` + exp + rest,
		"white space":     ` { "pushd" : { "subscribe" : ` + patterns(128) + ` } , ` + exp + rest + "\n",
		"several auds":    `{` + exp + `,"aud":["other","pushd"],"iss":"https://issuer"}`,
		"fractions":       fmt.Sprintf(`{"exp":%d.75,"nbf":%d.25`, at(time.Hour), at(0)) + rest,
		"others' claims":  `{"scope":{"subscribe":1},"SUB":7,` + exp + rest,
		"nothing granted": `{"pushd":{},` + exp + rest,
	} {
		_, err := v.Verify(hs256(secret, `{"alg":"HS256"}`, claims))
		require.NoError(t, err, label)
	}
}

func TestLeewayAndExpiry(t *testing.T) {
	k, path := generate(t, "HS256", "")
	v := verifier(t, auth.Config{Leeway: time.Minute}, path)
	for _, c := range []struct {
		label    string
		exp, nbf time.Duration
		reason   auth.Reason
	}{
		{"a little late", -59 * time.Second, 0, ""},
		{"too late", -time.Minute, 0, auth.ReasonExpired},
		{"a little early", time.Hour, time.Minute, ""},
		{"too early", time.Hour, 61 * time.Second, auth.ReasonNotYetValid},
	} {
		g, err := v.Verify(sign(t, k, with(map[string]any{"exp": now.Add(c.exp).Unix(), "nbf": now.Add(c.nbf).Unix()})))
		if c.reason != "" {
			wantReason(t, c.label, nil, err, c.reason, "")
			continue
		}
		require.NoError(t, err, c.label)
		require.True(t, g.Expires.Equal(now.Add(c.exp+time.Minute)), "%s: it holds as long as Verify takes it", c.label)
	}

	forEver := sign(t, k, with(map[string]any{"exp": nil}))
	_, err := v.Verify(forEver)
	wantReason(t, "for ever", forEver, err, auth.ReasonClaims, "exp")
}
