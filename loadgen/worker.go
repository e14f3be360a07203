package loadgen

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"

	"github.com/pushd/pushd/netpoll"
)

// Work is the life of a worker: it reads its plan and then orders from in, and
// writes what its clients see to out, until in ends. Both are JSON, a line each.
func Work(in io.Reader, out io.Writer) error {
	d := json.NewDecoder(in)
	var p plan
	if err := d.Decode(&p); err != nil {
		return fmt.Errorf("read the plan: %w", err)
	}
	poller, err := netpoll.Open()
	if err != nil {
		return err
	}
	defer poller.Close()
	orders := make(chan order, 16)
	broken := make(chan error, 1)
	go func() {
		defer close(orders)
		for {
			var o order
			if err := d.Decode(&o); err != nil {
				if errors.Is(err, io.EOF) || errors.Is(err, io.ErrClosedPipe) {
					err = nil
				}
				broken <- errors.Join(err, poller.Wake())
				return
			}
			orders <- o
			if err := poller.Wake(); err != nil {
				broken <- err
				return
			}
		}
	}()
	buffered := bufio.NewWriter(out)
	encode := json.NewEncoder(buffered)
	err = newCrowd(p, orders, poller, func(t tick) error { return errors.Join(encode.Encode(t), buffered.Flush()) }).run()
	if err != nil {
		return err // whoever gives orders learns of it by the end of out
	}
	return <-broken
}

// crew is a worker as seen by who gives it orders.
type crew struct {
	first, n int
	encode   *json.Encoder
	in       io.WriteCloser
	ticks    *json.Decoder
	wait     func() error
	sent     int // orders
	last     tick
}

// hire starts a worker with its plan: a process where command is given, else
// in this one. It ends when its in is closed.
func hire(command []string, p plan) (*crew, error) {
	c := &crew{first: p.First, n: p.N}
	var out io.Reader
	if len(command) == 0 {
		inR, inW := io.Pipe()
		outR, outW := io.Pipe()
		ended := make(chan error, 1)
		go func() {
			err := Work(inR, outW)
			outW.CloseWithError(err)
			inR.CloseWithError(err)
			ended <- err
		}()
		c.in, out, c.wait = inW, outR, func() error { return <-ended }
	} else {
		cmd := exec.Command(command[0], command[1:]...)
		cmd.Stderr = os.Stderr
		cmd.SysProcAttr = ownGroup() // Ctrl-C is for who started it
		in, err := cmd.StdinPipe()
		if err != nil {
			return nil, err
		}
		if out, err = cmd.StdoutPipe(); err != nil {
			return nil, err
		}
		if err := cmd.Start(); err != nil {
			return nil, fmt.Errorf("start a worker: %w", err)
		}
		c.in = in
		c.wait = func() error {
			kill := time.AfterFunc(10*time.Second, func() { cmd.Process.Kill() })
			defer kill.Stop()
			return cmd.Wait()
		}
	}
	c.encode, c.ticks = json.NewEncoder(c.in), json.NewDecoder(bufio.NewReader(out))
	if err := c.encode.Encode(p); err != nil {
		return nil, errors.Join(fmt.Errorf("tell a worker its plan: %w", err), c.in.Close(), c.wait())
	}
	return c, nil
}
