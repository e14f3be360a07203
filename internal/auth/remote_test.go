package auth_test

import (
	"bytes"
	"context"
	"errors"
	"io"
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

// issuer is a JWKS URL without a network, for a bubble's clock.
type issuer struct {
	asked  atomic.Int64
	answer atomic.Pointer[func(*http.Request) (*http.Response, error)]
}

func (i *issuer) RoundTrip(r *http.Request) (*http.Response, error) {
	i.asked.Add(1)
	return (*i.answer.Load())(r)
}

func (i *issuer) does(f func(*http.Request) (*http.Response, error)) { i.answer.Store(&f) }

func (i *issuer) publishes(keys ...auth.Key) {
	i.does(func(*http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: 200, Body: io.NopCloser(strings.NewReader(set(keys...)))}, nil
	})
}

// set is the JWK set of the public halves.
func set(keys ...auth.Key) string {
	var written []string
	for _, k := range keys {
		private, public, err := k.JWK()
		if err != nil {
			panic(err)
		}
		if public == nil {
			public = private
		}
		written = append(written, string(public))
	}
	return `{"keys":[` + strings.Join(written, ",") + `]}`
}

func key(t testing.TB, alg, id string) auth.Key {
	k, err := auth.Generate(alg, id)
	require.NoError(t, err)
	return k
}

// journal keeps what was logged.
type journal struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (j *journal) Write(b []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.b.Write(b)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.b.String()
}

func (j *journal) Reset() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.b.Reset()
}

// bubble runs a verifier over an issuer. Time passes by time.Sleep.
func bubble(t *testing.T, test func(t *testing.T, i *issuer, verify func(auth.Key) error, log *journal)) {
	synctest.Test(t, func(t *testing.T) {
		var i issuer
		var log journal
		v, err := auth.New(auth.Config{JWKSURL: "https://issuer.test/jwks?secret=1", Client: &http.Client{Transport: &i}, Now: clock,
			Logger: slog.New(slog.NewTextHandler(&log, nil))})
		require.NoError(t, err)
		i.does(func(*http.Request) (*http.Response, error) { return nil, errors.New("nobody there") })
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { defer close(ended); v.Run(ctx) }()
		synctest.Wait()
		verify := func(k auth.Key) error {
			_, err := v.Verify(sign(t, k, with(nil)))
			return err
		}
		test(t, &i, verify, &log)
		cancel()
		<-ended
		require.NotContains(t, log.String(), "secret")
	})
}

func TestRotation(t *testing.T) {
	old, next := key(t, "ES256", "1"), key(t, "EdDSA", "2")
	bubble(t, func(t *testing.T, i *issuer, verify func(auth.Key) error, log *journal) {
		// Nobody answers at the start: the server is there, and refuses.
		wantReason(t, "no keys yet", nil, verify(old), auth.ReasonUnknownKey, "")
		require.Contains(t, log.String(), "nobody there")
		i.publishes(old)
		time.Sleep(auth.MinRefresh)
		synctest.Wait()
		require.EqualValues(t, 2, i.asked.Load(), "the token that named an unknown key had it asked")
		require.NoError(t, verify(old))

		// A key that is new is known 10 seconds after its first token, and of
		// many such tokens there is one question.
		i.publishes(old, next)
		for range 100 {
			wantReason(t, "the next key", nil, verify(next), auth.ReasonUnknownKey, "")
		}
		time.Sleep(auth.MinRefresh - time.Millisecond)
		synctest.Wait()
		require.EqualValues(t, 2, i.asked.Load(), "not twice in 10 seconds")
		time.Sleep(time.Millisecond)
		synctest.Wait()
		require.EqualValues(t, 3, i.asked.Load())
		require.NoError(t, verify(next))
		require.NoError(t, verify(old))

		// One that is taken out is no longer good after the next refresh.
		i.publishes(next)
		time.Sleep(5 * time.Minute)
		synctest.Wait()
		require.EqualValues(t, 4, i.asked.Load())
		wantReason(t, "the old key", nil, verify(old), auth.ReasonUnknownKey, "")
		require.NoError(t, verify(next))
	})
}

