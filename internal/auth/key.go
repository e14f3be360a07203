package auth

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"errors"
	"fmt"

	"github.com/golang-jwt/jwt/v5"
)

// Algorithms are those that are taken, as they stand in a token's header (RFC
// 7518, 3.1; RFC 8037, 3.1).
var Algorithms = []string{"HS256", "RS256", "ES256", "EdDSA"}

const (
	minSecret  = 32   // bytes (RFC 7518, 3.2: no shorter than the hash)
	minRSABits = 2048 // RFC 7518, 3.3
	maxRSABits = 8192 // what is longer costs whoever verifies too much
)

// Key is a key of one algorithm: there is no other that it verifies, whatever
// a token says. It prints as its algorithm and id alone.
type Key struct {
	ID  string // kid; "" where the key has none
	Alg string // one of Algorithms

	public  any // []byte, *rsa.PublicKey, *ecdsa.PublicKey or ed25519.PublicKey
	private any // what signs; nil where there is the public half alone
}

// String is part of fmt.Stringer, and keeps the key itself out of what is
// printed.
func (k Key) String() string {
	if k.ID == "" {
		return k.Alg + " key"
	}
	return k.Alg + " key " + excerpt(k.ID)
}

// GoString does for %#v what String does for the others.
func (k Key) GoString() string { return k.String() }

// CanSign reports whether the key has the half that signs.
func (k Key) CanSign() bool { return k.private != nil }

// newKey finds the algorithm that goes with a key.
func newKey(id string, material any) (Key, error) {
	k := Key{ID: id}
	switch m := material.(type) {
	case []byte:
		if len(m) < minSecret {
			return k, fmt.Errorf("the secret is %d bytes, expected at least %d", len(m), minSecret)
		}
		k.Alg, k.public, k.private = "HS256", m, m
	case *rsa.PrivateKey:
		k.Alg, k.public, k.private = "RS256", &m.PublicKey, m
	case *ecdsa.PrivateKey:
		k.Alg, k.public, k.private = "ES256", &m.PublicKey, m
	case ed25519.PrivateKey:
		k.Alg, k.public, k.private = "EdDSA", m.Public(), m
	case *rsa.PublicKey:
		k.Alg, k.public = "RS256", m
	case *ecdsa.PublicKey:
		k.Alg, k.public = "ES256", m
	case ed25519.PublicKey:
		k.Alg, k.public = "EdDSA", m
	default:
		return k, fmt.Errorf("the key is of a kind (%T) that is not taken: expected RSA, EC P-256, Ed25519 or a secret", material)
	}
	switch p := k.public.(type) {
	case *rsa.PublicKey:
		if bits := p.N.BitLen(); bits < minRSABits || bits > maxRSABits {
			return k, fmt.Errorf("the RSA key has %d bits, expected %d to %d", bits, minRSABits, maxRSABits)
		}
	case *ecdsa.PublicKey:
		if p.Curve != elliptic.P256() {
			return k, fmt.Errorf("the EC key is of the curve %s, expected P-256, which ES256 goes with", p.Curve.Params().Name)
		}
	}
	if k.private == nil {
		return k, nil
	}
	// A JWK says both halves. What an Ed25519 key signs beside a public half
	// that is not its own gives it away.
	method := jwt.GetSigningMethod(k.Alg)
	signature, err := method.Sign("", k.private)
	if err != nil || method.Verify("", signature, k.public) != nil {
		return k, errors.New("the halves of the key do not belong together")
	}
	return k, nil
}

// same reports whether both verify the same signatures under the same name.
func (k Key) same(other Key) bool {
	if k.ID != other.ID || k.Alg != other.Alg {
		return false
	}
	if secret, ok := k.public.([]byte); ok {
		return string(secret) == string(other.public.([]byte))
	}
	return k.public.(interface{ Equal(crypto.PublicKey) bool }).Equal(other.public)
}

// Sign returns a token of the claims, which encoding/json must make an object
// of.
func (k Key) Sign(claims map[string]any) (string, error) {
	if k.private == nil {
		return "", fmt.Errorf("%v: the public half cannot sign, expected the private key", k)
	}
	t := jwt.NewWithClaims(jwt.GetSigningMethod(k.Alg), jwt.MapClaims(claims))
	if k.ID != "" {
		t.Header["kid"] = k.ID
	}
	return t.SignedString(k.private)
}
