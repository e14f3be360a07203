package observe

import (
	"net"
	"net/netip"
)

// IsLocal says whether addr is an address of this host's, as its network
// interfaces say. The unspecified address is: a connection to it goes to loopback.
func IsLocal(addr netip.Addr) bool {
	addr = addr.Unmap().WithZone("")
	if addr.IsLoopback() || addr.IsUnspecified() {
		return true
	}
	all, _ := net.InterfaceAddrs() // none where it fails
	for _, a := range all {
		if prefix, err := netip.ParsePrefix(a.String()); err == nil && prefix.Addr().Unmap() == addr {
			return true
		}
	}
	return false
}
