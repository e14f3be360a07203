package loadgen

import (
	"os"

	"golang.org/x/sys/unix"
)

func socket(family int) (int, error) {
	return unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
}

// bindLate has the kernel choose the port when it connects, by the whole of
// the connection's addresses: else a port could be used once only, whatever the target
// (IP_BIND_ADDRESS_NO_PORT of ip(7)).
func bindLate(fd int) {
	_ = unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1) // before Linux 4.2: fewer ports
}

// vanish cuts a socket off from the network: a socket filter (SO_ATTACH_FILTER of socket(7)) that
// takes no bytes drops every segment before TCP sees it, so that nothing is acknowledged.
func vanish(fd int) error {
	drop := []unix.SockFilter{{Code: unix.BPF_RET | unix.BPF_K, K: 0}}
	return os.NewSyscallError("setsockopt SO_ATTACH_FILTER",
		unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &unix.SockFprog{Len: 1, Filter: &drop[0]}))
}
