package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"

	"github.com/MicahParks/jwkset"

	"github.com/pushd/pushd/internal/auth"
)

type tokenKeygenCmd struct {
	Alg    string `default:"EdDSA" enum:"HS256,RS256,ES256,EdDSA" help:"HS256, one secret for whoever makes tokens and whoever checks them; RS256, ES256 or EdDSA, a pair."`
	Out    string `required:"" placeholder:"FILE" help:"The private key or the secret; the public key goes beside it, to FILE.pub."`
	Format string `default:"pem" enum:"pem,jwk" help:"pem (a secret is text), or jwk, which can have a name."`
	Kid    string `help:"Names the key, which only a JSON Web Key can say."`
}

// Run is called by kong.
func (c *tokenKeygenCmd) Run(w *world) error {
	if c.Kid != "" && c.Format != "jwk" {
		return usagef("--kid: expected --format jwk with it")
	}
	private, public, err := c.generate()
	if err != nil {
		return err
	}
	encode := c.pem
	if c.Format == "jwk" {
		encode = c.jwk
	}
	b, err := encode(private, true)
	if err != nil {
		return err
	}
	if err := writeNew(c.Out, b, 0o600); err != nil {
		return err
	}
	w.say("%s signs tokens: keep it to yourself", c.Out)
	if public == nil {
		w.say("try  bin/pushd serve --auth-key %s", c.Out)
		return nil
	}
	if b, err = encode(public, false); err != nil {
		return err
	}
	if err := writeNew(c.Out+".pub", b, 0o644); err != nil {
		return err
	}
	w.say("%s.pub checks them", c.Out)
	w.say("try  bin/pushd serve --auth-key %s.pub", c.Out)
	return nil
}

// generate makes a key; a secret has no public half.
func (c *tokenKeygenCmd) generate() (private, public any, err error) {
	switch c.Alg {
	case auth.HS256:
		secret := make([]byte, 32)
		rand.Read(secret) // never fails
		return secret, nil, nil
	case auth.RS256:
		k, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			return nil, nil, err
		}
		return k, k.Public(), nil
	case auth.ES256:
		k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			return nil, nil, err
		}
		return k, k.Public(), nil
	}
	public, private, err = ed25519.GenerateKey(rand.Reader)
	return private, public, err
}

func (c *tokenKeygenCmd) pem(key any, private bool) ([]byte, error) {
	if secret, is := key.([]byte); is && c.Alg == auth.HS256 {
		return []byte(hex.EncodeToString(secret) + "\n"), nil // as text it is a secret of 64 bytes
	}
	kind, marshal := "PUBLIC KEY", x509.MarshalPKIXPublicKey
	if private {
		kind, marshal = "PRIVATE KEY", func(k any) ([]byte, error) { return x509.MarshalPKCS8PrivateKey(k.(crypto.PrivateKey)) }
	}
	der, err := marshal(key)
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), err
}

func (c *tokenKeygenCmd) jwk(key any, private bool) ([]byte, error) {
	k, err := jwkset.NewJWKFromKey(key, jwkset.JWKOptions{
		Marshal:  jwkset.JWKMarshalOptions{Private: private},
		Metadata: jwkset.JWKMetadataOptions{ALG: jwkset.ALG(c.Alg), KID: c.Kid, USE: jwkset.UseSig},
	})
	if err != nil {
		return nil, fmt.Errorf("a JSON Web Key: %w", err)
	}
	b, err := json.MarshalIndent(k.Marshal(), "", "  ")
	return append(b, '\n'), err
}
