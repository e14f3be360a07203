package server

import (
	"net/http"
	"time"

	"github.com/pushd/pushd/internal/dialect"
)

// health tells an operator how the server is.
type health struct {
	*Server
	began time.Time
}

type healthBody struct {
	Status      string `json:"status"`
	Version     string `json:"version"`
	Connections int    `json:"connections"`
	UptimeMS    int64  `json:"uptime_ms"`
}

func (h *health) body(status string) healthBody {
	return healthBody{status, h.cfg.Version, h.engine.Live(), time.Since(h.began).Milliseconds()}
}

// live answers /healthz: the process serves.
func (h *health) live(w http.ResponseWriter, r *http.Request) {
	answer(w, http.StatusOK, h.body("ok"))
}

// ready answers /readyz: new connections are welcome.
func (h *health) ready(w http.ResponseWriter, r *http.Request) {
	if h.leaving.at(draining) {
		refuse(w, dialect.CodeDraining, "the server is going away")
		return
	}
	answer(w, http.StatusOK, h.body("ready"))
}