// A wrong signature, an expired token or the like has nobody asked.
func TestOnlyUnknownKeysAsk(t *testing.T) {
	k := key(t, "ES256", "1")
	bubble(t, func(t *testing.T, i *issuer, verify func(auth.Key) error, log *journal) {
		i.publishes(k)
		time.Sleep(30 * time.Second)
		synctest.Wait()
		require.EqualValues(t, 2, i.asked.Load(), "after a failure it is asked again sooner")
		for range 6 {
			wantReason(t, "another's", nil, verify(key(t, "ES256", "1")), auth.ReasonSignature, "")
			time.Sleep(auth.MinRefresh)
		}
		synctest.Wait()
		require.EqualValues(t, 2, i.asked.Load())
		for range 100 { // unknown keys all the time
			wantReason(t, "unknown", nil, verify(key(t, "EdDSA", "x")), auth.ReasonUnknownKey, "")
			time.Sleep(time.Second)
		}
		require.LessOrEqual(t, i.asked.Load(), int64(2+11))
	})
}

// Whatever goes wrong later, the keys stay what they were.
func TestOutage(t *testing.T) {
	k, secret := key(t, "RS256", "1"), key(t, "HS256", "s")
	answer := func(code int, body string) func(*http.Request) (*http.Response, error) {
		return func(*http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: code, Body: io.NopCloser(strings.NewReader(body))}, nil
		}
	}
	bubble(t, func(t *testing.T, i *issuer, verify func(auth.Key) error, log *journal) {
		i.publishes(k)
		time.Sleep(30 * time.Second)
		synctest.Wait()
		require.NoError(t, verify(k))
		for _, c := range []struct {
			label, part string
			does        func(*http.Request) (*http.Response, error)
		}{
			{"nobody", "nobody there", func(*http.Request) (*http.Response, error) { return nil, errors.New("nobody there") }},
			{"500", "answered 500, expected 200", answer(500, set(k))},
			{"a page", "expected a JWK set", answer(200, "<html>")},
			{"an empty set", "at least one key", answer(200, `{"keys":[]}`)},
			{"no set", "at least one key", answer(200, `{}`)},
			{"secrets alone", "secrets are not published", answer(200, set(secret))},
			{"huge", "at most 1 MiB", answer(200, set(k)+strings.Repeat(" ", 1<<20))},
			{"it never answers", "deadline exceeded", func(r *http.Request) (*http.Response, error) {
				<-r.Context().Done()
				return nil, r.Context().Err()
			}},
			{"it never ends", "deadline exceeded", func(r *http.Request) (*http.Response, error) {
				read, write := io.Pipe()
				context.AfterFunc(r.Context(), func() { write.CloseWithError(r.Context().Err()) })
				return &http.Response{StatusCode: 200, Body: read}, nil
			}},
		} {
			log.Reset()
			i.does(c.does)
			asked := i.asked.Load()
			time.Sleep(5*time.Minute + auth.FetchTimeout)
			synctest.Wait()
			require.Greater(t, i.asked.Load(), asked, c.label)
			require.Contains(t, log.String(), c.part, c.label)
			require.Contains(t, log.String(), "https://issuer.test/jwks", c.label)
			require.NoError(t, verify(k), c.label)
			wantReason(t, c.label, nil, verify(secret), auth.ReasonUnknownKey, "")
		}
	})
}

// Over a network of loopback.
func TestJWKSURL(t *testing.T) {
	ours, theirs := key(t, "ES256", "1"), key(t, "ES256", "2")
	thief := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, set(theirs)) }))
	defer thief.Close()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/away":
			http.Redirect(w, r, thief.URL, http.StatusFound)
		case "/huge":
			for range 3 << 10 {
				if _, err := w.Write(bytes.Repeat([]byte(" "), 1<<10)); err != nil {
					return
				}
			}
		default:
			io.WriteString(w, set(ours))
		}
	}))
	defer server.Close()
	for path, part := range map[string]string{"/": "", "/away": "redirects are not followed", "/huge": "at most 1 MiB"} {
		for _, client := range []*http.Client{nil, {Transport: &http.Transport{DisableKeepAlives: true}}} {
			v, err := auth.New(auth.Config{JWKSURL: server.URL + path, Now: clock, Client: client})
			require.NoError(t, err)
			err = v.Refresh(t.Context())
			if part == "" {
				require.NoError(t, err)
				_, err = v.Verify(sign(t, ours, with(nil)))
				require.NoError(t, err)
			} else {
				require.ErrorContains(t, err, part)
			}
			_, err = v.Verify(sign(t, theirs, with(nil)))
			wantReason(t, path, nil, err, auth.ReasonUnknownKey, "")
		}
	}
}
