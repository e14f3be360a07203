package auth

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/golang-jwt/jwt/v5"
)

var errForm = refuse(ReasonMalformed, "expected a JSON Web Token: a header, claims and a signature, each base64url, with dots between (RFC 7519)")

// checkForm looks at what need not be parsed. Go's base64 passes over line
// breaks, which a token may not have: it would have two spellings.
func checkForm(token []byte) error {
	if len(token) > MaxToken {
		return refuse(ReasonTooLarge, "the token is %d bytes, expected at most %d", len(token), MaxToken)
	}
	for _, c := range token {
		if (c|0x20 < 'a' || c|0x20 > 'z') && (c < '0' || c > '9') && c != '-' && c != '_' && c != '.' {
			return errForm
		}
	}
	return nil
}

// newParser returns one that leaves the claims to us: see written.
func newParser() *jwt.Parser {
	return jwt.NewParser(jwt.WithValidMethods(Algorithms), jwt.WithStrictDecoding(), jwt.WithoutClaimsValidation())
}

// written are the claims as they stand in a token. They are read when the
// signature was found good, and not while the token is parsed.
type written struct {
	jwt.Claims // none, since the parser does not judge them
	raw        json.RawMessage
}

// UnmarshalJSON keeps a copy. It is not called for null.
func (w *written) UnmarshalJSON(b []byte) error { return w.raw.UnmarshalJSON(b) }

// checkAlgorithm says what is wrong with a header's alg, or returns nil.
func checkAlgorithm(header map[string]any) *Error {
	alg, ok := header["alg"].(string)
	switch {
	case !ok:
		return refuse(ReasonAlgorithm, "the token's header says no alg, expected %s", strings.Join(Algorithms, ", "))
	case !slices.Contains(Algorithms, alg):
		return refuse(ReasonAlgorithm, "alg is %s, expected %s", excerpt(alg), strings.Join(Algorithms, ", "))
	}
	return nil
}

// keyID looks at the rest of a header and returns its kid, "" for none.
func keyID(header map[string]any) (string, error) {
	if _, ok := header["crit"]; ok { // RFC 7515, 4.1.11
		return "", refuse(ReasonMalformed, "the token's header says crit: expected none, since no extension is understood here")
	}
	kid, ok := header["kid"]
	if !ok {
		return "", nil
	}
	id, ok := kid.(string)
	if !ok || id == "" {
		return "", refuse(ReasonMalformed, "the token's kid: expected a string that is not empty")
	}
	return id, nil
}
