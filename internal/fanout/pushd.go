package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"time"
)

// pushd is a server process and its admin door.
type pushd struct {
	cmd    *exec.Cmd
	public string // address of the door
	admin  string
	http   *http.Client

	said struct { // on standard error
		sync.Mutex
		lines []string // the last of them
	}
	silent chan struct{} // closed when it says nothing more
}

// startPushd begins binary with everything open and no pings, and waits until it listens. It ends with ctx at the latest.
func startPushd(ctx context.Context, binary string, flags ...string) (*pushd, error) {
	args := append([]string{"serve", "--dev", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0",
		"--ping-interval", "0", "--log-format", "json"}, flags...)
	p := &pushd{
		cmd:    exec.CommandContext(ctx, binary, args...),
		http:   &http.Client{Transport: &http.Transport{}, Timeout: time.Minute},
		silent: make(chan struct{}),
	}
	stderr, err := p.cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the server: %w", err)
	}
	listening := make(chan struct{})
	go p.listen(stderr, listening)
	select {
	case <-listening:
		return p, nil
	case <-p.silent:
	case <-time.After(10 * time.Second):
	}
	p.stop()
	return nil, fmt.Errorf("%s %s: expected it to listen, but it said: %s", binary, strings.Join(args, " "), strings.Join(p.said.lines, "\n"))
}

// listen takes the addresses of the doors from what the server logs.
func (p *pushd) listen(stderr io.Reader, both chan<- struct{}) {
	defer close(p.silent)
	for s := bufio.NewScanner(stderr); s.Scan(); {
		p.said.Lock()
		p.said.lines = append(p.said.lines, s.Text())
		p.said.lines = p.said.lines[max(0, len(p.said.lines)-20):]
		p.said.Unlock()
		var line struct{ Msg, Door, Addr string }
		if p.admin != "" || json.Unmarshal(s.Bytes(), &line) != nil || line.Msg != "listening" {
			continue
		}
		switch line.Door {
		case "public":
			p.public = line.Addr
		case "admin":
			p.admin = line.Addr
			close(both)
		}
	}
}

// stop ends the server at once: a close of every connection, one by one, is not what is measured here.
func (p *pushd) stop() {
	p.http.CloseIdleConnections()
	p.cmd.Process.Kill()
	<-p.silent
	p.cmd.Wait()
}

// post publishes the messages, one for each head, in one request, and returns the status that it was answered with.
func (p *pushd) post(heads []string, size int) (status int, err error) {
	path, kind := "/v1/messages", "application/x-ndjson"
	var body bytes.Buffer
	for _, h := range heads {
		_, topic, _, err := parseHead([]byte(h))
		if err != nil {
			return 0, err
		}
		if len(heads) == 1 {
			path, kind = "/v1/topics/"+topicName(int(topic))+"/messages", "text/plain"
			body.WriteString(payload(h, size))
			break
		}
		fmt.Fprintf(&body, "{\"topic\":%q,\"text\":%q}\n", topicName(int(topic)), payload(h, size))
	}
	r, err := p.http.Post("http://"+p.admin+path, kind, &body)
	if err != nil {
		return 0, err
	}
	defer r.Body.Close()
	_, err = io.Copy(io.Discard, r.Body)
	return r.StatusCode, err
}

// metrics is what the server counts, by the name of the metric with its labels.
func (p *pushd) metrics() (map[string]float64, error) {
	text, err := p.get("/metrics")
	if err != nil {
		return nil, err
	}
	found := make(map[string]float64)
	for line := range strings.Lines(text) {
		at := strings.LastIndexByte(line, ' ')
		if at < 0 || line[0] == '#' {
			continue
		}
		if found[line[:at]], err = strconv.ParseFloat(strings.TrimSpace(line[at:]), 64); err != nil {
			return nil, fmt.Errorf("metrics: %q: %w", line, err)
		}
	}
	return found, nil
}

// closes is how many connections the server has closed with each code.
func (p *pushd) closes() (map[string]int, error) {
	metrics, err := p.metrics()
	codes := make(map[string]int)
	for name, n := range metrics {
		if code, ok := strings.CutPrefix(name, `pushd_closes_total{code="`); ok && n > 0 {
			codes[strings.TrimSuffix(code, `"}`)] = int(n)
		}
	}
	return codes, err
}

// heap is how many bytes the server's objects take that are in use. It has the collector run first, twice: what pools keep is
// given up only then.
func (p *pushd) heap() (float64, error) {
	for range 2 {
		if _, err := p.get("/debug/pprof/heap?gc=1"); err != nil {
			return 0, err
		}
	}
	metrics, err := p.metrics()
	return metrics["go_memstats_heap_alloc_bytes"], err
}

func (p *pushd) get(path string) (string, error) {
	r, err := p.http.Get("http://" + p.admin + path)
	if err != nil {
		return "", err
	}
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	if err == nil && r.StatusCode != http.StatusOK {
		err = fmt.Errorf("GET %s: %s, expected 200: %s", path, r.Status, body)
	}
	return string(body), err
}
