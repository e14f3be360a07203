package server

import (
	"encoding/json"
	"net/http"
	"net/http/pprof"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/pushd/pushd/internal/dialect"
)

// adminServer returns what answers on the admin door: publishers and operators.
// docs/PROTOCOL.md is the contract with them.
func (s *Server) adminServer() *http.Server {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/topics/{topic}/messages", s.publishOne)
	mux.HandleFunc("GET /v1/topics/{topic}/messages", s.showMessages)
	mux.HandleFunc("DELETE /v1/topics/{topic}/messages", s.deleteKey)
	mux.HandleFunc("POST /v1/messages", s.publishLines)
	mux.HandleFunc("GET /v1/topics", s.listTopics)
	mux.HandleFunc("GET /v1/topics/{topic}", s.showTopic)
	mux.HandleFunc("GET /v1/connections", s.listConnections)
	mux.HandleFunc("DELETE /v1/connections/{id}", s.closeConnection)
	mux.HandleFunc("POST /v1/connections/{id}/messages", s.pushOne)
	mux.HandleFunc("GET /v1/addresses", s.listAddresses)
	mux.HandleFunc("GET /v1/bans", s.listBans)
	mux.HandleFunc("POST /v1/bans", s.putBan)
	mux.HandleFunc("DELETE /v1/bans/{id}", s.liftBan)
	mux.HandleFunc("POST /v1/reload", s.answerReload)
	s.operate(mux)
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	return s.guarded(route(mux), s.admin.Addr(), s.cfg.AdminTokens)
}

// metricsServer returns what answers where a scraper from elsewhere comes.
func (s *Server) metricsServer() *http.Server {
	mux := http.NewServeMux()
	s.operate(mux)
	return s.guarded(route(mux), s.metrics.Addr(), nil)
}

// operate adds what both doors have.
func (s *Server) operate(mux *http.ServeMux) {
	health := &health{Server: s, began: time.Now()}
	mux.Handle("GET /metrics", s.metricsHandler())
	mux.HandleFunc("GET /healthz", health.live)
	mux.HandleFunc("GET /readyz", health.ready)
}

// route answers as mux does, but in our form where nothing is there or the
// method is another.
func route(mux *http.ServeMux) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// The mux would redirect a path that is not in its shortest form. Ours
		// are written by programs: what is not there is not there.
		escaped := r.URL.EscapedPath()
		if escaped != "/" && path.Clean(escaped) != strings.TrimSuffix(escaped, "/") {
			notFound(w, r)
			return
		}
		h, pattern := mux.Handler(r)
		if pattern != "" {
			mux.ServeHTTP(w, r)
			return
		}
		v := verdict{header: make(http.Header)}
		h.ServeHTTP(&v, r)
		if v.status != http.StatusMethodNotAllowed {
			notFound(w, r)
			return
		}
		allow := v.header.Get("Allow")
		w.Header().Set("Allow", allow)
		refuse(w, dialect.CodeMethod, r.Method+" is not for "+r.URL.Path+": expected "+allow)
	})
}

// verdict is a response of which the body is dropped.
type verdict struct {
	header http.Header
	status int
}

func (v *verdict) Header() http.Header         { return v.header }
func (v *verdict) WriteHeader(status int)      { v.status = status }
func (v *verdict) Write(b []byte) (int, error) { return len(b), nil }

func notFound(w http.ResponseWriter, r *http.Request) {
	refuse(w, dialect.CodeNotFound, "nothing is at "+r.URL.Path)
}

// topicOf returns the topic that the path names, percent-decoded, which may be
// that of a user. It answers where that cannot be one.
func topicOf(w http.ResponseWriter, r *http.Request) (topic string, ok bool) {
	topic = r.PathValue("topic")
	if err := dialect.CheckTopicOrUser(topic); err != nil {
		refuseError(w, err)
		return "", false
	}
	return topic, true
}

// writeTimeout is how long a client may take to read an answer.
const writeTimeout = time.Minute

// answer sends v as JSON.
func answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	if status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "1")
	}
	http.NewResponseController(w).SetWriteDeadline(time.Now().Add(writeTimeout)) // fails only for what is no socket
	w.WriteHeader(status)
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.Encode(v) // fails only where nobody reads it any more
}

// refusalBody is what every error looks like.
type refusalBody struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

func refuse(w http.ResponseWriter, code, message string) {
	answer(w, dialect.HTTPStatus(code), refusalBody{code, message})
}

// refuseError answers with an error, which is a *dialect.Error.
func refuseError(w http.ResponseWriter, err error) {
	e := err.(*dialect.Error)
	refuse(w, e.Code, e.Message)
}

// limitOf reads limit= : 1 to 1,000, 100 where it is not given.
func limitOf(r *http.Request) (int, error) {
	const usual, most = 100, 1000
	s := r.URL.Query().Get("limit")
	if s == "" {
		return usual, nil
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 || n > most {
		return 0, &dialect.Error{Code: dialect.CodeBadRequest, Message: "limit " + quote(s) + ": expected 1 to " + itoa(most)}
	}
	return n, nil
}
