package peers

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// ErrProxyHeader is wrapped by what ParseProxy returns.
var ErrProxyHeader = errors.New("the connection does not begin with a PROXY header (version 1 or 2) as its address is to send one")

func badHeader(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrProxyHeader}, args...)...)
}

// MaxProxyHeader is how long a PROXY header may be: what the protocol has every
// receiver take, in one segment of the smallest path.
const MaxProxyHeader = 536

// ParseProxy reads the PROXY header that a connection begins with, in version 1
// or 2 of HAProxy's protocol (haproxy.org/download/3.0/doc/proxy-protocol.txt).
// b is all that has come so far. It returns the header's length, and 0 and no
// error while more must come. client is the zero Addr where the header names
// none: the connection is then the proxy's own (LOCAL, which checks of its health
// are), or came to it by something other than TCP. The same bytes give the same
// result however they are cut, and the first that cannot be right an error, but
// for those that version 2 has a checksum for.
func ParseProxy(b []byte) (n int, client netip.Addr, err error) {
	if len(b) > 0 && b[0] == v2Signature[0] {
		return parseProxyV2(b)
	}
	return parseProxyV1(b)
}

const (
	v1Begin = "PROXY "
	v1Max   = 107 // the longest line, with its CRLF: section 2.1
)

func parseProxyV1(b []byte) (n int, client netip.Addr, err error) {
	if m := min(len(b), len(v1Begin)); string(b[:m]) != v1Begin[:m] {
		return 0, client, badHeader("it begins with %s", strconv.QuoteToASCII(string(b[:min(len(b), 16)])))
	}
	end := bytes.IndexByte(b[:min(len(b), v1Max)], '\n')
	switch {
	case end < 0 && len(b) >= v1Max:
		return 0, client, badHeader("no line end within %d bytes", v1Max)
	case end < 0:
		return 0, client, nil
	case b[end-1] != '\r':
		return 0, client, badHeader("the line ends without CR")
	}
	line, n := string(b[len(v1Begin):end-1]), end+1
	family, rest, _ := strings.Cut(line, " ")
	if family == "UNKNOWN" { // what follows is to be ignored
		return n, client, nil
	}
	part := strings.Split(rest, " ")
	if family != "TCP4" && family != "TCP6" || len(part) != 4 {
		return 0, client, badHeader("expected PROXY TCP4|TCP6 SOURCE DESTINATION PORT PORT, or PROXY UNKNOWN")
	}
	for i, p := range part[:2] {
		addr, err := netip.ParseAddr(p)
		if err != nil || addr.Zone() != "" || addr.Is4() != (family == "TCP4") {
			return 0, netip.Addr{}, badHeader("%s is no address of %s", strconv.QuoteToASCII(p), family)
		}
		if i == 0 {
			client = addr.Unmap()
		}
	}
	for _, p := range part[2:] {
		if port, err := strconv.ParseUint(p, 10, 16); err != nil || strconv.FormatUint(port, 10) != p {
			return 0, netip.Addr{}, badHeader("%s is no port", strconv.QuoteToASCII(p))
		}
	}
	return n, client, nil
}
