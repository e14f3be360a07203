package hostile_test

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// peer is a client that says what it likes, byte by byte, and knows a close frame when it sees one.
type peer struct {
	net.Conn
	in   *bufio.Reader
	told atomic.Bool // the server's close frame has come
}

const (
	opContinuation = 0x0
	opText         = 0x1
	opBinary       = 0x2
	opClose        = 0x8
	opPing         = 0x9
	opPong         = 0xa
	fin            = 0x80
	rsv1           = 0x40
)

// key is the one of RFC 6455 section 1.3: what is in it does not matter.
const handshake = " HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
	"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"

const deflate = "Sec-WebSocket-Extensions: permessage-deflate\r\n"

// dial connects and says nothing.
func dial(address string) (*peer, error) { return dialBy(&net.Dialer{}, address) }

func dialBy(d *net.Dialer, address string) (*peer, error) {
	d.Timeout = patience
	c, err := d.Dial("tcp", address)
	if err != nil {
		return nil, err
	}
	c.SetDeadline(time.Now().Add(patience))
	return &peer{Conn: c, in: bufio.NewReaderSize(c, 512)}, nil
}

// open connects to target, such as /echo, with more header lines, and waits for the 101.
func open(address, target, headers string) (*peer, error) {
	p, err := dial(address)
	if err != nil {
		return nil, err
	}
	return p.open(target, headers)
}

// openNarrow is open with a receive buffer as small as the kernel makes it.
func openNarrow(address, target string) (*peer, error) {
	p, err := dialBy(&net.Dialer{Control: func(_, _ string, c syscall.RawConn) (err error) {
		c.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF, 1) })
		return err
	}}, address)
	if err != nil {
		return nil, err
	}
	return p.open(target, "")
}

func (p *peer) open(target, headers string) (*peer, error) {
	_, err := io.WriteString(p, "GET "+target+handshake+headers+"\r\n")
	if err == nil {
		err = p.upgraded()
	}
	if err != nil {
		p.Close()
		return nil, err
	}
	return p, nil
}

func (p *peer) upgraded() error {
	status, err := p.status()
	if err == nil && status != http.StatusSwitchingProtocols {
		err = fmt.Errorf("status %d, expected 101", status)
	}
	return err
}

// status reads an answer's head.
func (p *peer) status() (int, error) {
	r, err := http.ReadResponse(p.in, nil)
	if err != nil {
		return 0, err
	}
	if r.StatusCode != http.StatusSwitchingProtocols {
		io.Copy(io.Discard, r.Body)
	}
	return r.StatusCode, nil
}

// head is the header of a frame whose mask is four zeros, so that its payload stays as it is. first is opcode and flags; length is
// written as given, in as few bytes as it takes.
func head(first byte, length uint64) []byte {
	b := []byte{first}
	switch {
	case length < 126:
		b = append(b, 0x80|byte(length))
	case length < 1<<16:
		b = binary.BigEndian.AppendUint16(append(b, 0x80|126), uint16(length))
	default:
		b = binary.BigEndian.AppendUint64(append(b, 0x80|127), length)
	}
	return append(b, 0, 0, 0, 0)
}

// frame is a whole one.
func frame(first byte, payload string) []byte {
	return append(head(first, uint64(len(payload))), payload...)
}

// next reads a frame of the server's.
func (p *peer) next() (op byte, payload string, err error) {
	first, err := p.in.ReadByte()
	if err != nil {
		return 0, "", err
	}
	second, err := p.in.ReadByte()
	if err != nil {
		return 0, "", io.ErrUnexpectedEOF
	}
	if first&fin == 0 || second&0x80 != 0 {
		return 0, "", fmt.Errorf("a frame that begins with %#x %#x: expected it whole and not masked", first, second)
	}
	length, long := uint64(second), [8]byte{}
	switch {
	case length == 126:
		_, err = io.ReadFull(p.in, long[:2])
		length = uint64(binary.BigEndian.Uint16(long[:]))
	case length == 127:
		_, err = io.ReadFull(p.in, long[:])
		length = binary.BigEndian.Uint64(long[:])
	}
	if err != nil {
		return 0, "", err
	}
	if length > 1<<24 {
		return 0, "", fmt.Errorf("a frame of %d bytes", length)
	}
	b := make([]byte, length)
	_, err = io.ReadFull(p.in, b)
	return first & 0x0f, string(b), err
}

// closeCode reads up to the server's close frame, and returns its code. What comes before is passed over.
func (p *peer) closeCode() (int, error) {
	for {
		op, payload, err := p.next()
		switch {
		case err != nil:
			return 0, fmt.Errorf("waiting for a close frame: %w", err)
		case op != opClose:
			continue
		}
		p.told.Store(true)
		if len(payload) < 2 {
			return 1005, nil
		}
		return int(binary.BigEndian.Uint16([]byte(payload))), nil
	}
}

// ended reads the server's FIN, behind which there is nothing.
func (p *peer) ended() error {
	if n, err := io.Copy(io.Discard, p.in); err != nil && !errors.Is(err, syscall.ECONNRESET) || n > 0 {
		return fmt.Errorf("behind the last frame: %d bytes, %v; expected FIN", n, err)
	}
	return nil
}

// pour says b so many times, or until it is told that this is enough. That it is cut off is no error.
func (p *peer) pour(b []byte, times int) error {
	for range times {
		if p.told.Load() {
			return nil
		}
		if _, err := p.Write(b); err != nil {
			if errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, net.ErrClosed) {
				return nil
			}
			return err
		}
	}
	return nil
}

// pourUntil says first, and then more again and again, until it is told to stop with the code wanted. Then it answers, and the
// server has to close.
func (p *peer) pourUntil(want int, first, more []byte, times int) error {
	poured := make(chan error, 1)
	go func() {
		err := p.pour(first, 1)
		if err == nil {
			err = p.pour(more, times)
		}
		poured <- err
	}()
	code, err := p.closeCode()
	if err == nil && code != want {
		err = fmt.Errorf("closed with %d, expected %d", code, want)
	}
	if err != nil {
		p.reset()
		<-poured
		return err
	}
	if err := <-poured; err != nil {
		return err
	}
	p.Write(frame(fin|opClose, "\x03\xe8")) // in vain where the server does not read any more
	return p.ended()
}

// reset has the server see ECONNRESET.
func (p *peer) reset() {
	p.Conn.(*net.TCPConn).SetLinger(0)
	p.Close()
}
