package peers

import (
	"fmt"
	"net/netip"
)

// Networks are addresses that belong together. The zero value is nobody.
type Networks []netip.Prefix

// ParseNetworks reads networks such as 10.0.0.0/8 and addresses such as
// 2001:db8::7.
func ParseNetworks(list []string) (Networks, error) {
	var n Networks
	for _, s := range list {
		p, err := parseNetwork(s)
		if err != nil {
			return nil, err
		}
		n = append(n, p)
	}
	return n, nil
}

func parseNetwork(s string) (netip.Prefix, error) {
	p, err := netip.ParsePrefix(s)
	if addr, bad := netip.ParseAddr(s); bad == nil && addr.Zone() == "" {
		p, err = netip.PrefixFrom(addr, addr.BitLen()), nil
	}
	switch {
	case err != nil:
		return p, fmt.Errorf("%q: expected a network such as 10.0.0.0/8 or an address such as 2001:db8::7", s)
	case p.Addr().Is4In6():
		return p, fmt.Errorf("%q: expected an IPv4 network or address as such, as in %s", s, p.Addr().Unmap())
	case p != p.Masked():
		return p, fmt.Errorf("%q: expected %s, or %s for the one address", s, p.Masked(), p.Addr())
	}
	return p, nil
}

// Contain reports whether addr, which may be an IPv4 address mapped into IPv6,
// is one of them.
func (n Networks) Contain(addr netip.Addr) bool {
	addr = addr.Unmap().WithZone("")
	for _, p := range n {
		if p.Contains(addr) {
			return true
		}
	}
	return false
}
