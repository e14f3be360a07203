package auth_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pushd/pushd/internal/auth"
)

// issuer answers what it is told to.
type issuer struct {
	mu     sync.Mutex
	answer http.HandlerFunc
	asked  atomic.Int64
}

func (i *issuer) set(f http.HandlerFunc) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.answer = f
}

func (i *issuer) keys(list ...string) {
	body := `{"keys":[` + strings.Join(list, ",") + `]}`
	i.set(func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte(body)) })
}

// RoundTrip implements http.RoundTripper, so that a bubble of synctest needs no network.
func (i *issuer) RoundTrip(r *http.Request) (*http.Response, error) {
	i.asked.Add(1)
	i.mu.Lock()
	answer := i.answer
	i.mu.Unlock()
	w := httptest.NewRecorder()
	answer(w, r)
	return w.Result(), r.Context().Err()
}

const url = "https://issuer.example/jwks.json"

// The set is fetched at once, anew every five minutes, soon after a token has named a key that is not there, and kept when
// the issuer is away.
func TestJWKS(t *testing.T) {
	next, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		i := new(issuer)
		i.keys(ecJWK("a", ecKey, ""), rsaJWK("r", &rsaKey.PublicKey), octJWK("o", secret), `{"kty":"new","kid":"n"}`)
		v, err := auth.New(auth.Config{JWKSURL: url, Client: &http.Client{Transport: i}, Now: func() time.Time { return now },
			Logger: slog.New(slog.NewTextHandler(&log, nil))})
		require.NoError(t, err)
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { v.Run(ctx); close(ended) }()
		defer func() { stop(); <-ended }()
		old, fresh := []byte(token(t, "ES256", ecKey, "@kid", "a")), []byte(token(t, "ES256", next, "@kid", "b"))
		verify := func(token []byte) auth.Reason {
			if _, err := v.Verify(token); err != nil {
				return reasonOf(t, err)
			}
			return ""
		}
		synctest.Wait()
		require.Empty(t, verify(old))
		require.Empty(t, verify([]byte(token(t, "RS256", rsaKey, "@kid", "r"))))
		require.Equal(t, auth.UnknownKey, verify([]byte(token(t, "HS256", secret, "@kid", "o"))), "a secret that can be fetched is none")
		require.EqualValues(t, 1, i.asked.Load())

		i.keys(ecJWK("b", next, "")) // rotated
		for range 100 {
			verify(fresh)
		}
		require.EqualValues(t, 1, i.asked.Load(), "who makes up tokens does not have the issuer asked")
		time.Sleep(11 * time.Second)
		synctest.Wait()
		require.EqualValues(t, 2, i.asked.Load())
		require.Empty(t, verify(fresh))
		require.Equal(t, auth.UnknownKey, verify(old))
		time.Sleep(11 * time.Second)
		synctest.Wait()
		asked := i.asked.Load()

		for _, bad := range []http.HandlerFunc{
			func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "away", 503) },
			func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("nonsense")) },
			func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte(`{"keys":[]}`)) },
			func(w http.ResponseWriter, _ *http.Request) { w.Write(bytes.Repeat([]byte(" "), 2<<20)) },
			func(w http.ResponseWriter, _ *http.Request) {
				w.Write([]byte(`{"keys":[` + strings.Repeat(ecJWK("b", next, "")+",", 64) + ecJWK("b", next, "") + `]}`))
			},
		} {
			i.set(bad)
			time.Sleep(6 * time.Minute)
			synctest.Wait()
			require.Greater(t, i.asked.Load(), asked)
			asked = i.asked.Load()
			require.Empty(t, verify(fresh), "the old keys stay in use")
		}
		require.Contains(t, log.String(), "the key set was not fetched")
		i.keys(ecJWK("a", ecKey, ""))
		time.Sleep(11 * time.Second)
		synctest.Wait()
		require.Empty(t, verify(old))
	})
}

func TestJWKSRedirect(t *testing.T) {
	elsewhere := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Write([]byte(`{"keys":[` + ecJWK("a", ecKey, "") + `]}`))
	}))
	defer elsewhere.Close()
	redirects := httptest.NewServer(http.RedirectHandler(elsewhere.URL, http.StatusFound))
	defer redirects.Close()
	for from, want := range map[string]int{elsewhere.URL: 1, redirects.URL: 0} {
		fetched := make(chan struct{}, 1)
		v, err := auth.New(auth.Config{JWKSURL: from, Logger: slog.New(slog.NewTextHandler(signal(fetched), nil))})
		require.NoError(t, err)
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { v.Run(ctx); close(ended) }()
		if want == 0 {
			<-fetched // the failure is logged
		}
		require.Eventually(t, func() bool { return auth.Keys(v) == want }, 20*time.Second, 5*time.Millisecond)
		stop()
		<-ended
		http.DefaultTransport.(*http.Transport).CloseIdleConnections()
	}
}

type signal chan struct{}

func (s signal) Write(b []byte) (int, error) {
	select {
	case s <- struct{}{}:
	default:
	}
	return len(b), nil
}

func TestJWKSURL(t *testing.T) {
	for _, good := range []string{url, "http://127.0.0.1:8000/k", "http://localhost/k", "http://[::1]/k"} {
		require.NoError(t, auth.CheckJWKSURL(good))
	}
	for _, bad := range []string{"", "issuer.example", "http://issuer.example/", "ftp://issuer.example/", "https://", "https://u:p@issuer.example/"} {
		require.ErrorContains(t, auth.CheckJWKSURL(bad), "expected an https URL", bad)
	}
}
