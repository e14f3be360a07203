package netpoll

import (
	"os"

	"golang.org/x/sys/unix"

	"github.com/pushd/pushd/internal/sys"
)

// option is one setsockopt(2) of an int.
type option struct {
	name              string
	level, opt, value int
}

func (o option) set(fd int) error {
	err := sys.Fail(sys.CallSetsockopt, fd)
	if err == nil {
		err = unix.SetsockoptInt(fd, o.level, o.opt, o.value)
	}
	return os.NewSyscallError("setsockopt "+o.name, err)
}

func v6only(value int) option {
	return option{"IPV6_V6ONLY", unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, value}
}

func sendBuffer(bytes int) option {
	return option{"SO_SNDBUF", unix.SOL_SOCKET, unix.SO_SNDBUF, bytes}
}

func noDelay() option {
	return option{"TCP_NODELAY", unix.IPPROTO_TCP, unix.TCP_NODELAY, 1}
}

// closeFD closes fd, named what in errors. A close that a signal interrupts has closed it all the same, on Linux and FreeBSD:
// again it could close another's.
func closeFD(what string, fd int) error {
	err := sys.Close(fd)
	if err == unix.EINTR {
		return nil
	}
	return os.NewSyscallError("close "+what, err)
}
