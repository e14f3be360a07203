package client

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"
)

const (
	maxLine      = 1 << 20   // bytes of one line
	maxBatch     = 256 << 10 // bytes of one request, unless one line alone is longer
	maxBatchSize = 5000      // lines of one request
)

// batch is lines to be sent in one request.
type batch struct {
	body    []byte
	ends    []int // where in body each line ends, behind its newline
	numbers []int // each line's number in the input, from 1
}

func (b *batch) add(line []byte, number int) {
	b.body = append(append(b.body, line...), '\n')
	b.ends = append(b.ends, len(b.body))
	b.numbers = append(b.numbers, number)
}

func (b *batch) reset() { b.body, b.ends, b.numbers = b.body[:0], b.ends[:0], b.numbers[:0] }

func (b *batch) full() bool { return len(b.body) >= maxBatch || len(b.ends) >= maxBatchSize }

// rest is what remains after the first n lines.
func (b *batch) rest(n int) batch {
	if n == 0 {
		return *b
	}
	r := batch{body: b.body[b.ends[n-1]:], numbers: b.numbers[n:]}
	for _, end := range b.ends[n:] {
		r.ends = append(r.ends, end-b.ends[n-1])
	}
	return r
}

// lineReader reads lines that are not blank and counts all.
type lineReader struct {
	br     *bufio.Reader
	number int // of the line last returned
}

// next returns a line, valid until the following call, or io.EOF.
func (r *lineReader) next() ([]byte, error) {
	for {
		line, err := r.br.ReadSlice('\n')
		r.number++
		if errors.Is(err, bufio.ErrBufferFull) {
			return nil, fmt.Errorf("line %d is longer than %d bytes", r.number, maxLine)
		}
		if line = bytes.TrimSpace(line); len(line) > 0 {
			return line, nil // an error will come again
		}
		if err != nil {
			return nil, err
		}
	}
}

// waits reports whether the next line would have to be waited for, so that
// what has come must not wait with it.
func (r *lineReader) waits() bool {
	b, _ := r.br.Peek(r.br.Buffered())
	return bytes.IndexByte(b, '\n') < 0
}

// schedule gives lines the moments at which they are due.
type schedule struct {
	pace   float64 // how many times as fast as recorded; 0 means at once
	start  time.Time
	origin float64
	begun  bool
}

// due reads the line's own "at", in seconds, against the first line's. Due
// moments are reckoned from the start, not from the line before, so that
// delays do not add up. A line without "at" is due at once.
func (s *schedule) due(line []byte, now time.Time) time.Time {
	var own struct {
		At *float64 `json:"at"`
	}
	if s.pace == 0 || json.Unmarshal(line, &own) != nil || own.At == nil {
		return now
	}
	if !s.begun {
		s.begun, s.start, s.origin = true, now, *own.At
	}
	return s.start.Add(time.Duration((*own.At - s.origin) / s.pace * float64(time.Second)))
}

func newLineReader(r io.Reader) *lineReader {
	return &lineReader{br: bufio.NewReaderSize(r, maxLine)}
}
