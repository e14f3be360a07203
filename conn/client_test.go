package conn_test

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"syscall"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// shortHead is the shortest handshake that is accepted.
const shortHead = "GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n" +
	"Sec-WebSocket-Key: " + sampleKey + "\r\n\r\n"

// client is the other end of a connection. What it is told to do must succeed.
type client struct {
	*net.TCPConn
	tb testing.TB
	r  *bufio.Reader
}

// dial connects. The connection is closed when the test ends, if not before.
func (s *server) dial(tb testing.TB) *client {
	tb.Helper()
	return s.dialBy(tb, net.Dialer{})
}

// dialSmall connects with a receive buffer of the smallest size, so that what is not read is soon not sent.
func (s *server) dialSmall(tb testing.TB) *client {
	tb.Helper()
	return s.dialBy(tb, net.Dialer{Control: func(_, _ string, raw syscall.RawConn) (err error) {
		return errors.Join(raw.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF, 2048) }), err)
	}})
}

func (s *server) dialBy(tb testing.TB, d net.Dialer) *client {
	tb.Helper()
	nc, err := d.Dial("tcp", s.listener.Addr().String())
	require.NoError(tb, err)
	require.NoError(tb, nc.SetDeadline(time.Now().Add(patience)))
	tb.Cleanup(func() { nc.Close() })
	return &client{nc.(*net.TCPConn), tb, bufio.NewReader(nc)}
}

// open connects and upgrades.
func (s *server) open(tb testing.TB) *client {
	tb.Helper()
	return s.dial(tb).upgrade()
}

func (c *client) upgrade() *client {
	c.tb.Helper()
	c.write(shortHead)
	c.upgraded()
	return c
}

func (c *client) write(s string) {
	c.tb.Helper()
	_, err := io.WriteString(c.TCPConn, s)
	require.NoError(c.tb, err)
}

// writeCut writes s in two pieces that the server reads one after the other. Nobody else may write to it meanwhile.
func (c *client) writeCut(s *server, text string, cut int) {
	c.tb.Helper()
	before := s.read()
	c.write(text[:cut])
	await(c.tb, "the first piece", func() bool { return s.read() == before+uint64(cut) })
	c.write(text[cut:])
}

// response reads an HTTP response, its body included.
func (c *client) response() (status int, body string) {
	c.tb.Helper()
	res, err := http.ReadResponse(c.r, nil)
	require.NoError(c.tb, err)
	if res.StatusCode == http.StatusSwitchingProtocols {
		require.Equal(c.tb, sampleAccept, res.Header.Get("Sec-WebSocket-Accept"))
		return res.StatusCode, ""
	}
	text, err := io.ReadAll(res.Body)
	require.NoError(c.tb, err)
	return res.StatusCode, string(text)
}

func (c *client) upgraded() {
	c.tb.Helper()
	status, body := c.response()
	require.Equal(c.tb, http.StatusSwitchingProtocols, status, body)
}

// next reads a frame and returns it as text, or how the stream has ended: EOF or RST.
func (c *client) next() string {
	c.tb.Helper()
	f, err := readFrame(c.r)
	switch {
	case err == io.EOF:
		return "EOF"
	case errors.Is(err, unix.ECONNRESET):
		return "RST"
	}
	require.NoError(c.tb, err)
	require.False(c.tb, f.Header.Masked, "RFC 6455 5.1: a server masks nothing")
	return describeFrame(f)
}

// readFrame reads a server's frame, whole.
func readFrame(r io.Reader) (f ws.Frame, err error) {
	if f.Header, err = ws.ReadHeader(r); err != nil {
		return f, err
	}
	f.Payload = make([]byte, f.Header.Length)
	if _, err = io.ReadFull(r, f.Payload); err == io.EOF { // of a frame begun
		err = io.ErrUnexpectedEOF
	}
	return f, err
}

func describeFrame(f ws.Frame) string {
	p := f.Payload
	switch f.Header.OpCode {
	case ws.OpText:
		return "text " + string(p)
	case ws.OpBinary:
		return "binary " + string(p)
	case ws.OpPing:
		return "ping " + string(p)
	case ws.OpPong:
		return "pong " + string(p)
	case ws.OpClose:
		if len(p) == 0 {
			return "close"
		}
		return fmt.Sprintf("close %d", binary.BigEndian.Uint16(p))
	}
	return fmt.Sprintf("opcode %d", f.Header.OpCode)
}

// rest reads until the stream ends.
func (c *client) rest() (frames []string) {
	c.tb.Helper()
	for {
		f := c.next()
		frames = append(frames, f)
		if f == "EOF" || f == "RST" {
			return frames
		}
	}
}

func (c *client) expect(want ...string) {
	c.tb.Helper()
	for _, w := range want {
		require.Equal(c.tb, w, c.next())
	}
}

// leave closes by the book.
func (c *client) leave() {
	c.tb.Helper()
	c.write(closing(ws.StatusNormalClosure, ""))
	c.expect("close 1000", "EOF")
	c.Close()
}

// reset closes with a reset.
func (c *client) reset() {
	c.tb.Helper()
	require.NoError(c.tb, c.SetLinger(0))
	require.NoError(c.tb, c.Close())
}

// mask is what the tests mask with.
var mask = [4]byte{0x37, 0xfa, 0x21, 0x3d}

// fragment returns a client's frame.
func fragment(op ws.OpCode, fin bool, payload string) string {
	return string(ws.MustCompileFrame(ws.MaskFrameWith(ws.NewFrame(op, fin, []byte(payload)), mask)))
}

func text(payload string) string          { return fragment(ws.OpText, true, payload) }
func binaryMessage(payload string) string { return fragment(ws.OpBinary, true, payload) }
func ping(payload string) string          { return fragment(ws.OpPing, true, payload) }
func pong(payload string) string          { return fragment(ws.OpPong, true, payload) }

func closing(code ws.StatusCode, reason string) string {
	return fragment(ws.OpClose, true, string(binary.BigEndian.AppendUint16(nil, uint16(code)))+reason)
}

// serverFrame returns a server's frame.
func serverFrame(op ws.OpCode, payload string) []byte {
	return ws.MustCompileFrame(ws.NewFrame(op, true, []byte(payload)))
}
