package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"
)

// request is what a role is asked for; one field is set. Each gets one answer before the next is made.
type request struct {
	Open   *opening  `json:",omitempty"` // of a crowd
	Count  *counting `json:",omitempty"`
	Accept *accept   `json:",omitempty"` // of a floor
	Send   *send     `json:",omitempty"`
}

// roles are what this program is when it is started with their name as its only argument. Each ends when in does.
var roles = map[string]func(in io.Reader, out io.Writer) error{
	"crowd": runCrowd,
	"floor": runFloor,
}

// requests gives each request of in to do, until in ends or do fails.
func requests(in io.Reader, do func(request) error) error {
	for d := json.NewDecoder(in); ; {
		var r request
		switch err := d.Decode(&r); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("read a request: %w", err)
		}
		if err := do(r); err != nil {
			return err
		}
	}
}

func answers(out io.Writer) func(any) error { return json.NewEncoder(out).Encode }

// worker is a process of this program in one of its roles.
type worker struct {
	role string
	cmd  *exec.Cmd
	in   io.WriteCloser
	out  *json.Decoder
}

// start begins a process of a role, which ends with ctx at the latest.
func start(ctx context.Context, role string) (*worker, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	w := &worker{role: role, cmd: exec.CommandContext(ctx, self, role)}
	w.cmd.Stderr = os.Stderr
	w.cmd.WaitDelay = time.Second
	if w.in, err = w.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := w.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	w.out = json.NewDecoder(out)
	if err := w.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the %s: %w", role, err)
	}
	return w, nil
}

// ask makes a request and waits for its answer. One goroutine at a time may ask.
func (w *worker) ask(r request, answer any) error {
	if err := json.NewEncoder(w.in).Encode(r); err != nil {
		return fmt.Errorf("ask the %s: %w", w.role, err)
	}
	if err := w.out.Decode(answer); err != nil {
		return fmt.Errorf("the %s has not answered (it says why on standard error): %w", w.role, err)
	}
	return nil
}

// stop ends the process and waits for it.
func (w *worker) stop() {
	w.in.Close()
	kill := time.AfterFunc(5*time.Second, func() { w.cmd.Process.Kill() })
	defer kill.Stop()
	w.cmd.Wait()
}
