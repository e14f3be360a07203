package main

import (
	"encoding/json"
	"errors"
	"net"
	"strings"
	"time"

	"github.com/pushd/pushd/internal/auth"
)

type tokenInspectCmd struct {
	Token     string   `arg:"" optional:"" help:"The token, which others on this host then see in ps; - or nothing reads standard input."`
	TokenFile string   `placeholder:"FILE" help:"Holds the token."`
	Key       []string `placeholder:"FILE" help:"Holds keys, private or public, that may have signed it. May stand several times."`
	Jwks      string   `placeholder:"URL" help:"Where the public keys are published that may have signed it."`
	Aud       string   `placeholder:"NAME" help:"What aud must have."`
	Iss       string   `placeholder:"NAME" help:"What iss must be."`
}

// Run is called by kong.
func (c *tokenInspectCmd) Run(w *world) error {
	token, err := w.readToken(c.Token, c.TokenFile)
	if err != nil {
		return err
	}
	header, claims, err := auth.Decode(token)
	if err != nil {
		return err
	}
	if err := c.print(w, header, claims); err != nil {
		return err
	}
	cfg := auth.Config{KeyFiles: c.Key, JWKSURL: c.Jwks, Audience: c.Aud, Issuer: c.Iss}
	if len(c.Key) == 0 && c.Jwks == "" {
		w.say("signature not checked: expected --key or --jwks")
		_, err := auth.CheckClaims(cfg, claims)
		return err
	}
	v, err := auth.New(cfg)
	if err != nil {
		return usageError{err}
	}
	if err := v.Refresh(w.ctx); err != nil {
		if _, ok := errors.AsType[net.Error](err); ok {
			w.say("pushd: %v", err)
			return errUnreached
		}
		return err
	}
	if _, err := v.Verify(token); err != nil {
		return err
	}
	w.say("valid")
	return nil
}

// print writes both objects with times that a person can read.
func (c *tokenInspectCmd) print(w *world, header, claims []byte) error {
	d := json.NewDecoder(strings.NewReader(string(claims)))
	d.UseNumber() // numbers of others' claims stay as they are
	var readable map[string]any
	if err := d.Decode(&readable); err != nil {
		return errors.New("claims: expected a JSON object")
	}
	for _, name := range []string{"exp", "nbf", "iat"} {
		if number, ok := readable[name].(json.Number); ok {
			// What is no time stays a number: judging is for later.
			if seconds, err := number.Int64(); err == nil && seconds >= 0 && seconds < 1<<37 {
				readable[name] = time.Unix(seconds, 0).UTC().Format(time.RFC3339)
			}
		}
	}
	e := json.NewEncoder(w.stdout)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false) // of patterns
	return e.Encode(struct {
		Header json.RawMessage `json:"header"`
		Claims map[string]any  `json:"claims"`
	}{header, readable})
}
