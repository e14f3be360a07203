package demo

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"path"
	"time"

	"github.com/pushd/pushd/client/js"
)

//go:embed page
var files embed.FS

// policy is the page's Content-Security-Policy: its own files and WebSockets, nothing else. ws: and wss: are named
// because 'self' does not cover them in every browser.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; " +
	"connect-src 'self' ws: wss:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// types is fixed here so that the host's own tables have no say.
var types = map[string]string{
	".html": "text/html; charset=utf-8",
	".css":  "text/css; charset=utf-8",
	".js":   "text/javascript; charset=utf-8",
	".json": "application/json",
	".svg":  "image/svg+xml",
}

// Config is what the page learns from /demo/config.json.
type Config struct {
	Simulated bool              `json:"simulated"`       // else a recording
	Topics    []string          `json:"topics"`          // what it subscribes to, in the order shown
	Names     map[string]string `json:"names,omitempty"` // a title for a topic
}

// MarketConfig describes the market that [Market] publishes.
func MarketConfig() Config {
	c := Config{Simulated: true, Names: map[string]string{}}
	for _, s := range Symbols() {
		c.Topics = append(c.Topics, s.Topic())
		c.Names[s.Topic()] = s.Name
	}
	return c
}

// maxShown is how many subscriptions a connection may have: see the limits in docs/PROTOCOL.md.
const maxShown = 128

// TapeConfig describes the recording that [Tape] publishes. It reads all of it, and so finds a bad line early. Of more
// than 128 topics the page shows the first.
func TapeConfig(open Opener) (Config, error) {
	topics, err := Topics(open)
	return Config{Topics: topics[:min(len(topics), maxShown)]}, err
}

// Handler serves the page at "/", its assets and config.json below "/demo/", and the client that it loads at
// "/pushd.js". Anything else is 404. It may be used from many goroutines.
func Handler(c Config) http.Handler {
	mux := http.NewServeMux()
	add := func(pattern, name string, body []byte) {
		mux.Handle("GET "+pattern, newAsset(name, body)) // and HEAD
	}
	add("/pushd.js", "pushd.js", js.Source)
	entries, err := files.ReadDir("page")
	if err != nil {
		panic("demo: the embedded page is not there: " + err.Error())
	}
	for _, e := range entries {
		body, err := files.ReadFile("page/" + e.Name())
		if err != nil {
			panic("demo: the embedded page is not whole: " + err.Error())
		}
		if e.Name() == "index.html" {
			add("/{$}", e.Name(), body)
			continue
		}
		add("/demo/"+e.Name(), e.Name(), body)
	}
	body, err := json.Marshal(c)
	if err != nil {
		panic("demo: config: " + err.Error()) // strings and a bool: always fit
	}
	add("/demo/config.json", "config.json", body)
	return mux
}

// An asset is one immutable answer.
type asset struct {
	name, kind, etag string
	body             []byte
}

func newAsset(name string, body []byte) asset {
	sum := sha256.Sum256(body)
	return asset{name, types[path.Ext(name)], `"` + hex.EncodeToString(sum[:12]) + `"`, body}
}

func (a asset) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Type", a.kind)
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "no-cache") // kept, and asked about each time: an answer of 304 has no body
	h.Set("ETag", a.etag)
	http.ServeContent(w, r, a.name, time.Time{}, bytes.NewReader(a.body))
}
