package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"time"

	"github.com/prometheus/procfs"

	"github.com/pushd/pushd/internal/scale/told"
)

// The doors of the server.
const (
	public = "127.0.0.1:8080"
	admin  = "127.0.0.1:8081"
)

// server is the pushd that is measured.
type server struct {
	cmd   *exec.Cmd
	ended chan error
	began time.Time // when the first connection was asked for
}

// serve starts the server and waits until it answers.
func serve(ctx context.Context) (*server, error) {
	s := &server{cmd: exec.Command("/pushd", "serve", "--listen", public, "--admin", admin, "--anonymous-subscribe", topic,
		"--ping-interval", "1h", "--max-handshakes", "0"), ended: make(chan error, 1)}
	s.cmd.Stdout, s.cmd.Stderr = os.Stderr, os.Stderr
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	go func() { s.ended <- s.cmd.Wait() }()
	for {
		if _, err := connections(ctx); err == nil {
			return s, nil
		}
		select {
		case err := <-s.ended:
			return nil, fmt.Errorf("the server has ended: %w", err)
		case <-ctx.Done():
			return nil, fmt.Errorf("the server does not answer: %w", ctx.Err())
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// stop does not wait for connections to be closed: the machine is switched off.
func (s *server) stop() { s.cmd.Process.Kill() }

// connections asks the server how many it has. It is not read from /metrics: these count the process's descriptors, one by one
// before Linux 6.2.
func connections(ctx context.Context) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+admin+"/healthz", nil)
	if err != nil {
		return 0, err
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, err
	}
	defer answer.Body.Close()
	var health struct {
		Connections *int `json:"connections"`
	}
	if err := json.NewDecoder(answer.Body).Decode(&health); err != nil {
		return 0, fmt.Errorf("/healthz: %w", err)
	}
	if health.Connections == nil {
		return 0, errors.New("/healthz: expected connections")
	}
	return *health.Connections, nil
}

// look sees what the server and the kernel use, and how many connections there are.
func (s *server) look(ctx context.Context) (told.Step, error) {
	step := told.Step{}
	var err error
	if step.Connections, err = connections(ctx); err != nil {
		return step, err
	}
	if !s.began.IsZero() {
		step.Seconds = time.Since(s.began).Seconds()
	}
	fs, err := procfs.NewDefaultFS()
	if err != nil {
		return step, err
	}
	process, err := fs.Proc(s.cmd.Process.Pid)
	if err != nil {
		return step, err
	}
	memory, err := process.Statm()
	if err != nil {
		return step, err
	}
	all, err := fs.Meminfo()
	if err != nil {
		return step, err
	}
	step.Server = uint64(memory.ResidentBytes())
	step.Slab = *all.SlabBytes
	step.Kernel = *all.MemTotalBytes - *all.MemFreeBytes - *all.BuffersBytes - *all.CachedBytes - *all.AnonPagesBytes
	return step, nil
}
