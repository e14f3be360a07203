package auth

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/MicahParks/jwkset"
)

// parseJSON reads a JWK, or a JWK set, of a file.
func parseJSON(b []byte) ([]Key, error) {
	var file struct {
		jwkset.JWKMarshal
		Keys *[]json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(b, &file); err != nil {
		return nil, errors.New("JSON: expected a JWK, or a JWK set")
	}
	if file.Keys == nil {
		k, err := parseJWK(b, true)
		return []Key{k}, err
	}
	return parseJWKS(*file.Keys, true)
}

// parseJWKS returns the keys of a set that can be used, at least one. What
// cannot be used may stand beside them (RFC 7517, 5). The error is that of the
// first that cannot be.
func parseJWKS(set []json.RawMessage, private bool) (keySet, error) {
	var keys keySet
	var first error
	for i, b := range set {
		k, err := parseJWK(b, private)
		switch {
		case err == nil:
			keys = keys.add(k)
		case first == nil:
			first = fmt.Errorf("keys[%d]: %w", i, err)
		}
	}
	switch {
	case len(keys) > 0:
		return keys, nil
	case first != nil:
		return nil, fmt.Errorf("JWK set: no key of it can be used: %w", first)
	}
	return nil, errors.New("JWK set: expected at least one key")
}

// parseJWK reads one key. Without private there are public keys alone, and
// what a set says of the other half is not looked at.
func parseJWK(b []byte, private bool) (Key, error) {
	var m jwkset.JWKMarshal
	if json.Unmarshal(b, &m) != nil {
		return Key{}, errors.New("JWK: expected an object of strings")
	}
	verifies := len(m.KEYOPS) == 0 || slices.Contains(m.KEYOPS, jwkset.KeyOpsVerify) || private && slices.Contains(m.KEYOPS, jwkset.KeyOpsSign)
	switch {
	case m.USE != "" && m.USE != jwkset.UseSig:
		return Key{}, fmt.Errorf("JWK: use is %s, expected sig or none", excerpt(string(m.USE)))
	case !verifies:
		return Key{}, errors.New("JWK: key_ops: expected verify among them, or none")
	case m.KTY == jwkset.KtyOct && !private:
		return Key{}, errors.New("JWK: kty is oct: expected a public key, since secrets are not published")
	}
	m.X5C, m.X5U, m.X5T, m.X5TS256 = nil, "", "", "" // the key alone counts
	j, err := jwkset.NewJWKFromMarshal(m, jwkset.JWKMarshalOptions{Private: private}, jwkset.JWKValidateOptions{})
	if err != nil {
		return Key{}, fmt.Errorf("JWK: %.200s", err)
	}
	k, err := newKey(m.KID, j.Key())
	if err != nil {
		return Key{}, fmt.Errorf("JWK: %w", err)
	}
	if alg := string(m.ALG); alg != "" && alg != k.Alg && (alg != "Ed25519" || k.Alg != "EdDSA") { // RFC 9864 renames it
		return Key{}, fmt.Errorf("JWK: alg is %s, expected %s or none", excerpt(alg), k.Alg)
	}
	return k, nil
}
