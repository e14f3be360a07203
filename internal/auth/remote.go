package auth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync/atomic"
	"time"
)

const (
	defaultRefresh = 5 * time.Minute
	minRefresh     = 10 * time.Second // between two questions to the URL, whoever wishes them
	fetchTimeout   = 10 * time.Second
)

// remote has the keys of a JWKS URL.
type remote struct {
	url     string
	shown   string // the URL as it may be printed
	every   time.Duration
	client  *http.Client
	logger  *slog.Logger
	current atomic.Pointer[keySet]
	wish    chan struct{} // somebody would like it to be asked; holds one
}

func newRemote(cfg *Config) (*remote, error) {
	u, err := url.Parse(cfg.JWKSURL)
	if err != nil || u.Host == "" || u.Scheme != "https" && (u.Scheme != "http" || !isLoopback(u.Hostname())) {
		return nil, errors.New("auth: JWKS URL: expected https://HOST/PATH, or http:// and a loopback address")
	}
	r := &remote{
		url: cfg.JWKSURL, shown: u.Scheme + "://" + u.Host + u.EscapedPath(),
		every: cfg.Refresh, logger: cfg.Logger, wish: make(chan struct{}, 1),
	}
	if r.every == 0 {
		r.every = defaultRefresh
	}
	client := http.Client{}
	if cfg.Client != nil {
		client = *cfg.Client
	} else {
		// Asked so seldom that a connection is not kept.
		client.Transport = &http.Transport{Proxy: http.ProxyFromEnvironment, DisableKeepAlives: true, ForceAttemptHTTP2: true, MaxResponseHeaderBytes: 64 << 10}
	}
	// Whoever can redirect us could name keys of their own.
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	r.client = &client
	r.current.Store(new(keySet))
	return r, nil
}

func isLoopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.IsLoopback() || strings.EqualFold(host, "localhost")
}

func (r *remote) keys() keySet { return *r.current.Load() }

// nudge has the URL asked soon. It does not wait.
func (r *remote) nudge() {
	select {
	case r.wish <- struct{}{}:
	default:
	}
}

// Run asks the JWKS URL until ctx ends: at once, every Config.Refresh, and when
// a token names a key that is not known, but never twice within 10 seconds.
// Until it was answered for the first time tokens of its keys are refused, which
// the log says: a server that is started while the issuer is away serves what
// it can, and the rest as soon as the issuer is back. Where it is not answered
// later the keys stay what they were. Without a URL Run returns at once.
func (v *Verifier) Run(ctx context.Context) {
	if v.remote == nil {
		return
	}
	for {
		wait := v.remote.every
		if err := v.Refresh(ctx); err != nil {
			if ctx.Err() != nil {
				return
			}
			wait = min(wait, 3*minRefresh)
			v.cfg.Logger.Warn("jwks: the keys stay what they were", "keys", len(v.remote.keys()), "next", wait, "error", err)
		}
		if !v.remote.sleep(ctx, wait) {
			return
		}
	}
}

// sleep waits for the next question, and reports whether there is one.
func (r *remote) sleep(ctx context.Context, wait time.Duration) bool {
	least, most := time.NewTimer(minRefresh), time.NewTimer(max(wait, minRefresh))
	defer least.Stop()
	defer most.Stop()
	select {
	case <-least.C:
	case <-ctx.Done():
		return false
	}
	select {
	case <-r.wish:
	case <-most.C:
	case <-ctx.Done():
		return false
	}
	return true
}

// Refresh asks the JWKS URL now and takes over its keys. Where it fails they
// stay what they were.
func (v *Verifier) Refresh(ctx context.Context) error {
	if v.remote == nil {
		return nil
	}
	return v.remote.refresh(ctx)
}

func (r *remote) refresh(ctx context.Context) error {
	body, err := r.fetch(ctx)
	if err != nil {
		if u, ok := errors.AsType[*url.Error](err); ok { // whose text has the whole URL
			err = u.Err
		}
		return fmt.Errorf("%s: %w", r.shown, err)
	}
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if json.Unmarshal(body, &set) != nil {
		return fmt.Errorf("%s: expected a JWK set", r.shown)
	}
	keys, err := parseJWKS(set.Keys, false)
	if err != nil {
		return fmt.Errorf("%s: %w", r.shown, err)
	}
	before := r.current.Swap(&keys)
	if !keys.equal(*before) {
		r.logger.Info("jwks: keys", "url", r.shown, "keys", len(keys), "not_usable", len(set.Keys)-len(keys))
	}
	return nil
}

func (r *remote) fetch(ctx context.Context) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, r.url, nil)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Accept", "application/jwk-set+json, application/json")
	response, err := r.client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	switch {
	case response.StatusCode/100 == 3:
		return nil, fmt.Errorf("answered %d: redirects are not followed, expected the URL of the set itself", response.StatusCode)
	case response.StatusCode != http.StatusOK:
		return nil, fmt.Errorf("answered %d, expected 200", response.StatusCode)
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, maxKeyFile+1))
	if err == nil && len(body) > maxKeyFile {
		err = errors.New("expected a JWK set of at most 1 MiB")
	}
	return body, err
}
