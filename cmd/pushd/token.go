package main

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/pushd/pushd/internal/auth"
	"github.com/pushd/pushd/internal/dialect"
)

type tokenCmd struct {
	Create  tokenCreateCmd  `cmd:"" help:"Print a token that says who may do what, signed by a key."`
	Inspect tokenInspectCmd `cmd:"" help:"Show what a token says, and whether a server with these keys would take it."`
	Keygen  tokenKeygenCmd  `cmd:"" help:"Make a key to sign tokens by."`
}

type tokenCreateCmd struct {
	Key       string        `required:"" placeholder:"FILE" help:"Signs it: a private key in PEM, a JSON Web Key, or a secret."`
	Kid       string        `help:"Names the key in the token's header; by default as the JSON Web Key does."`
	Sub       string        `help:"The user whose connection it opens."`
	Subscribe []string      `placeholder:"PATTERN" help:"Topics that may be subscribed to, such as news.>."`
	Publish   []string      `placeholder:"PATTERN" help:"Topics that may be published to."`
	For       time.Duration `default:"1h" help:"How long it is good."`
	NotBefore time.Duration `default:"0" help:"In how long it begins to be."`
	Aud       string        `help:"For whom it is: what the server has as --auth-audience."`
	Iss       string        `help:"Who made it: what the server has as --auth-issuer."`
	Jti       string        `help:"Its id, by which it can be revoked; auto makes one up."`
}

// Run is called by kong.
func (c *tokenCreateCmd) Run(w *world) error {
	if c.Sub != "" {
		if err := dialect.CheckUser(c.Sub); err != nil {
			return usagef("--sub: %v", err.(*dialect.Error).Message)
		}
	}
	for flag, patterns := range map[string][]string{"subscribe": c.Subscribe, "publish": c.Publish} {
		if _, err := dialect.ParsePatternList(patterns); err != nil {
			return usagef("--%s: %v", flag, err.(*dialect.Error).Message)
		}
	}
	if c.For < time.Second {
		return usagef("--for: %v: expected at least 1s", c.For)
	}
	signer, algorithm, kid, err := auth.ReadPrivate(c.Key)
	if err != nil {
		return usageError{err}
	}
	if c.Jti == "auto" {
		c.Jti = rand.Text()
	}
	now := time.Now()
	claims := jwt.MapClaims{"iat": now.Unix(), "exp": now.Add(c.NotBefore + c.For).Unix(),
		"pushd": map[string][]string{"subscribe": nonNil(c.Subscribe), "publish": nonNil(c.Publish)}}
	if c.NotBefore > 0 {
		claims["nbf"] = now.Add(c.NotBefore).Unix()
	}
	for name, value := range map[string]string{"sub": c.Sub, "aud": c.Aud, "iss": c.Iss, "jti": c.Jti} {
		if value != "" {
			claims[name] = value
		}
	}
	t := jwt.NewWithClaims(jwt.GetSigningMethod(algorithm), claims)
	if c.Kid != "" {
		kid = c.Kid
	}
	if kid != "" {
		t.Header["kid"] = kid
	}
	text, err := t.SignedString(signer)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(w.stdout, text)
	return err
}

// nonNil makes nothing an empty list, and not null.
func nonNil(list []string) []string { return append([]string{}, list...) }

type tokenInspectCmd struct {
	Token string   `arg:"" optional:"" default:"-" help:"The token, which other users of this host can read in a list of processes; - takes it from standard input."`
	Key   []string `placeholder:"FILE" help:"Checks it: as --auth-key of a server."`
	Jwks  string   `placeholder:"URL" help:"Checks it: as --auth-jwks."`
	Aud   string   `help:"As --auth-audience."`
	Iss   string   `help:"As --auth-issuer."`
}

// inspected is what is printed of a token.
type inspected struct {
	Header    map[string]any `json:"header"`
	Claims    map[string]any `json:"claims"`
	NotBefore string         `json:"not_before,omitempty"`
	Expires   string         `json:"expires,omitempty"`
	Verdict   string         `json:"verdict"`
}

// Run is called by kong.
func (c *tokenInspectCmd) Run(w *world) error {
	text := c.Token
	if text == "-" {
		b, err := io.ReadAll(io.LimitReader(w.stdin, auth.MaxToken+2))
		if err != nil {
			return err
		}
		text = string(b)
	}
	text = strings.TrimSpace(text)
	claims := jwt.MapClaims{}
	t, _, err := jwt.NewParser().ParseUnverified(text, claims)
	if t == nil || t.Header == nil || err != nil && t.Method != nil {
		return fmt.Errorf("not a JSON Web Token: expected three parts in base64url, of which two are JSON")
	}
	out := inspected{Header: t.Header, Claims: claims}
	if d, err := claims.GetNotBefore(); err == nil && d != nil {
		out.NotBefore = d.UTC().Format(time.RFC3339)
	}
	if d, err := claims.GetExpirationTime(); err == nil && d != nil {
		out.Expires = d.UTC().Format(time.RFC3339)
	}
	bad, err := c.judge(w, text, &out)
	if err != nil {
		return err
	}
	e := json.NewEncoder(w.stdout)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	if err := e.Encode(out); err != nil {
		return err
	}
	if bad {
		return errTold
	}
	return nil
}

// judge says what a server would.
func (c *tokenInspectCmd) judge(w *world, text string, out *inspected) (bad bool, err error) {
	if len(c.Key) == 0 && c.Jwks == "" {
		out.Verdict = "the signature was not checked: expected --key or --jwks for that"
		return false, nil
	}
	v, err := auth.New(auth.Config{KeyFiles: c.Key, JWKSURL: c.Jwks, Audience: c.Aud, Issuer: c.Iss})
	if err != nil {
		return false, usageError{err}
	}
	if c.Jwks != "" {
		if err := v.Fetch(w.ctx); err != nil {
			return false, fmt.Errorf("%s: %w", c.Jwks, err)
		}
	}
	out.Verdict = "good"
	if _, err := v.Verify([]byte(text)); err != nil {
		out.Verdict = err.Error()
		return true, nil
	}
	return false, nil
}

// writeNew writes a file that is not there yet.
func writeNew(name string, b []byte, mode os.FileMode) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	if _, err := f.Write(b); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}
