// Package auth answers one question: who is this, and what may they do?
package auth

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"os"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/pushd/pushd/internal/dialect"
)

type Reason string

type Error struct {
	Reason  Reason
	Message string
}

func (e *Error) Error() string { return e.Message }

type Grant struct {
	Subject, ID        string
	Expires            time.Time
	Subscribe, Publish dialect.PatternList
}

func (g *Grant) MaySubscribe(t string) bool { return g.Subscribe.Match(t) >= 0 }
func (g *Grant) MayPublish(t string) bool   { return g.Publish.Match(t) >= 0 }

type Config struct {
	KeyFiles                  []string
	JWKSURL, Audience, Issuer string
	Refresh                   time.Duration
	Client                    *http.Client
	Logger                    *slog.Logger
}
type Verifier struct {
	key []byte
	aud string
}

func New(c Config) (*Verifier, error) {
	b, err := os.ReadFile(c.KeyFiles[0])
	return &Verifier{b, c.Audience}, err
}
func (v *Verifier) Run(ctx context.Context) { <-ctx.Done() }
func (v *Verifier) Reload() error           { return nil }

type claims struct {
	jwt.RegisteredClaims
	Pushd struct{ Subscribe, Publish []string } `json:"pushd"`
}

func (v *Verifier) Verify(token []byte) (*Grant, error) {
	var c claims
	_, err := jwt.ParseWithClaims(string(token), &c, func(*jwt.Token) (any, error) { return v.key, nil },
		jwt.WithValidMethods([]string{"HS256"}), jwt.WithAudience(v.aud), jwt.WithExpirationRequired())
	if err != nil {
		r := Reason("malformed")
		for e, x := range map[error]Reason{jwt.ErrTokenExpired: "expired", jwt.ErrTokenNotValidYet: "not_yet_valid", jwt.ErrTokenInvalidAudience: "wrong_audience", jwt.ErrTokenSignatureInvalid: "bad_signature"} {
			if errors.Is(err, e) {
				r = x
			}
		}
		return nil, &Error{r, err.Error()}
	}
	g := &Grant{Subject: c.Subject, ID: c.ID, Expires: c.ExpiresAt.Time}
	g.Subscribe, _ = dialect.ParsePatternList(c.Pushd.Subscribe)
	g.Publish, _ = dialect.ParsePatternList(c.Pushd.Publish)
	return g, nil
}
