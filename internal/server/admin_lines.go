package server

import (
	"bytes"
	"io"

	"github.com/pushd/pushd/pool"
)

// lineReader cuts a stream into lines, however long the stream.
type lineReader struct {
	src     io.Reader
	limit   int          // bytes of a line; a longer one is skipped, not kept
	wait    func() error // called before each read from src: no whole line is left
	buffers *pool.Buffers

	buf     []byte // buf[at:end] was read and not yet handed out
	at, end int
	seen    int // bytes behind at that hold no line break
	err     error
}

const lineBuffer = 64 << 10

func newLineReader(src io.Reader, limit int, buffers *pool.Buffers, wait func() error) *lineReader {
	l := &lineReader{src: src, limit: limit, wait: wait, buffers: buffers}
	l.buf = buffers.Get(lineBuffer)
	l.buf = l.buf[:cap(l.buf)]
	return l
}

// close gives the buffer back. Lines are not valid any more.
func (l *lineReader) close() { l.buffers.Put(l.buf) }

// next returns a line without its line break, valid until the next call; of one
// longer than limit it only says so. The last line needs no line break. The
// error is io.EOF at the end of the stream, or what src or wait returned; what
// was begun before an error is not a line.
func (l *lineReader) next() (line []byte, long bool, err error) {
	for {
		if i := bytes.IndexByte(l.buf[l.at+l.seen:l.end], '\n'); i >= 0 {
			n := l.seen + i
			line = l.buf[l.at : l.at+n]
			l.at, l.seen = l.at+n+1, 0
			return l.cut(line, long)
		}
		l.seen = l.end - l.at
		if l.seen > l.limit { // keep nothing of it
			long, l.at, l.end, l.seen = true, 0, 0, 0
		}
		if l.err == io.EOF && (l.seen > 0 || long) {
			line = l.buf[l.at:l.end]
			l.at, l.seen = l.end, 0
			return l.cut(line, long)
		}
		if l.err != nil {
			return nil, false, l.err
		}
		l.fill()
	}
}

func (l *lineReader) cut(line []byte, long bool) ([]byte, bool, error) {
	if long || len(line) > l.limit {
		return nil, true, nil
	}
	return line, false, nil
}

// fill reads once, behind what is there.
func (l *lineReader) fill() {
	if l.err = l.wait(); l.err != nil {
		return
	}
	if l.at > 0 {
		l.end = copy(l.buf, l.buf[l.at:l.end])
		l.at = 0
	}
	if l.end == len(l.buf) { // one line, and not above the limit yet
		buf := l.buffers.Get(2 * len(l.buf))
		buf = buf[:cap(buf)]
		copy(buf, l.buf)
		l.buffers.Put(l.buf)
		l.buf = buf
	}
	n, err := l.src.Read(l.buf[l.end:])
	l.end += n
	l.err = err
}
