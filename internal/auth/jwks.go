package auth

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"time"
)

const (
	maxSet    = 1 << 20          // bytes of a key set
	hurryWait = 10 * time.Second // between two fetches that tokens with unknown keys ask for, and after one that failed
)

var errRedirect = errors.New("it redirects: expected the key set itself")

// CheckJWKSURL says whether keys may be fetched from there: who can change them on
// the way can let anybody in.
func CheckJWKSURL(s string) error {
	u, err := url.Parse(s)
	if err == nil && u.Host != "" && u.User == nil {
		addr, _ := netip.ParseAddr(u.Hostname())
		if u.Scheme == "https" || u.Scheme == "http" && (addr.IsLoopback() || u.Hostname() == "localhost") {
			return nil
		}
	}
	return fmt.Errorf("%q: expected an https URL, or http on loopback", s)
}

// fetchAll keeps the set fresh until ctx ends.
func (v *Verifier) fetchAll(ctx context.Context) {
	for {
		err := v.Fetch(ctx)
		if ctx.Err() != nil {
			return
		}
		next := v.cfg.Refresh
		if err != nil {
			next = min(next, hurryWait)
			v.cfg.Logger.Warn("the key set was not fetched: those known stay in use", "url", v.cfg.JWKSURL, "error", err, "keys", len(*v.fetched.Load()), "again in", next)
		}
		if !v.pause(ctx, next) {
			return
		}
	}
}

// pause waits, for d or until a token has named a key that is not known, in which
// case it still waits some seconds: whoever makes up tokens is not to have us ask
// the issuer all the time.
func (v *Verifier) pause(ctx context.Context, d time.Duration) bool {
	late, soon := time.NewTimer(d), time.NewTimer(min(d, hurryWait))
	defer late.Stop()
	defer soon.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-soon.C:
	}
	select {
	case <-ctx.Done():
		return false
	case <-late.C:
	case <-v.wanted:
	}
	return true
}

// Fetch fetches the set behind the URL once. After an error the keys are as before.
func (v *Verifier) Fetch(ctx context.Context) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, v.cfg.JWKSURL, nil)
	if err != nil {
		return err
	}
	r.Header.Set("Accept", "application/jwk-set+json, application/json")
	answer, err := v.cfg.Client.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("it answers %s: expected 200", answer.Status)
	}
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxSet+1))
	if err != nil {
		return err
	}
	if len(body) > maxSet {
		return fmt.Errorf("more than %d bytes", maxSet)
	}
	all, err := parseJWKs(body)
	if err != nil {
		return err
	}
	var keys []key
	for _, p := range all {
		// A secret that can be fetched is none.
		if k, err := newKey(p.id, p.material); err == nil && k.algorithm != HS256 {
			keys = append(keys, k)
		}
	}
	if len(keys) == 0 || len(keys) > maxKeys {
		return fmt.Errorf("%d keys for RS256, ES256 or EdDSA: expected 1 to %d", len(keys), maxKeys)
	}
	select { // asked for before they were there
	case <-v.wanted:
	default:
	}
	v.fetched.Store(&keys)
	return nil
}
