package auth

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"

	"github.com/MicahParks/jwkset"
)

// Generate makes a key for an algorithm. Without an id it gets one.
func Generate(alg, id string) (Key, error) {
	if id == "" {
		id = rand.Text()[:8]
	}
	var material any
	var err error
	switch alg {
	case "HS256":
		secret := make([]byte, minSecret)
		rand.Read(secret) // never fails
		material = secret
	case "RS256":
		material, err = rsa.GenerateKey(rand.Reader, minRSABits)
	case "ES256":
		material, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case "EdDSA":
		_, material, err = ed25519.GenerateKey(rand.Reader)
	default:
		return Key{}, fmt.Errorf("algorithm %s: expected %s", excerpt(alg), strings.Join(Algorithms, ", "))
	}
	if err != nil {
		return Key{}, err
	}
	return newKey(id, material)
}

// JWK writes the private key, and the public one, which is nil for a secret.
func (k Key) JWK() (private, public []byte, err error) {
	if k.private == nil {
		return nil, nil, errors.New("expected a private key")
	}
	if private, err = k.jwk(k.private, true); err != nil || k.Alg == "HS256" {
		return private, nil, err
	}
	public, err = k.jwk(k.public, false)
	return private, public, err
}

func (k Key) jwk(material any, private bool) ([]byte, error) {
	j, err := jwkset.NewJWKFromKey(material, jwkset.JWKOptions{
		Marshal:  jwkset.JWKMarshalOptions{Private: private},
		Metadata: jwkset.JWKMetadataOptions{ALG: jwkset.ALG(k.Alg), KID: k.ID, USE: jwkset.UseSig},
	})
	if err != nil {
		return nil, err
	}
	b, err := json.Marshal(j.Marshal())
	return append(b, '\n'), err
}

// PEM writes the private key as PKCS #8 and the public one as PKIX. There is no
// PEM of a secret, and none has a place for the id.
func (k Key) PEM() (private, public []byte, err error) {
	if k.private == nil || k.Alg == "HS256" {
		return nil, nil, errors.New("expected a private key that is no secret")
	}
	if private, err = x509.MarshalPKCS8PrivateKey(k.private); err != nil {
		return nil, nil, err
	}
	if public, err = x509.MarshalPKIXPublicKey(k.public); err != nil {
		return nil, nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}),
		pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public}), nil
}
