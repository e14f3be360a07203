package server

import (
	"errors"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pushd/pushd/internal/dialect"
)

// Reloaded is what the settings say when they are read again.
type Reloaded struct {
	Topics  []TopicRule
	Restart []string // the settings that differ from those in use, and that only a restart applies
}

// ErrNothingToReload is returned where Config has neither Reload nor Auth.
var ErrNothingToReload = errors.New("there is nothing to reload: the server was started without a settings file and without keys")

// reloads is how reloading went.
type reloads struct {
	mu sync.Mutex // held while one is under way, so that the last to be read holds

	ok, failed atomic.Uint64
	lastFailed atomic.Bool
	lastOK     atomic.Int64 // Unix time, in ns, of the last that did not fail, or of the start
}

// Reload reads the keys of Config.Auth again, asks Config.Reload how topics are to
// be, and has them be so. After an error nothing has changed. It logs the outcome as well, for whoever asked by a
// signal hears of it in no other way.
func (s *Server) Reload() (Reloaded, error) {
	log := s.cfg.Logger
	if s.cfg.Reload == nil && s.cfg.Auth == nil {
		log.Info(ErrNothingToReload.Error())
		return Reloaded{}, ErrNothingToReload
	}
	s.reloads.mu.Lock()
	defer s.reloads.mu.Unlock()
	r, err := s.readAgain()
	s.reloads.lastFailed.Store(err != nil)
	if err != nil {
		s.reloads.failed.Add(1)
		log.Error("the settings were not reloaded: all is as before", "error", err)
		return Reloaded{}, err
	}
	if s.cfg.Reload != nil {
		s.Configure(r.Topics)
	}
	s.reloads.ok.Add(1)
	s.reloads.lastOK.Store(time.Now().UnixNano())
	log.Info("reloaded", "topics", len(r.Topics))
	if len(r.Restart) > 0 {
		log.Warn("settings have changed that only a restart applies", "settings", r.Restart)
	}
	return r, nil
}

// readAgain reads the settings, and then the keys, so that where the settings are
// bad the keys stay.
func (s *Server) readAgain() (r Reloaded, err error) {
	if s.cfg.Reload != nil {
		r, err = s.cfg.Reload()
	}
	if err == nil && s.cfg.Auth != nil {
		err = s.cfg.Auth.Reload()
	}
	return r, err
}

// answerReload answers how many rules hold now, or what is wrong with the file.
func (s *Server) answerReload(w http.ResponseWriter, _ *http.Request) {
	r, err := s.Reload()
	if err != nil {
		refuse(w, dialect.CodeBadRequest, err.Error())
		return
	}
	answer(w, http.StatusOK, struct {
		Topics  int      `json:"topics"`
		Restart []string `json:"restart"`
	}{len(r.Topics), append([]string{}, r.Restart...)}) // [] and not null
}

func (c collector) collectReloads(m metrics) {
	r := &c.reloads
	m.counter(descReloads, r.ok.Load(), "ok")
	m.counter(descReloads, r.failed.Load(), "error")
	successful := 1.0
	if r.lastFailed.Load() {
		successful = 0
	}
	m.gauge(descReloadOK, successful)
	m.gauge(descReloadTime, float64(r.lastOK.Load())/1e9)
}
