package peers

import (
	"bytes"
	"net/netip"
	"strings"
)

// Client returns whom a request is from that came from peer with these values of
// X-Forwarded-For or, where there is none, of Forwarded (RFC 7239), in the order
// in which they stand in the head. It is peer unless that is trusted. Several
// headers are one list, to the end of which each proxy adds whom it heard the
// request from; so the list is read from its end, past what trusted proxies say
// of each other, and the first who is not one of them is the client. What stands
// before, anybody may have written.
//
// What is no address (a name for it, as RFC 7239 section 6.3 allows, "unknown",
// or nonsense) ends the search: the client is then whoever said so. Where both
// headers are there X-Forwarded-For counts, since a client can send the other
// through a proxy that knows one of them only.
func (n Networks) Client(peer netip.Addr, xForwardedFor, forwarded [][]byte) netip.Addr {
	list := xForwardedFor
	if len(list) == 0 {
		list = forwarded
	}
	for i := len(list) - 1; i >= 0; i-- {
		for rest := list[i]; len(rest) > 0; {
			if !n.Contain(peer) {
				return peer
			}
			var node []byte
			if len(xForwardedFor) > 0 {
				node, rest = lastAddress(rest)
			} else {
				node, rest = lastElement(rest)
			}
			if node == nil {
				continue // an empty element, RFC 9110 section 5.6.1.2
			}
			addr, ok := parseNode(node)
			if !ok {
				return peer
			}
			peer = addr
		}
	}
	return peer
}

// lastAddress takes the last element off X-Forwarded-For; node is nil where that
// is empty.
func lastAddress(list []byte) (node, rest []byte) {
	node = list
	if comma := bytes.LastIndexByte(list, ','); comma >= 0 {
		node, rest = list[comma+1:], list[:comma]
	}
	return present(bytes.Trim(node, " \t")), rest
}

// lastElement takes the last element off Forwarded (RFC 7239 section 4) and
// returns what it has as "for"; an element without one is "unknown". It goes from
// the end, so that a quote that a client left open cannot swallow what a proxy
// has added.
func lastElement(list []byte) (node, rest []byte) {
	element := list
	if comma := lastUnquoted(list, ','); comma >= 0 {
		element, rest = list[comma+1:], list[:comma]
	}
	if element = bytes.Trim(element, " \t"); len(element) == 0 {
		return nil, rest
	}
	for len(element) > 0 {
		pair := element
		if semicolon := lastUnquoted(element, ';'); semicolon >= 0 {
			pair, element = element[semicolon+1:], element[:semicolon]
		} else {
			element = nil
		}
		name, value, _ := bytes.Cut(pair, []byte{'='})
		if !strings.EqualFold(string(bytes.Trim(name, " \t")), "for") {
			continue
		}
		if node != nil { // each parameter once, RFC 7239 section 4
			return unknown, rest
		}
		node = bytes.Trim(value, " \t")
		if n := len(node); n >= 2 && node[0] == '"' && node[n-1] == '"' {
			node = node[1 : n-1]
		}
		if len(node) == 0 {
			node = unknown
		}
	}
	if node == nil {
		node = unknown
	}
	return node, rest
}

var unknown = []byte("unknown")

// lastUnquoted is the index of the last c outside of quoted strings (RFC 9110
// section 5.6.4), seen from the end; -1 if there is none.
func lastUnquoted(b []byte, c byte) int {
	quoted := false
	for i := len(b) - 1; i >= 0; i-- {
		switch {
		case b[i] == '"' && !escaped(b[:i]):
			quoted = !quoted
		case b[i] == c && !quoted:
			return i
		}
	}
	return -1
}

// escaped reports whether what follows b is, by an odd number of backslashes.
func escaped(b []byte) bool {
	return (len(b)-len(bytes.TrimRight(b, `\`)))%2 == 1
}

// present is b, or nil if it is empty.
func present(b []byte) []byte {
	if len(b) == 0 {
		return nil
	}
	return b
}

// parseNode reads an address that may have a port: 192.0.2.7:80, 2001:db8::7,
// [2001:db8::7]:80.
func parseNode(node []byte) (netip.Addr, bool) {
	host := node
	switch colons := bytes.Count(node, []byte{':'}); {
	case len(node) == 0 || len(node) > 64:
		return netip.Addr{}, false
	case node[0] == '[':
		end := bytes.IndexByte(node, ']')
		if end < 0 || !isPort(node[end+1:]) || bytes.IndexByte(node[:end], ':') < 0 {
			return netip.Addr{}, false
		}
		host = node[1:end]
	case colons == 1:
		at := bytes.IndexByte(node, ':')
		if !isPort(node[at:]) {
			return netip.Addr{}, false
		}
		host = node[:at]
	}
	addr, err := netip.ParseAddr(string(host))
	if err != nil || addr.Zone() != "" { // a zone means something on the host that wrote it, if anywhere
		return netip.Addr{}, false
	}
	return addr.Unmap(), true
}

// isPort reports whether b is nothing, or a colon and a port, which RFC 7239
// section 6 lets be a name.
func isPort(b []byte) bool {
	if len(b) == 0 {
		return true
	}
	for _, c := range b[1:] {
		if !('0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'z' || c == '_' || c == '.' || c == '-') {
			return false
		}
	}
	return b[0] == ':' && len(b) > 1
}
