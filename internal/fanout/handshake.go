package main

import (
	"bytes"
	"fmt"
	"net/netip"
	"os"

	"golang.org/x/sys/unix"
)

// connect opens the next subscriber of the opening under way and sends its handshake.
func (c *crowd) connect() error {
	o := &c.opening
	i := len(c.members)
	m := member{state: shaking}
	fd, err := dial(o.Address, i-o.from < o.Stuck)
	if err != nil {
		return fmt.Errorf("subscriber %d: %w", i, err)
	}
	m.fd = int32(fd)
	c.members = append(c.members, m)
	o.busy++
	query := ""
	if o.Users {
		token, err := userToken(i)
		if err != nil {
			return fmt.Errorf("subscriber %d: %w", i, err)
		}
		query = "token=" + token
	}
	request := "GET " + o.Audience.path(i, query) + " HTTP/1.1\r\nHost: " + o.Address + "\r\n" + upgradeHeader + "\r\n"
	if n, err := unix.Write(fd, []byte(request)); err != nil || n < len(request) {
		return fmt.Errorf("subscriber %d: handshake: %d of %d bytes written, %w", i, n, len(request), err)
	}
	return c.poller.Add(fd, uint64(i))
}

const upgradeHeader = "Upgrade: websocket\r\nConnection: Upgrade\r\n" +
	"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"

// dial returns a connected, non-blocking socket. With small it has the least receive buffer that there is, which must be set
// before the connection is made: the window that is offered then follows from it.
func dial(address string, small bool) (int, error) {
	to, err := netip.ParseAddrPort(address)
	if err != nil {
		return -1, err
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
	if err != nil {
		return -1, os.NewSyscallError("socket", err)
	}
	unix.CloseOnExec(fd)
	if small {
		err = os.NewSyscallError("setsockopt SO_RCVBUF", unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, 4096))
	}
	if err == nil {
		sa := &unix.SockaddrInet4{Port: int(to.Port()), Addr: to.Addr().As4()}
		err = os.NewSyscallError("connect", unix.Connect(fd, sa))
	}
	if err == nil {
		err = os.NewSyscallError("fcntl O_NONBLOCK", unix.SetNonblock(fd, true))
	}
	if err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

// upgraded judges the answer to member i's handshake and returns what follows it. Server and floor write an answer in one
// piece.
func (c *crowd) upgraded(i int, answer []byte) (rest []byte, err error) {
	_, rest, whole := bytes.Cut(answer, []byte("\r\n\r\n"))
	if !whole || !bytes.HasPrefix(answer, []byte("HTTP/1.1 101 ")) {
		return nil, fmt.Errorf("the handshake was answered with %q: expected a whole 101", answer[:min(len(answer), 300)])
	}
	c.opening.busy--
	c.members[i].state = reading
	if i-c.opening.from < c.opening.Stuck {
		c.members[i].state = stuck
	}
	return rest, nil
}
