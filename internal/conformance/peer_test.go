package conformance_test

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

// peer is a client that says what it likes, and takes nothing that is not exactly
// as it has to be.
type peer struct {
	net.Conn
	t     testing.TB
	h     *host
	r     *bufio.Reader
	may   byte // bits that the server may set in the first byte of a message's frame, as was negotiated
	pings int
}

func newPeer(t testing.TB, h *host, c net.Conn) *peer {
	return &peer{Conn: c, t: t, h: h, r: bufio.NewReader(c)}
}

// leave resets: that leaves nothing waiting in the kernel, on either side.
func (p *peer) leave() {
	p.Conn.(*net.TCPConn).SetLinger(0)
	p.Close()
}

func (p *peer) send(b []byte) {
	p.t.Helper()
	p.SetWriteDeadline(time.Now().Add(patience))
	_, err := p.Write(b)
	require.NoError(p.t, err, "sending")
}

// pieces sends b cut at these places.
func (p *peer) pieces(b []byte, cuts ...int) {
	p.t.Helper()
	at := 0
	for _, cut := range cuts {
		p.send(b[at:cut])
		p.h.settled()
		at = cut
	}
	p.send(b[at:])
}

func (p *peer) read(n int) ([]byte, error) {
	p.SetReadDeadline(time.Now().Add(patience))
	b := make([]byte, n)
	_, err := io.ReadFull(p.r, b)
	return b, err
}

// next reads a frame, and fails the test where it is not one that a server may
// send (RFC 6455 5.1, 5.2, 5.5).
func (p *peer) next() frame {
	p.t.Helper()
	f, err := p.readFrame()
	require.NoError(p.t, err)
	return f
}

func (p *peer) readFrame() (f frame, err error) {
	head, err := p.read(2)
	if err != nil {
		return f, fmt.Errorf("waiting for a frame: %w", err)
	}
	first, length, least := head[0], uint64(head[1]&0x7f), uint64(0)
	if head[1]&0x80 != 0 {
		return f, errors.New("the server's frame is masked (RFC 6455 5.1)")
	}
	if length >= 126 {
		size := 2
		least = 126
		if length == 127 {
			size, least = 8, 1<<16
		}
		more, err := p.read(size)
		if err != nil {
			return f, err
		}
		length = binary.BigEndian.Uint64(append(make([]byte, 8-size), more...))
	}
	switch op := first & 0x0f; {
	case length < least:
		return f, fmt.Errorf("a length of %d in more bytes than it takes (5.2)", length)
	case length > 1<<20:
		return f, fmt.Errorf("a length of %d (5.2)", length)
	case op > binaryData && op < closing || op > pong:
		return f, fmt.Errorf("opcode %#x is reserved (5.2)", op)
	case op >= closing && (first&^0x0f != fin || length > 125):
		return f, fmt.Errorf("a control frame begins with %#x and has %d bytes (5.5)", first, length)
	case first&0x70&^p.may != 0:
		return f, fmt.Errorf("reserved bits in %#x that were not negotiated (5.2)", first)
	}
	payload, err := p.read(int(length))
	return frame{first, string(payload)}, err
}

// gets expects these frames, in this order, and nothing between them.
func (p *peer) gets(frames ...frame) {
	p.t.Helper()
	for _, want := range frames {
		if got := p.next(); got != want {
			require.FailNow(p.t, "another frame", "expected %v\ngot      %v", want, got)
		}
	}
}

// lives expects that the connection goes on: a ping is answered, and nothing
// comes before that.
func (p *peer) lives() {
	p.t.Helper()
	p.pings++
	payload := fmt.Sprintf("still there %d", p.pings)
	p.send(masked(fin|ping, payload))
	p.gets(frame{fin | pong, payload})
}

// closed expects a close frame with the code, then the end of the TCP connection,
// by the server and in order, and nothing between them (RFC 6455 5.5.1, 7.1.1).
// 1005 is a close frame without a code. It returns the reason.
func (p *peer) closed(code int) (reason string) {
	p.t.Helper()
	f := p.next()
	require.Equal(p.t, byte(fin|closing), f.first, "expected a close frame with %d, got %v", code, f)
	if code == 1005 {
		require.Empty(p.t, f.payload, "a close frame without a code was to come")
	} else {
		require.GreaterOrEqual(p.t, len(f.payload), 2, "a close frame without a code")
		require.Equal(p.t, code, int(binary.BigEndian.Uint16([]byte(f.payload))), "the close code; reason %q", f.payload[2:])
		reason = f.payload[2:]
		require.True(p.t, utf8.ValidString(reason), "the reason is not UTF-8 (5.5.1)")
	}
	p.ended()
	return reason
}

// ended expects the server's FIN, and nothing before it.
func (p *peer) ended() {
	p.t.Helper()
	_, err := p.read(1)
	require.ErrorIs(p.t, err, io.EOF, "the server was to end the TCP connection, in order")
}

// answer is the head of an HTTP response.
type answer struct {
	status string // its first line
	fields []string
}

// head reads one: lines that end in CRLF.
func (p *peer) head() (a answer) {
	p.t.Helper()
	p.SetReadDeadline(time.Now().Add(patience))
	for {
		line, err := p.r.ReadString('\n')
		require.NoError(p.t, err, "waiting for an HTTP response")
		require.True(p.t, strings.HasSuffix(line, "\r\n"), "%q", line)
		switch line = strings.TrimSuffix(line, "\r\n"); {
		case line == "":
			return a
		case a.status == "":
			a.status = line
		default:
			a.fields = append(a.fields, line)
		}
	}
}

// all returns the values of a header.
func (a answer) all(name string) (values []string) {
	for _, field := range a.fields {
		n, value, _ := strings.Cut(field, ":")
		if strings.EqualFold(n, name) {
			values = append(values, strings.TrimSpace(value))
		}
	}
	return values
}
