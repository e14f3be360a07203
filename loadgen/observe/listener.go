package observe

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
)

// ErrHidden says that something listens, but that no process can be seen to.
var ErrHidden = errors.New("it is another user's, or in a container of its own: give --server-pid, or run as its user or root")

// Listener finds the processes that listen on a TCP address of this host, by
// themselves or on all its addresses: several where they share it. The error is
// ErrHidden where there are such that this process may not see. It looks at every
// descriptor of every process of this user's, at some microseconds each.
func Listener(addr netip.AddrPort) (pids []int, err error) {
	if !IsLocal(addr.Addr()) {
		return nil, fmt.Errorf("%v is no address of this host: what serves there is seen by --admin alone", addr)
	}
	if _, err := openProc(); err != nil {
		return nil, fmt.Errorf("who listens on %v: %w", addr, err)
	}
	var all []listening
	for _, name := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		f, err := os.Open(name)
		if errors.Is(err, fs.ErrNotExist) { // a kernel without IPv6
			continue
		} else if err != nil {
			return nil, err
		}
		some, err := listeners(f)
		f.Close()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		all = append(all, some...)
	}
	sockets := serving(all, addr)
	if len(sockets) == 0 {
		return nil, fmt.Errorf("nothing listens on %v", addr)
	}
	if pids, err = holders(sockets); err == nil && len(pids) == 0 {
		err = fmt.Errorf("the process that listens on %v cannot be seen: %w", addr, ErrHidden)
	}
	return pids, err
}

// listening is a socket that listens.
type listening struct {
	addr  netip.AddrPort
	inode string
}

// listeners reads /proc/net/tcp or tcp6, in which they come first: it stops at the
// first other socket, of which there may be a million. See the kernel's
// Documentation/networking/proc_net_tcp.rst.
func listeners(r io.Reader) (all []listening, err error) {
	lines := bufio.NewScanner(r)
	lines.Scan() // the heading
	for lines.Scan() {
		fields := strings.Fields(lines.Text()) // 0: 0100007F:1F90 00000000:0000 0A tx:rx tr:when retransmits uid timeout inode …
		if len(fields) < 10 {
			return nil, fmt.Errorf("%q: expected at least 10 fields", lines.Text())
		}
		if fields[3] != "0A" { // TCP_LISTEN
			break
		}
		addr, err := hexAddrPort(fields[1])
		if err != nil {
			return nil, err
		}
		all = append(all, listening{addr, fields[9]})
	}
	return all, lines.Err()
}

// hexAddrPort reads an address as the kernel prints it: words of 32 bits that
// lie in memory as on the wire, hence in this machine's order of bytes, and the port.
func hexAddrPort(s string) (netip.AddrPort, error) {
	address, digits, _ := strings.Cut(s, ":")
	port, err := strconv.ParseUint(digits, 16, 16)
	var b []byte
	for ; err == nil && len(address) >= 8; address = address[8:] {
		var word uint64
		word, err = strconv.ParseUint(address[:8], 16, 32)
		b = binary.NativeEndian.AppendUint32(b, uint32(word))
	}
	addr, ok := netip.AddrFromSlice(b)
	if err != nil || !ok || address != "" {
		return netip.AddrPort{}, fmt.Errorf("%q is no address: expected 8 or 32 hexadecimal digits, a colon and a port", s)
	}
	return netip.AddrPortFrom(addr.Unmap(), uint16(port)), nil
}

// serving picks, by inode, those that a connection to addr reaches: the ones on
// just that address, else on all of its family, else a v4 connection's on [::].
func serving(all []listening, addr netip.AddrPort) (inodes map[string]bool) {
	target := addr.Addr().Unmap().WithZone("")
	switch target {
	case netip.IPv4Unspecified():
		target = netip.AddrFrom4([4]byte{127, 0, 0, 1})
	case netip.IPv6Unspecified():
		target = netip.IPv6Loopback()
	}
	wanted := []netip.Addr{target, netip.IPv6Unspecified()}
	if target.Is4() {
		wanted = slices.Insert(wanted, 1, netip.IPv4Unspecified())
	}
	for _, a := range wanted {
		inodes = make(map[string]bool)
		for _, l := range all {
			if l.addr == netip.AddrPortFrom(a, addr.Port()) {
				inodes[l.inode] = true
			}
		}
		if len(inodes) > 0 {
			break
		}
	}
	return inodes
}

// holders finds the processes that have one of the sockets open, in the order of
// their pids, and passes over those that end meanwhile or may not be looked into.
func holders(sockets map[string]bool) (pids []int, err error) {
	proc, err := openProc()
	if err != nil {
		return nil, err
	}
	processes, err := proc.AllProcs()
	for _, p := range processes {
		if holds(fmt.Sprintf("/proc/%d/fd/", p.PID), sockets) {
			pids = append(pids, p.PID)
		}
	}
	slices.Sort(pids)
	return pids, err
}

// holds says whether one of the descriptors in dir is one of the sockets. A
// listener's number is low as a rule, so it reads no more than it must.
func holds(dir string, sockets map[string]bool) bool {
	f, err := os.Open(dir)
	if err != nil {
		return false
	}
	defer f.Close()
	for {
		names, err := f.Readdirnames(256)
		for _, name := range names {
			link, _ := os.Readlink(dir + name) // socket:[12345]
			if inode, ok := strings.CutPrefix(link, "socket:["); ok && sockets[strings.TrimSuffix(inode, "]")] {
				return true
			}
		}
		if err != nil {
			return false
		}
	}
}
