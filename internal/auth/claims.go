package auth

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/pushd/pushd/internal/dialect"
)

// maxTime is the end of the year 9999, the last that RFC 3339 can write.
const maxTime = 253402300799

// claims are those that are looked at. Others are passed over.
type claims struct {
	subject, id, issuer string
	audience            jwt.ClaimStrings
	expires, notBefore  time.Time // zero where there is none
	rights              *Rights
}

// rules judge claims.
type rules struct {
	audience, issuer string
	leeway           time.Duration
	now              func() time.Time
	table            rightsTable
}

func newRules(cfg *Config) *rules {
	r := &rules{audience: cfg.Audience, issuer: cfg.Issuer, leeway: cfg.Leeway, now: cfg.Now}
	if r.now == nil {
		r.now = time.Now
	}
	return r
}

// grant judges the claims of a token, as they were written. The error is an
// *Error. (golang-jwt's validator judges the same, but joins all that it finds
// and leaves out what it found.)
func (r *rules) grant(raw []byte) (*Grant, error) {
	c := claims{rights: noRights}
	if err := c.read(raw, &r.table); err != nil {
		return nil, refuse(ReasonClaims, "claims: %v", err)
	}
	g := &Grant{Subject: c.subject, ID: c.id, Rights: c.rights, Expires: c.expires.Add(r.leeway)}
	now := r.now()
	switch {
	case c.expires.IsZero():
		return nil, refuse(ReasonClaims, "claims: expected exp, the time when the token expires")
	case !now.Before(g.Expires):
		return nil, refuse(ReasonExpired, "the token expired at %s, and now it is %s", stamp(c.expires), stamp(now))
	case now.Before(c.notBefore.Add(-r.leeway)):
		return nil, refuse(ReasonNotYetValid, "the token is not valid before %s, and now it is %s", stamp(c.notBefore), stamp(now))
	case r.audience != "" && len(c.audience) == 0:
		return nil, refuse(ReasonWrongAud, "the token has no aud, expected one with %s", excerpt(r.audience))
	case r.audience != "" && !slices.Contains(c.audience, r.audience):
		return nil, refuse(ReasonWrongAud, "aud is %s, expected one with %s", excerpt(fmt.Sprint(c.audience)), excerpt(r.audience))
	case r.issuer != "" && c.issuer != r.issuer:
		return nil, refuse(ReasonWrongIssuer, "iss is %s, expected %s", excerpt(c.issuer), excerpt(r.issuer))
	}
	return g, nil
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// read takes the claims in, strictly: one that is known and of the wrong type
// refuses the token.
func (c *claims) read(raw []byte, table *rightsTable) error {
	return members(raw, func(name string, value json.RawMessage) (err error) {
		switch name {
		case "sub":
			if c.subject, err = text(value); err == nil {
				err = dialect.CheckUser(c.subject)
			}
		case "jti":
			if c.id, err = text(value); err == nil {
				err = dialect.CheckID(c.id)
			}
		case "iss":
			c.issuer, err = text(value)
		case "aud":
			if c.audience.UnmarshalJSON(value) != nil || string(value) == "null" {
				err = errors.New("expected a string, or an array of strings")
			}
		case "exp":
			c.expires, err = date(value)
		case "nbf":
			c.notBefore, err = date(value)
		case "pushd":
			c.rights, err = table.read(value)
		}
		if err != nil {
			return fmt.Errorf("%s: %s", name, reword(err))
		}
		return nil
	})
}

// date reads a NumericDate (RFC 7519, 2): seconds, of which a fraction is cut off.
func date(value json.RawMessage) (time.Time, error) {
	seconds, err := strconv.ParseFloat(string(value), 64)
	if err != nil || seconds < 0 || seconds > maxTime {
		return time.Time{}, errors.New("expected a time in seconds since 1970")
	}
	return time.Unix(int64(seconds), 0), nil
}
