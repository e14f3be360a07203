package auth

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"unicode"
	"unicode/utf8"
)

// maxKeyFile bounds a file of keys and a JWKS.
const maxKeyFile = 1 << 20

// ReadKeys reads the keys of a file; see ParseKeys.
func ReadKeys(name string) ([]Key, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxKeyFile+1))
	if err != nil {
		return nil, err
	}
	if len(b) > maxKeyFile {
		return nil, fmt.Errorf("%s: expected keys of at most 1 MiB", name)
	}
	keys, err := ParseKeys(b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return keys, nil
}

// ParseKeys reads keys, public or private, at least one. What begins with '{'
// is a JWK or a JWK set (RFC 7517). What has a line that begins with -----BEGIN
// is PEM, of one or more blocks: PKIX, PKCS #8, PKCS #1, SEC 1, or a
// certificate, of which the key alone counts. All else is a secret: one line of
// text without white space, whose bytes are the key. Secrets of other bytes
// stand in a JWK, as oct.
func ParseKeys(b []byte) ([]Key, error) {
	b = bytes.TrimSpace(b)
	switch {
	case len(b) == 0:
		return nil, errors.New("the file is empty, expected a key")
	case b[0] == '{':
		return parseJSON(b)
	case bytes.HasPrefix(b, []byte("-----BEGIN ")) || bytes.Contains(b, []byte("\n-----BEGIN ")):
		return parsePEM(b)
	}
	k, err := parseSecret(b)
	return []Key{k}, err
}

// parseSecret takes nothing for a secret that may be a public key.
func parseSecret(b []byte) (Key, error) {
	other := func(r rune) bool { return r == utf8.RuneError || unicode.IsSpace(r) || !unicode.IsPrint(r) }
	if bytes.ContainsFunc(b, other) {
		return Key{}, errors.New("neither PEM nor JSON nor a secret: expected of a secret one line of text without white space " +
			"(secrets of other bytes go in a JWK, as oct)")
	}
	for _, encoding := range []*base64.Encoding{base64.StdEncoding, base64.RawURLEncoding} {
		if der, err := encoding.DecodeString(string(b)); err == nil && isDER(der) {
			return Key{}, errors.New("a key without its frame: expected a line -----BEGIN … before it and -----END … behind")
		}
	}
	return newKey("", bytes.Clone(b))
}

func isDER(b []byte) bool {
	for _, parse := range []func([]byte) error{
		func(b []byte) error { _, err := x509.ParsePKIXPublicKey(b); return err },
		func(b []byte) error { _, err := x509.ParsePKCS1PublicKey(b); return err },
		func(b []byte) error { _, err := x509.ParseCertificate(b); return err },
		func(b []byte) error { _, err := x509.ParsePKCS8PrivateKey(b); return err },
	} {
		if parse(b) == nil {
			return true
		}
	}
	return false
}

func parsePEM(b []byte) ([]Key, error) {
	var keys keySet
	for {
		var block *pem.Block
		if block, b = pem.Decode(b); block == nil {
			break
		}
		if block.Type == "EC PARAMETERS" { // which openssl puts in front
			continue
		}
		material, err := parseBlock(block)
		if err != nil {
			return nil, fmt.Errorf("PEM block %s: %w", excerpt(block.Type), err)
		}
		k, err := newKey("", material)
		if err != nil {
			return nil, err
		}
		keys = keys.add(k)
	}
	if len(keys) == 0 {
		return nil, errors.New("PEM: no whole block with a key was found")
	}
	return keys, nil
}

// parseBlock does not pass on what x509 says, which may tell bytes of the key.
func parseBlock(block *pem.Block) (material any, err error) {
	switch block.Type {
	case "PUBLIC KEY":
		material, err = x509.ParsePKIXPublicKey(block.Bytes)
	case "RSA PUBLIC KEY":
		material, err = x509.ParsePKCS1PublicKey(block.Bytes)
	case "PRIVATE KEY":
		material, err = x509.ParsePKCS8PrivateKey(block.Bytes)
	case "RSA PRIVATE KEY":
		material, err = x509.ParsePKCS1PrivateKey(block.Bytes)
	case "EC PRIVATE KEY":
		material, err = x509.ParseECPrivateKey(block.Bytes)
	case "CERTIFICATE":
		var c *x509.Certificate
		if c, err = x509.ParseCertificate(block.Bytes); err == nil {
			material = c.PublicKey
		}
	case "ENCRYPTED PRIVATE KEY":
		return nil, errors.New("expected a key that is not encrypted; to verify, its public half is enough")
	default:
		return nil, errors.New("expected PUBLIC KEY, PRIVATE KEY, RSA or EC of these, or CERTIFICATE")
	}
	if err != nil {
		return nil, errors.New("what stands in it is not what it says, or is damaged")
	}
	switch material.(type) {
	case *rsa.PublicKey, *rsa.PrivateKey, *ecdsa.PublicKey, *ecdsa.PrivateKey, ed25519.PublicKey, ed25519.PrivateKey:
		return material, nil
	}
	return nil, fmt.Errorf("%T: expected an RSA, EC or Ed25519 key", material)
}
