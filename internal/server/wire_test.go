package server_test

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"time"

	"github.com/gobwas/ws"
	"golang.org/x/sys/unix"
)

// patience is how long a client waits on a machine that has much to do.
const patience = 2 * time.Minute

// wire is the client's end of a WebSocket that can stop reading at any byte,
// and go on there.
type wire struct {
	net.Conn
	buf []byte
	in  []byte // of buf: received, and not taken
}

// dialWire opens one whose receive buffer is of so many bytes; 0 leaves it to the
// kernel. It returns the status that the server answered with.
func dialWire(address, protocol, query string, buffer int) (w *wire, status int, err error) {
	dialer := ws.Dialer{Timeout: patience, NetDial: (&net.Dialer{Control: func(_, _ string, c syscall.RawConn) (err error) {
		if buffer > 0 { // before connect(2), which settles the window: tcp(7)
			c.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF, buffer) })
		}
		return err
	}}).DialContext}
	if protocol != "" {
		dialer.Protocols = []string{protocol}
	}
	c, early, _, err := dialer.Dial(context.Background(), "ws://"+address+"/ws?"+query)
	if err != nil {
		if refused, ok := errors.AsType[ws.StatusError](err); ok {
			status = int(refused)
		}
		return nil, status, err
	}
	w = &wire{Conn: c}
	if early != nil { // frames that came with the answer
		w.in = make([]byte, early.Buffered())
		io.ReadFull(early, w.in)
		ws.PutReader(early)
	}
	return w, 101, nil
}

// say sends a frame.
func (w *wire) say(op ws.OpCode, payload string) error {
	w.SetWriteDeadline(time.Now().Add(patience))
	_, err := w.Write(ws.MustCompileFrame(ws.MaskFrameInPlace(ws.NewFrame(op, true, []byte(payload)))))
	return err
}

// more receives at most n bytes, or what comes until the deadline, which is no
// error.
func (w *wire) more(n int, deadline time.Time) error {
	w.SetReadDeadline(deadline)
	was := len(w.in)
	if cap(w.in) < was+n {
		if cap(w.buf) < was+n {
			w.buf = make([]byte, was+n, 2*was+n)
		}
		w.in = append(w.buf[:0], w.in...)
	}
	n, err := w.Read(w.in[was : was+n])
	w.in = w.in[:was+n]
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return nil
	}
	return err
}

// next takes the next frame of what was received, if it is whole. The payload
// is valid until more is called.
func (w *wire) next() (op ws.OpCode, payload []byte, ok bool) {
	b, head := w.in, 2
	if len(b) < 2 {
		return 0, nil, false
	}
	size := uint64(b[1])
	switch {
	case size == 126 && len(b) >= 4:
		size, head = uint64(binary.BigEndian.Uint16(b[2:])), 4
	case size == 127 && len(b) >= 10:
		size, head = binary.BigEndian.Uint64(b[2:]), 10
	case size >= 126:
		return 0, nil, false
	}
	if uint64(len(b)) < uint64(head)+size {
		return 0, nil, false
	}
	end := head + int(size)
	w.in = b[end:]
	return ws.OpCode(b[0] & 15), b[head:end:end], true
}

// hear waits for the next frame.
func (w *wire) hear() (op ws.OpCode, payload []byte, err error) {
	for deadline := time.Now().Add(patience); ; {
		op, payload, ok := w.next()
		if ok {
			return op, payload, nil
		}
		if time.Now().After(deadline) {
			return 0, nil, os.ErrDeadlineExceeded
		}
		if err := w.more(4096, deadline); err != nil {
			return 0, nil, err
		}
	}
}

// reset has the peer see ECONNRESET.
func (w *wire) reset() {
	w.Conn.(*net.TCPConn).SetLinger(0)
	w.Close()
}
