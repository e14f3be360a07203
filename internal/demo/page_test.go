package demo_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/pushd/pushd/internal/demo"
)

func get(t *testing.T, method, target, etag string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest(method, target, nil)
	if etag != "" {
		r.Header.Set("If-None-Match", etag)
	}
	w := httptest.NewRecorder()
	demo.Handler(demo.MarketConfig()).ServeHTTP(w, r)
	return w
}

func TestHandler(t *testing.T) {
	for _, c := range []struct{ path, kind, holds string }{
		{"/", "text/html; charset=utf-8", `src="/demo/app.js"`},
		{"/demo/app.js", "text/javascript; charset=utf-8", "from '/pushd.js'"},
		{"/demo/style.css", "text/css; charset=utf-8", "prefers-color-scheme"},
		{"/demo/icon.svg", "image/svg+xml", "<svg"},
		{"/demo/config.json", "application/json", `"simulated":true`},
		{"/pushd.js", "text/javascript; charset=utf-8", "export function connect("},
	} {
		t.Run(c.path, func(t *testing.T) {
			w := get(t, "GET", c.path, "")
			if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), c.holds) {
				t.Fatalf("%d, want 200 and %q", w.Code, c.holds)
			}
			h := w.Header()
			for name, want := range map[string]string{
				"Content-Type": c.kind, "X-Content-Type-Options": "nosniff", "Cache-Control": "no-cache",
			} {
				if h.Get(name) != want {
					t.Errorf("%s: %q, want %q", name, h.Get(name), want)
				}
			}
			for _, want := range []string{"default-src 'none'", "script-src 'self'", "connect-src 'self' ws: wss:"} {
				if !strings.Contains(h.Get("Content-Security-Policy"), want) {
					t.Errorf("Content-Security-Policy: %q, want %q in it", h.Get("Content-Security-Policy"), want)
				}
			}
			if w := get(t, "GET", c.path, h.Get("ETag")); w.Code != http.StatusNotModified || w.Body.Len() > 0 {
				t.Errorf("with its ETag: %d and %d bytes, want 304 and none", w.Code, w.Body.Len())
			}
			if w := get(t, "GET", c.path, `"another"`); w.Code != http.StatusOK {
				t.Errorf("with another ETag: %d, want 200", w.Code)
			}
			if w := get(t, "HEAD", c.path, ""); w.Code != http.StatusOK || w.Body.Len() > 0 {
				t.Errorf("HEAD: %d and %d bytes, want 200 and none", w.Code, w.Body.Len())
			}
			if w := get(t, "POST", c.path, ""); w.Code != http.StatusMethodNotAllowed {
				t.Errorf("POST: %d, want 405", w.Code)
			}
		})
	}
	for _, path := range []string{"/other", "/demo/", "/demo/index.html", "/demo/page.go", "/index.html"} {
		if w := get(t, "GET", path, ""); w.Code != http.StatusNotFound {
			t.Errorf("%s: %d, want 404", path, w.Code)
		}
	}
}

func TestConfig(t *testing.T) {
	var c demo.Config
	if err := json.Unmarshal(get(t, "GET", "/demo/config.json", "").Body.Bytes(), &c); err != nil {
		t.Fatal(err)
	}
	if len(c.Topics) != len(demo.Symbols()) || c.Topics[0] != "demo.quotes.ACME" || c.Names["demo.quotes.ACME"] != "Acme Corp" {
		t.Errorf("got %+v, want every symbol's topic and name", c)
	}
	seen := map[string]bool{}
	for _, topic := range c.Topics {
		if seen[topic] || c.Names[topic] == "" {
			t.Errorf("%s comes twice, or has no name", topic)
		}
		seen[topic] = true
	}
}

// The page must work under its own policy, and on a host without a way out.
func TestPageIsItsOwn(t *testing.T) {
	outside := regexp.MustCompile(`(?i)(https?:)?//[a-z0-9-]+\.[a-z]`)
	inline := regexp.MustCompile(`(?i)<script>|<style|\s(style|on[a-z]+)=`)
	for _, path := range []string{"/", "/demo/app.js", "/demo/style.css", "/pushd.js"} {
		if m := outside.FindString(get(t, "GET", path, "").Body.String()); m != "" {
			t.Errorf("%s names another host: %q", path, m)
		}
	}
	if m := inline.FindString(get(t, "GET", "/", "").Body.String()); m != "" {
		t.Errorf("the page has %q inline, which its policy forbids", m)
	}
}
