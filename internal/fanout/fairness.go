package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// probesASecond is how often each probe asks.
const probesASecond = 50

// probe is something that others want of the server meanwhile.
type probe struct {
	name string
	ask  func() error
}

// fairness measures how long others wait while a topic with o.conns subscribers is published to, and while it is not.
func fairness(ctx context.Context, o *options) (*table, error) {
	const size = 128
	floor, err := floorRate(ctx, o.conns, size)
	if err != nil {
		return nil, err
	}
	s, err := crowded(ctx, o, o.conns, size)
	if err != nil {
		return nil, err
	}
	defer s.stop()
	idle, err := net.Dial("tcp", s.server.public)
	if err != nil {
		return nil, err
	}
	defer idle.Close()
	answers := bufio.NewReader(idle)
	if err := handshake(idle, answers); err != nil {
		return nil, err
	}
	probes := []probe{
		{"accept to 101", func() error { return acceptProbe(s.server.public) }},
		{"ping to pong", func() error { return pingProbe(idle, answers) }},
		{"GET /v1/topics", func() error { _, err := s.server.get("/v1/topics"); return err }},
	}
	while := 2 * o.while()
	quiet, err := ask(ctx, probes, while)
	if err != nil {
		return nil, err
	}
	var busy []histogram
	probed := make(chan error, 1)
	go func() {
		var err error
		busy, err = ask(ctx, probes, while)
		probed <- err
	}()
	t, err := s.paced(ctx, messages(1, 1), floor/2, while)
	if err = errors.Join(err, <-probed); err != nil {
		return nil, err
	}
	if t.lost+t.Extra > 0 {
		return nil, fmt.Errorf("%d deliveries lost, %d extra: expected none", t.lost, t.Extra)
	}
	table := &table{head: []string{"", "asked", "quiet p50, ms", "quiet p99, ms", "p50, ms", "p99, ms", "at worst, ms"}}
	for i, p := range probes {
		q, b := &quiet[i], &busy[i]
		table.add(p.name, commas(int(b.total)), figure(milliseconds(q.quantile(0.5))), figure(milliseconds(q.quantile(0.99))),
			figure(milliseconds(b.quantile(0.5))), figure(milliseconds(b.quantile(0.99))), figure(milliseconds(b.max)))
	}
	table.notes = []string{fmt.Sprintf("%s subscribers get %s messages a second of %d bytes: half the floor's rate. *Quiet* is the same without them. Lost %d, extra %d.",
		commas(o.conns), figure(floor/2), size, t.lost, t.Extra)}
	return table, nil
}

// ask has every probe ask at its pace, and returns how long each waited.
func ask(ctx context.Context, probes []probe, while time.Duration) ([]histogram, error) {
	waits := make([]histogram, len(probes))
	done := make(chan error, len(probes))
	for i, p := range probes {
		go func() {
			_, err := pace(ctx, probesASecond, while, func() error {
				asked := time.Now()
				err := p.ask()
				waits[i].add(time.Since(asked))
				return err
			})
			if err != nil {
				err = fmt.Errorf("%s: %w", p.name, err)
			}
			done <- err
		}()
	}
	var errs []error
	for range probes {
		errs = append(errs, <-done)
	}
	return waits, errors.Join(errs...)
}

// acceptProbe connects, is upgraded, and resets the connection.
func acceptProbe(address string) error {
	c, err := net.Dial("tcp", address)
	if err != nil {
		return err
	}
	defer c.Close()
	return errors.Join(handshake(c, bufio.NewReader(c)), c.(*net.TCPConn).SetLinger(0))
}

// handshake subscribes to a topic that nobody publishes to.
func handshake(c net.Conn, r *bufio.Reader) error {
	c.SetDeadline(time.Now().Add(patience))
	if _, err := io.WriteString(c, "GET /ws?topic=quiet HTTP/1.1\r\nHost: localhost\r\n"+upgradeHeader+"\r\n"); err != nil {
		return err
	}
	answer, err := http.ReadResponse(r, nil)
	if err == nil && answer.StatusCode != http.StatusSwitchingProtocols {
		err = fmt.Errorf("handshake: %s: expected 101", answer.Status)
	}
	return err
}

// pingProbe sends a ping and awaits its pong (RFC 6455 sections 5.5.2 and 5.5.3). The mask is of zeros.
func pingProbe(c net.Conn, r *bufio.Reader) error {
	c.SetDeadline(time.Now().Add(patience))
	if _, err := c.Write([]byte{pingFrame, 0x80 | 4, 0, 0, 0, 0, 'p', 'i', 'n', 'g'}); err != nil {
		return err
	}
	var pong [6]byte
	if _, err := io.ReadFull(r, pong[:]); err != nil {
		return err
	}
	if string(pong[:]) != "\x8a\x04ping" {
		return fmt.Errorf("got %q: expected the pong", pong)
	}
	return nil
}
