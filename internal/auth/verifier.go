package auth

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/pushd/pushd/internal/dialect"
)

const (
	// MaxToken is how long a token may be, in bytes.
	MaxToken = 8 << 10

	maxID = 255 // bytes of jti
	// leeway is how far the clock of whoever makes the tokens may be from ours.
	leeway = 5 * time.Second
)

// Config says by what tokens are checked.
type Config struct {
	KeyFiles []string // PEM, JSON Web Keys, or a secret each
	JWKSURL  string   // https, or http on loopback; "" for none
	Audience string   // what aud has to name; "" for anything
	Issuer   string   // what iss has to be; "" for anything

	Refresh time.Duration    // how often the set behind JWKSURL is fetched; 0: 5 min
	Client  *http.Client     // 0: one that waits 10 s and follows no redirects
	Logger  *slog.Logger     // nil: discard
	Now     func() time.Time // nil: time.Now
}

// Verifier checks tokens.
type Verifier struct {
	cfg    Config
	parser *jwt.Parser
	rights rightsTable

	files   atomic.Pointer[[]key]
	fetched atomic.Pointer[[]key]
	wanted  chan struct{} // a token named a key that is not there
}

// New reads the key files. The set behind a URL is fetched by Run: a server whose
// issuer is down at the moment begins all the same, and refuses tokens until it
// has the keys.
func New(cfg Config) (*Verifier, error) {
	if len(cfg.KeyFiles) == 0 && cfg.JWKSURL == "" {
		return nil, errors.New("auth: neither key files nor a URL: expected at least one")
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Refresh == 0 {
		cfg.Refresh = 5 * time.Minute
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Client == nil {
		cfg.Client = &http.Client{Timeout: 10 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error { return errRedirect }}
	}
	if cfg.JWKSURL != "" {
		if err := CheckJWKSURL(cfg.JWKSURL); err != nil {
			return nil, err
		}
	}
	options := []jwt.ParserOption{jwt.WithExpirationRequired(), jwt.WithStrictDecoding(), jwt.WithLeeway(leeway), jwt.WithTimeFunc(cfg.Now)}
	if cfg.Audience != "" {
		options = append(options, jwt.WithAudience(cfg.Audience))
	}
	if cfg.Issuer != "" {
		options = append(options, jwt.WithIssuer(cfg.Issuer))
	}
	v := &Verifier{cfg: cfg, parser: jwt.NewParser(options...), wanted: make(chan struct{}, 1)}
	v.fetched.Store(new([]key))
	return v, v.Reload()
}

// Reload reads the key files again. After an error the keys are as before.
func (v *Verifier) Reload() error {
	var keys []key
	for _, file := range v.cfg.KeyFiles {
		more, err := readKeys(file)
		if err != nil {
			return fmt.Errorf("auth: %w", err)
		}
		keys = append(keys, more...)
	}
	if len(keys) > maxKeys {
		return fmt.Errorf("auth: %d keys: expected at most %d", len(keys), maxKeys)
	}
	v.files.Store(&keys)
	return nil
}

// Run fetches the set behind the URL, and again every Refresh, until ctx ends.
func (v *Verifier) Run(ctx context.Context) {
	if v.cfg.JWKSURL == "" {
		<-ctx.Done()
		return
	}
	v.fetchAll(ctx)
}

// claims are those that mean something here (RFC 7519, 4.1).
type claims struct {
	jwt.RegisteredClaims
	Pushd json.RawMessage `json:"pushd"`
}

// Verify checks a token and returns what it allows. The error is an *Error. The
// token is not kept.
func (v *Verifier) Verify(token []byte) (*Grant, error) {
	if len(token) > MaxToken {
		return nil, refuse(Malformed, fmt.Sprintf("a token of %d bytes: expected at most %d", len(token), MaxToken))
	}
	if bytes.ContainsAny(token, "\r\n") { // base64 of Go's passes over them
		return nil, refuse(Malformed, "a line break in the token: expected none")
	}
	var c claims
	if _, err := v.parser.ParseWithClaims(string(token), &c, v.keysFor); err != nil {
		return nil, v.explain(err)
	}
	if c.Subject != "" {
		if err := dialect.CheckUser(c.Subject); err != nil {
			return nil, refuse(BadClaims, "claim sub: "+err.(*dialect.Error).Message)
		}
	}
	if len(c.ID) > maxID {
		return nil, refuse(BadClaims, fmt.Sprintf("claim jti: %d bytes: expected at most %d", len(c.ID), maxID))
	}
	r, err := v.rights.read(c.Pushd)
	if err != nil {
		return nil, err
	}
	return &Grant{Subject: c.Subject, ID: c.ID, Expires: c.ExpiresAt.Time, rights: r}, nil
}

// keysFor returns the keys that may have signed a token: those of its algorithm,
// and of its kid where it names one, or without any.
func (v *Verifier) keysFor(t *jwt.Token) (any, error) {
	algorithm := t.Method.Alg()
	switch algorithm {
	case HS256, RS256, ES256, EdDSA:
	default:
		return nil, errAlgorithm
	}
	if _, is := t.Header["crit"]; is { // RFC 7515, 4.1.11: none of them is understood
		return nil, refuse(Malformed, "the token's header has crit: expected none")
	}
	id, _ := t.Header["kid"].(string)
	var set jwt.VerificationKeySet
	for _, keys := range []*[]key{v.files.Load(), v.fetched.Load()} {
		for _, k := range *keys {
			if k.algorithm == algorithm && (k.id == id || k.id == "" || id == "") {
				set.Keys = append(set.Keys, k.public)
			}
		}
	}
	if len(set.Keys) == 0 {
		v.want()
		return nil, refuse(UnknownKey, "no key of the token's algorithm and kid is known here")
	}
	return set, nil
}

// want asks for the set to be fetched, and does not wait.
func (v *Verifier) want() {
	select {
	case v.wanted <- struct{}{}:
	default:
	}
}

var errAlgorithm = refuse(BadAlgorithm, "the token is signed in a way that is not taken: expected HS256, RS256, ES256 or EdDSA")

// explain says what an error of the jwt package means, in words that show nothing
// of the token.
func (v *Verifier) explain(err error) *Error {
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	for _, x := range []struct {
		is      error
		reason  Reason
		message string
	}{
		{jwt.ErrTokenMalformed, Malformed, "not a JSON Web Token: expected three parts in base64url, of which two are JSON"},
		{jwt.ErrTokenUnverifiable, BadAlgorithm, errAlgorithm.Message},
		{jwt.ErrTokenSignatureInvalid, BadSignature, "the token's signature is not by a key that is known here"},
		{jwt.ErrTokenExpired, Expired, "the token has expired"},
		{jwt.ErrTokenNotValidYet, NotYetValid, "the token is not valid yet"},
		{jwt.ErrTokenInvalidAudience, WrongAudience, fmt.Sprintf("the token is for somebody else: expected aud to name %q", v.cfg.Audience)},
		{jwt.ErrTokenInvalidIssuer, WrongIssuer, fmt.Sprintf("the token is by somebody else: expected iss to be %q", v.cfg.Issuer)},
		{jwt.ErrTokenRequiredClaimMissing, BadClaims, "the token lacks a claim: expected exp, and what the server asks for of aud and iss"},
	} {
		if errors.Is(err, x.is) {
			return refuse(x.reason, x.message)
		}
	}
	return refuse(BadClaims, "the token's claims are not as they should be")
}
