package main

import (
	"crypto/rand"
	"fmt"
	"time"

	"github.com/pushd/pushd/internal/auth"
)

type tokenCreateCmd struct {
	Key       string        `required:"" placeholder:"FILE" help:"Holds the private key or secret: JWK, JWK set, PEM, or one line of text."`
	Alg       string        `placeholder:"ALG" help:"HS256, RS256, ES256 or EdDSA, where the file has several keys. A key has but one."`
	Kid       string        `placeholder:"ID" help:"Names the key in the header; picks it, where the file has several."`
	Sub       string        `placeholder:"USER" help:"Claim sub: whose token it is. Its connections hear $$user.USER."`
	Subscribe []string      `placeholder:"PATTERN" help:"Topics that may be subscribed to; * is one segment and a last > the rest. May stand several times."`
	Publish   []string      `placeholder:"PATTERN" help:"Topics that may be published to."`
	For       time.Duration `default:"1h" help:"How long it is good."`
	NotBefore time.Duration `default:"0s" help:"How long from now it begins to be good."`
	Aud       string        `placeholder:"NAME" help:"Claim aud: for which server."`
	Iss       string        `placeholder:"NAME" help:"Claim iss: by whom."`
	Jti       string        `placeholder:"auto|ID" help:"Claim jti, by which it can be revoked: auto makes one."`
}

// Run is called by kong.
func (c *tokenCreateCmd) Run(w *world) error {
	switch {
	case c.For <= 0:
		return w.sources.bad("for", c.For, "more than 0")
	case c.NotBefore < 0:
		return w.sources.bad("not-before", c.NotBefore, "0 or more")
	}
	key, err := signingKey(c.Key, c.Alg, c.Kid)
	if err != nil {
		return usageError{err}
	}
	now := time.Now()
	claims := map[string]any{"iat": now.Unix(), "exp": now.Add(c.NotBefore + c.For).Unix()}
	if c.NotBefore > 0 {
		claims["nbf"] = now.Add(c.NotBefore).Unix()
	}
	if c.Jti == "auto" {
		c.Jti = rand.Text()
	}
	for name, value := range map[string]string{"sub": c.Sub, "aud": c.Aud, "iss": c.Iss, "jti": c.Jti} {
		if value != "" {
			claims[name] = value
		}
	}
	rights := map[string]any{}
	for name, patterns := range map[string][]string{"subscribe": c.Subscribe, "publish": c.Publish} {
		if len(patterns) > 0 {
			rights[name] = patterns
		}
	}
	if len(rights) > 0 {
		claims["pushd"] = rights
	}
	token, err := key.Sign(claims)
	if err != nil {
		return err
	}
	if err := c.try(token, now.Add(c.NotBefore)); err != nil {
		return usagef("a server would refuse this token: %w", err)
	}
	_, err = fmt.Fprintln(w.stdout, token)
	return err
}

// try judges the token as a server will at the moment when it begins to be
// good, so that a claim that no server takes is found here.
func (c *tokenCreateCmd) try(token string, when time.Time) error {
	v, err := auth.New(auth.Config{KeyFiles: []string{c.Key}, Now: func() time.Time { return when }})
	if err == nil {
		_, err = v.Verify([]byte(token))
	}
	return err
}
