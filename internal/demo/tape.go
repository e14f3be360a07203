package demo

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"time"
)

const (
	maxLine = 1 << 20         // bytes of one line of a tape
	rewind  = 1 * time.Second // silence between the end of a tape and its next beginning
)

// An Opener gives the tape from its beginning; whoever calls it closes what it returns.
type Opener func() (io.ReadCloser, error)

// File opens the NDJSON file at path, gzip or plain.
func File(path string) Opener {
	return func() (io.ReadCloser, error) {
		f, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		buf := bufio.NewReader(f)
		if magic, _ := buf.Peek(2); !bytes.Equal(magic, []byte{0x1f, 0x8b}) { // RFC 1952 2.3.1
			return struct {
				io.Reader
				io.Closer
			}{buf, f}, nil
		}
		z, err := gzip.NewReader(buf)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("%s: %w", path, err), f.Close())
		}
		return struct {
			io.Reader
			io.Closer
		}{z, f}, nil
	}
}

// Tape publishes a recording to p with its own timing until ctx ends, and begins again at its end. A line is
// {"at":SECONDS,"topic":T,"data":JSON}; T is published to below [Prefix], with no key. speed 2 is twice as fast. It
// returns nil when ctx has ended, else what p, the file or a bad line says; the line's number is in the error.
func Tape(ctx context.Context, p Publisher, open Opener, speed float64) error {
	if !(speed > 0) || math.IsInf(speed, 0) {
		return fmt.Errorf("demo: tape: speed %v is not a positive number", speed)
	}
	pace := newPacer(catchUp)
	defer pace.stop()
	for {
		var last float64
		err := lines(open, func(l line) error {
			gap := time.Duration((l.At - last) / speed * float64(time.Second))
			if last = l.At; !pace.wait(ctx, gap) {
				return ctx.Err()
			}
			if err := p.Publish(ctx, Prefix+l.Topic, "", l.Data); err != nil {
				return fmt.Errorf("publish to %s: %w", Prefix+l.Topic, err)
			}
			return nil
		})
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return fmt.Errorf("demo: tape: %w", err)
		}
		if !pace.wait(ctx, rewind) {
			return nil
		}
	}
}

// Topics reads a whole tape, checks every line of it, and returns the topics that [Tape] publishes to, sorted.
func Topics(open Opener) ([]string, error) {
	seen := map[string]struct{}{}
	err := lines(open, func(l line) error {
		seen[Prefix+l.Topic] = struct{}{}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("demo: tape: %w", err)
	}
	topics := make([]string, 0, len(seen))
	for t := range seen {
		topics = append(topics, t)
	}
	slices.Sort(topics)
	return topics, nil
}

type line struct {
	At    float64         `json:"at"`
	Topic string          `json:"topic"`
	Data  json.RawMessage `json:"data"` // a copy: Unmarshal does not keep its input
}

// lines calls f with each line of the tape in turn, up to the first error.
func lines(open Opener, f func(line) error) error {
	r, err := open()
	if err != nil {
		return err
	}
	defer r.Close()
	s := bufio.NewScanner(r)
	s.Buffer(nil, maxLine)
	var n, count int
	var last float64
	for s.Scan() {
		n++
		if len(bytes.TrimSpace(s.Bytes())) == 0 {
			continue
		}
		l, err := parse(s.Bytes(), last)
		if err != nil {
			return fmt.Errorf("line %d: %w", n, err)
		}
		last = l.At
		count++
		if err := f(l); err != nil {
			return err
		}
	}
	if err := s.Err(); errors.Is(err, bufio.ErrTooLong) {
		return fmt.Errorf("line %d: longer than %d bytes", n+1, maxLine)
	} else if err != nil {
		return fmt.Errorf("line %d: %w", n+1, err)
	}
	if count == 0 {
		return errors.New(`no line, want {"at":SECONDS,"topic":T,"data":JSON}`)
	}
	return nil
}

func parse(b []byte, last float64) (line, error) {
	var l line
	if err := json.Unmarshal(b, &l); err != nil {
		return l, fmt.Errorf(`%w, want {"at":SECONDS,"topic":T,"data":JSON}`, err)
	}
	switch {
	case l.Topic == "":
		return l, errors.New(`no "topic"`)
	case l.Data == nil:
		return l, errors.New(`no "data"`)
	case l.At < last:
		return l, fmt.Errorf(`"at" goes back from %v to %v, want seconds from the beginning in order`, last, l.At)
	}
	return l, nil
}
