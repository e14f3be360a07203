package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"time"

	"github.com/pushd/pushd/internal/scale/told"
	"github.com/pushd/pushd/loadgen/report"
)

// topic is what all clients subscribe to.
const topic = "scale"

// steps is how many parts of the whole are told.
const steps = 10

// nobody is whom the clients run as, so that they are no part of the server's figures and cannot look into it: the generator
// would count its descriptors once a second.
const nobody = 65534

// hold has n clients connect, publishes to them, and tells what that costs.
func (s *server) hold(ctx context.Context, o order, tell func(told.Line) error) error {
	empty, err := s.look(ctx)
	if err != nil {
		return err
	}
	if err := tell(told.Line{Step: &empty}); err != nil {
		return err
	}
	var out bytes.Buffer
	crowd := exec.CommandContext(ctx, "/pushd", "loadgen", "fanout", "--url", "ws://"+public+"/ws?topic={topic}", "--topic", topic,
		"--admin", "", "--publish-url", "http://"+admin+"/v1/topics/{topic}/messages", "--publish-header", "Content-Type: application/octet-stream",
		"-n", strconv.Itoa(o.n), "--timeout", "1m", "--patience", "1m",
		"--messages", strconv.Itoa(o.messages), "--rate", fmt.Sprint(1/o.apart.Seconds()), "--json", "-")
	crowd.Stdout, crowd.Stderr = &out, struct{ io.Writer }{os.Stderr} // a pipe: lines, and not one that changes
	crowd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	s.began = time.Now()
	if err := crowd.Start(); err != nil {
		return err
	}
	left := make(chan error, 1)
	go func() { left <- crowd.Wait() }()
	if err := s.watch(ctx, o.n, left, tell); err != nil {
		return err
	}
	r, err := report.Read(&out)
	if err != nil {
		return err
	}
	r.Series, r.Histograms = report.Series{}, nil // megabytes, for a serial port
	return tell(told.Line{Report: r})
}

// watch looks once a second, and tells of each tenth of n and, when the clients have begun to leave, of the last time that all
// were there. It returns when they have left.
func (s *server) watch(ctx context.Context, n int, left <-chan error, tell func(told.Line) error) error {
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	next := 1
	var full *told.Step
	for {
		select {
		case err := <-left:
			if err != nil {
				err = fmt.Errorf("pushd loadgen: %w", errors.Join(err, ctx.Err()))
			}
			return err
		case err := <-s.ended:
			return fmt.Errorf("the server has ended: %w", err)
		case <-ticker.C:
		}
		step, err := s.look(ctx)
		if err != nil {
			return err
		}
		switch {
		case next <= steps && step.Connections*steps >= n*next:
			next = step.Connections*steps/n + 1
			err = tell(told.Line{Step: &step})
		case step.Connections >= n:
			step.Delivered = true
			full = &step
		case full != nil:
			err = tell(told.Line{Step: full})
			full = nil
		}
		if err != nil {
			return err
		}
	}
}
