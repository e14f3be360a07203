package netpoll

import (
	"os"

	"golang.org/x/sys/unix"
)

// option is one setsockopt(2) of an int.
type option struct {
	name              string
	level, opt, value int
}

func (o option) set(fd int) error {
	return os.NewSyscallError("setsockopt "+o.name, unix.SetsockoptInt(fd, o.level, o.opt, o.value))
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
