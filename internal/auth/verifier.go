package auth

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// MaxToken is the most bytes of a token. What is longer is refused unread.
const MaxToken = 8 << 10

// Config says which tokens are good. KeyFiles or JWKSURL must be given.
type Config struct {
	KeyFiles []string // as ParseKeys reads them; private keys count by their public half
	JWKSURL  string   // https, or http to a loopback address

	Audience string        // the claim aud must have it; "" does not look at aud
	Issuer   string        // the claim iss must be it; "" does not look at iss
	Leeway   time.Duration // how far clocks may differ, for exp and nbf; 0 is not at all

	Refresh time.Duration    // how often the URL is asked; 0 means 5 minutes
	Client  *http.Client     // asks the URL; nil means one of our own. It does not follow redirects
	Logger  *slog.Logger     // nil says nothing
	Now     func() time.Time // nil means time.Now
}

// Verifier tells good tokens from others.
type Verifier struct {
	cfg    Config
	rules  *rules
	parser *jwt.Parser
	files  atomic.Pointer[keySet]
	remote *remote // nil without a URL
}

// New reads the key files. It does not ask the URL: see Run.
func New(cfg Config) (*Verifier, error) {
	switch {
	case len(cfg.KeyFiles) == 0 && cfg.JWKSURL == "":
		return nil, errors.New("auth: expected a key file or a JWKS URL")
	case cfg.Leeway < 0:
		return nil, fmt.Errorf("auth: leeway %v: expected 0 or more", cfg.Leeway)
	case cfg.Refresh < 0:
		return nil, fmt.Errorf("auth: refresh %v: expected more than 0", cfg.Refresh)
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	v := &Verifier{cfg: cfg, rules: newRules(&cfg), parser: newParser()}
	if cfg.JWKSURL != "" {
		var err error
		if v.remote, err = newRemote(&cfg); err != nil {
			return nil, err
		}
	}
	if err := v.load(); err != nil {
		return nil, err
	}
	return v, nil
}

// Reload reads the key files again, and has Run ask the URL. Where it fails
// the keys stay what they were.
func (v *Verifier) Reload() error {
	if v.remote != nil {
		v.remote.nudge()
	}
	return v.load()
}

func (v *Verifier) load() error {
	var keys keySet
	for _, name := range v.cfg.KeyFiles {
		read, err := ReadKeys(name)
		if err != nil {
			return fmt.Errorf("auth: key file: %w", err)
		}
		for _, k := range read {
			keys = keys.add(k)
		}
	}
	v.files.Store(&keys)
	return nil
}

// Verify returns what a token grants. The error is an *Error. Where no key of
// the token is known it has the URL asked soon, and does not wait for that.
func (v *Verifier) Verify(token []byte) (*Grant, error) {
	if err := checkForm(token); err != nil {
		return nil, err
	}
	var w written
	t, err := v.parser.ParseWithClaims(string(token), &w, func(t *jwt.Token) (any, error) {
		return v.keysFor(t)
	})
	if err != nil {
		return nil, v.explain(t, err)
	}
	return v.rules.grant(w.raw)
}

// keysFor returns the keys that may have signed t.
func (v *Verifier) keysFor(t *jwt.Token) (jwt.VerificationKeySet, error) {
	var set jwt.VerificationKeySet
	kid, err := keyID(t.Header)
	if err != nil {
		return set, err
	}
	sets := []keySet{*v.files.Load()}
	if v.remote != nil {
		sets = append(sets, v.remote.keys())
	}
	found, err := candidates(t.Method.Alg(), kid, sets...)
	for _, k := range found {
		set.Keys = append(set.Keys, k.public)
	}
	return set, err
}

// explain makes one refusal of the parser's error; t may be nil.
func (v *Verifier) explain(t *jwt.Token, err error) *Error {
	ours, ok := errors.AsType[*Error](err)
	switch {
	case ok:
		if ours.Reason == ReasonUnknownKey && v.remote != nil {
			v.remote.nudge()
		}
		return ours
	case errors.Is(err, jwt.ErrTokenMalformed):
		return errForm
	}
	if err := checkAlgorithm(t.Header); err != nil {
		return err
	}
	return refuse(ReasonSignature, "the signature is not that of a key that is known here")
}
