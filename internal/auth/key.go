package auth

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"os"

	"github.com/MicahParks/jwkset"
)

// The algorithms that there are (RFC 7518, 3.1; RFC 8037, 3.1).
const (
	HS256 = "HS256"
	RS256 = "RS256"
	ES256 = "ES256"
	EdDSA = "EdDSA"
)

const (
	minSecret = 32   // bytes, RFC 7518, 3.2
	minRSA    = 2048 // bits, RFC 7518, 3.3
	maxKeys   = 64   // of all sources: a token may be tried by each of its algorithm
)

// key is one by which signatures are checked, by its one algorithm alone.
type key struct {
	id        string // kid; "" where there is none
	algorithm string
	public    any // as the jwt package takes it
}

// newKey takes a public key or a secret, or a private key, of which it keeps the
// public half.
func newKey(id string, k any) (key, error) {
	switch k := k.(type) {
	case *rsa.PrivateKey:
		return newKey(id, &k.PublicKey)
	case *ecdsa.PrivateKey:
		return newKey(id, &k.PublicKey)
	case ed25519.PrivateKey:
		return newKey(id, k.Public())
	case *rsa.PublicKey:
		if k.N.BitLen() < minRSA {
			return key{}, fmt.Errorf("an RSA key of %d bits: expected at least %d", k.N.BitLen(), minRSA)
		}
		return key{id, RS256, k}, nil
	case *ecdsa.PublicKey:
		if k.Curve != elliptic.P256() {
			return key{}, fmt.Errorf("a key on the curve %s: expected P-256, for ES256", k.Curve.Params().Name)
		}
		return key{id, ES256, k}, nil
	case ed25519.PublicKey:
		return key{id, EdDSA, k}, nil
	case []byte:
		if len(k) < minSecret {
			return key{}, fmt.Errorf("a secret of %d bytes: expected at least %d, as openssl rand -hex 32 makes them", len(k), minSecret)
		}
		return key{id, HS256, k}, nil
	}
	return key{}, fmt.Errorf("a key of type %T: expected RSA, P-256, Ed25519 or a secret", k)
}

// ReadPrivate reads what signs tokens: a private key or a secret. The algorithm
// follows from the key.
func ReadPrivate(file string) (signer any, algorithm, id string, err error) {
	all, err := parseFile(file)
	if err != nil {
		return nil, "", "", err
	}
	if len(all) != 1 {
		return nil, "", "", fmt.Errorf("%s: %d keys: expected one to sign with", file, len(all))
	}
	switch all[0].material.(type) {
	case *rsa.PublicKey, *ecdsa.PublicKey, ed25519.PublicKey:
		return nil, "", "", fmt.Errorf("%s: a public key checks tokens, and cannot sign them: expected a private key", file)
	}
	k, err := newKey(all[0].id, all[0].material)
	if err != nil {
		return nil, "", "", fmt.Errorf("%s: %w", file, err)
	}
	return all[0].material, k.algorithm, k.id, nil
}

// readKeys reads the keys in a file.
func readKeys(file string) (keys []key, err error) {
	all, err := parseFile(file)
	if err != nil {
		return nil, err
	}
	for _, p := range all {
		k, err := newKey(p.id, p.material)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		keys = append(keys, k)
	}
	return keys, nil
}

// parsed is a key as a file has it, private or public.
type parsed struct {
	id       string
	material any
}

// parseFile reads a file: JSON is a JSON Web Key or a set of them, PEM is PEM, and
// anything else is a secret, without a line break at its end.
func parseFile(file string) ([]parsed, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var all []parsed
	switch {
	case bytes.HasPrefix(bytes.TrimSpace(b), []byte("{")):
		all, err = parseJWKs(b)
	case bytes.Contains(b, []byte("-----BEGIN ")):
		all, err = parsePEM(b)
	default:
		all = []parsed{{material: bytes.TrimRight(b, "\r\n")}}
	}
	if err == nil && len(all) == 0 {
		err = errors.New("no key is in it")
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return all, nil
}

// parseJWKs reads one JSON Web Key or a set (RFC 7517, 4 and 5). Those that are
// not for signatures, or of a kind that is not known here, are passed over in a
// set, as it asks for.
func parseJWKs(b []byte) (all []parsed, err error) {
	var set jwkset.JWKSMarshal
	if err := json.Unmarshal(b, &set); err != nil {
		return nil, fmt.Errorf("not a JSON Web Key: %w", err)
	}
	if set.Keys == nil {
		var one jwkset.JWKMarshal
		if err := json.Unmarshal(b, &one); err != nil {
			return nil, fmt.Errorf("not a JSON Web Key: %w", err)
		}
		p, _, err := parseJWK(one)
		return []parsed{p}, err
	}
	for _, m := range set.Keys {
		if p, used, err := parseJWK(m); used && err == nil {
			all = append(all, p)
		}
	}
	return all, nil
}

func parseJWK(m jwkset.JWKMarshal) (p parsed, used bool, err error) {
	k, err := jwkset.NewJWKFromMarshal(m, jwkset.JWKMarshalOptions{Private: true}, jwkset.JWKValidateOptions{SkipAll: true})
	if err != nil {
		return p, false, err
	}
	checked, err := newKey(m.KID, k.Key())
	if err != nil {
		return p, false, err
	}
	if m.ALG != "" && m.ALG.String() != checked.algorithm {
		return p, false, fmt.Errorf("a key for %s: expected HS256, RS256, ES256 or EdDSA", m.ALG)
	}
	return parsed{m.KID, k.Key()}, m.USE == "" || m.USE == jwkset.UseSig, nil
}

// parsePEM reads all keys and certificates in a PEM file.
func parsePEM(b []byte) (all []parsed, err error) {
	for block, rest := pem.Decode(b); block != nil; block, rest = pem.Decode(rest) {
		var k any
		switch block.Type {
		case "PUBLIC KEY":
			k, err = x509.ParsePKIXPublicKey(block.Bytes)
		case "RSA PUBLIC KEY":
			k, err = x509.ParsePKCS1PublicKey(block.Bytes)
		case "PRIVATE KEY":
			k, err = x509.ParsePKCS8PrivateKey(block.Bytes)
		case "RSA PRIVATE KEY":
			k, err = x509.ParsePKCS1PrivateKey(block.Bytes)
		case "EC PRIVATE KEY":
			k, err = x509.ParseECPrivateKey(block.Bytes)
		case "CERTIFICATE":
			var cert *x509.Certificate
			if cert, err = x509.ParseCertificate(block.Bytes); err == nil {
				k = cert.PublicKey
			}
		case "EC PARAMETERS": // what openssl ecparam -genkey writes in front
			continue
		default:
			err = fmt.Errorf("%q in PEM: expected a key or a certificate, not encrypted", block.Type)
		}
		if err != nil {
			return nil, err
		}
		all = append(all, parsed{material: k})
	}
	return all, nil
}
