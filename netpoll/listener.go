package netpoll

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/pushd/pushd/internal/sys"
)

// ErrWouldBlock is what Accept returns when no connection is waiting. It wraps EAGAIN.
var ErrWouldBlock = fmt.Errorf("netpoll: no connection is waiting: %w", unix.EAGAIN)

// Listener is a listening socket of ours. Its methods may be called from any goroutine; none of them waits for the
// network.
type Listener struct {
	addr    net.Addr
	path    string   // of a unix socket's file, else empty
	perConn []option // what accepted sockets do not inherit

	mu     sync.Mutex // held by whoever uses fd, so that it is not closed, and its number not reused, meanwhile
	fd     int
	closed bool
}

// FD is the descriptor, for a Poller. It stays the Listener's, and is -1 once that is closed.
func (l *Listener) FD() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return -1
	}
	return l.fd
}

// Addr is where the Listener listens, with the port that the kernel chose where port 0 was asked for.
func (l *Listener) Addr() net.Addr { return l.addr }

// Accept takes one waiting connection and returns its descriptor, which is the caller's to close: non-blocking,
// close-on-exec and without Nagle's delay; and the address of its peer, an IPv4 one as such and one of IPv6 without a zone;
// that of a unix socket is the zero Addr. When none is waiting it returns ErrWouldBlock. Other errors are an
// *os.SyscallError; after EMFILE or ENFILE the connection is still waiting, and as that gives no new edge the caller must
// come back by itself.
func (l *Listener) Accept() (fd int, from netip.Addr, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return -1, netip.Addr{}, ErrClosed
	}
	for {
		fd, from, err := -1, netip.Addr{}, sys.Fail(sys.CallAccept, l.fd)
		if err == nil {
			fd, from, err = accept(l.fd)
		}
		if err == nil {
			err = l.prepare(fd)
		}
		switch {
		case err == nil:
			return fd, from, nil
		case errors.Is(err, unix.EAGAIN):
			return -1, netip.Addr{}, ErrWouldBlock
		case errors.Is(err, unix.EINTR), errors.Is(err, unix.ECONNABORTED):
			continue // a signal; a peer that gave up before we came
		}
		return -1, netip.Addr{}, err
	}
}

// Peer returns where the other end of a connected TCP socket is, in the form in which Accept does; the zero AddrPort for a unix
// socket. The error is an *os.SyscallError, of ENOTCONN where the peer has just gone.
func Peer(fd int) (netip.AddrPort, error) { return peer(fd) }

// prepare sets on an accepted socket what it has not inherited, and closes it where that fails. A peer that has reset the
// connection meanwhile makes setsockopt(2) say EINVAL on macOS and ECONNRESET on FreeBSD; that is no fault of ours.
func (l *Listener) prepare(fd int) error {
	for _, o := range l.perConn {
		if err := o.set(fd); err != nil {
			_ = sys.Close(fd)
			if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ECONNRESET) {
				return unix.ECONNABORTED
			}
			return err
		}
	}
	return nil
}

// Close stops listening, drops what nobody has accepted and removes a unix socket's file. It may be called twice; the
// second call does nothing.
func (l *Listener) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil
	}
	l.closed = true
	var unlinked error
	if l.path != "" {
		if err := os.Remove(l.path); !errors.Is(err, os.ErrNotExist) {
			unlinked = err
		}
	}
	return errors.Join(unlinked, closeFD("listener", l.fd))
}

// NetListener turns the socket into a net.Listener for code that wants goroutines, net/http above all. The Listener is
// closed by it, also when it fails; the socket file of a unix address is then removed by Close of what is returned.
func (l *Listener) NetListener() (net.Listener, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil, ErrClosed
	}
	l.closed = true
	file := os.NewFile(uintptr(l.fd), l.addr.String())
	defer file.Close() // net works on a duplicate
	nl, err := net.FileListener(file)
	if err != nil {
		return nil, fmt.Errorf("netpoll: hand %s over: %w", l.addr, err)
	}
	if ul, ok := nl.(*net.UnixListener); ok {
		ul.SetUnlinkOnClose(true)
	}
	return nl, nil
}
