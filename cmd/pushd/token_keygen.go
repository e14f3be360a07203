package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/pushd/pushd/internal/auth"
)

type tokenKeygenCmd struct {
	Alg    string `default:"EdDSA" enum:"HS256,RS256,ES256,EdDSA" help:"HS256 (one secret for all who sign or verify), RS256, ES256 or EdDSA (the server needs the public half alone)."`
	Kid    string `placeholder:"ID" help:"The key's id, in a JWK. Default is a random one."`
	Format string `default:"jwk" enum:"jwk,pem" help:"jwk, which says algorithm and id with the key, or pem."`
	Out    string `required:"" placeholder:"FILE" help:"Where the private half goes; the public one goes to FILE.pub. Neither may be there."`
}

// Run is called by kong.
func (c *tokenKeygenCmd) Run(w *world) error {
	switch {
	case c.Format == "pem" && c.Alg == "HS256":
		return usagef("--format pem: there is no PEM of a secret: expected jwk with --alg HS256")
	case c.Format == "pem" && c.Kid != "":
		return usagef("--kid: PEM has no place for it: expected --format jwk with it")
	}
	key, err := auth.Generate(c.Alg, c.Kid)
	if err != nil {
		return err
	}
	write := key.JWK
	if c.Format == "pem" {
		write = key.PEM
	}
	private, public, err := write()
	if err != nil {
		return err
	}
	if public == nil {
		if err := create(c.Out, private, 0o600); err != nil {
			return err
		}
		w.say("%s: a secret, for who signs and for who verifies", c.Out)
		return nil
	}
	// The public half first: if it is there already, no private one is made.
	if err := create(c.Out+".pub", public, 0o644); err != nil {
		return err
	}
	if err := create(c.Out, private, 0o600); err != nil {
		os.Remove(c.Out + ".pub")
		return err
	}
	w.say("%s: the private key, for who signs\n%s.pub: the public key, for who verifies", c.Out, c.Out)
	return nil
}

// create writes a file that is not there yet.
func create(name string, content []byte, mode fs.FileMode) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if errors.Is(err, fs.ErrExist) {
		return usagef("--out: %s is there already, and a key is not written over", name)
	} else if err != nil {
		return usagef("--out: %w", err)
	}
	_, err = f.Write(content)
	if err = errors.Join(err, f.Close()); err != nil {
		os.Remove(name)
		return fmt.Errorf("--out: %w", err)
	}
	return nil
}
