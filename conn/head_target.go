package conn

import "bytes"

// beginsTarget reports whether a request target can begin with c: a path, a scheme, or the asterisk.
func beginsTarget(c byte) bool { return c == '/' || c == '*' || isLetter(c) }

// splitTarget finds path, query and authority in the complete target. RFC 9112 3.2 has four forms; the one of CONNECT is
// not for us.
func (h *Head) splitTarget(buf []byte) *Refusal {
	path := h.target
	h.authority = span{}
	switch target := h.target.of(buf); {
	case target[0] == '/':
	case len(target) == 1 && target[0] == '*':
	case string(h.method.of(buf)) == "CONNECT":
		return refuseConnect
	default:
		skip := schemeLen(target)
		if skip == 0 {
			return refuseTarget
		}
		path.off += uint16(skip)
		h.authority = path
		for path.off < path.end && buf[path.off] != '/' && buf[path.off] != '?' {
			if !isHost(buf[path.off]) {
				return refuseAuthority
			}
			path.off++
		}
		h.authority.end = path.off
		if h.authority.off == h.authority.end { // RFC 9110 4.2.1
			return refuseAuthority
		}
	}
	h.path, h.query = path, span{path.end, path.end}
	if mark := bytes.IndexByte(path.of(buf), '?'); mark >= 0 {
		h.path.end = path.off + uint16(mark)
		h.query.off = h.path.end + 1
	}
	if h.path.off == h.path.end { // http://host: an empty path is "/" (RFC 9110 4.2.3), of which "://" has one to lend
		h.path = span{h.authority.off - 1, h.authority.off}
	}
	return nil
}

// schemeLen returns the length of the target's scheme and "://", or 0 if it is none of ours.
func schemeLen(target []byte) int {
	colon := bytes.IndexByte(target, ':')
	if colon < 0 || !bytes.HasPrefix(target[colon:], []byte("://")) {
		return 0
	}
	switch scheme := target[:colon]; {
	case fold(scheme, "http"), fold(scheme, "https"), fold(scheme, "ws"), fold(scheme, "wss"):
		return colon + len("://")
	}
	return 0
}

// versionByte judges the byte at index at of "HTTP/1.y".
func versionByte(at int, c byte) *Refusal {
	const want = "HTTP/1."
	switch {
	case at == len(want) && isDigit(c), at < len(want) && c == want[at]:
		return nil
	case at == len("HTTP/") && isDigit(c):
		return refuseMajor
	}
	return refuseVersion
}

// NextQuery takes the first pair off a query ("topic=A&topic=B&since=…") and decodes it: %XX, and + for a space. Empty pairs
// are passed over; ok is false when none is left. key and value are slices of scratch, which each call writes anew from
// its start; with a capacity of len(query) it is always enough, and nothing is allocated. What they decode to may be any
// bytes at all. On a percent sign without two hexadecimal digits err is set, a *Refusal.
func NextQuery(query, scratch []byte) (key, value, rest []byte, ok bool, err error) {
	for len(query) > 0 {
		var pair []byte
		if pair, query, _ = bytes.Cut(query, []byte{'&'}); len(pair) == 0 {
			continue
		}
		k, v, _ := bytes.Cut(pair, []byte{'='})
		out, ok := unescape(scratch[:0], k)
		n := len(out)
		if ok {
			out, ok = unescape(out, v)
		}
		if !ok {
			return nil, nil, query, false, refuseEscape
		}
		return out[:n:n], out[n:len(out):len(out)], query, true, nil
	}
	return nil, nil, nil, false, nil
}

// unescape appends the decoded form of s to dst; false for a bad escape.
func unescape(dst, s []byte) ([]byte, bool) {
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch c {
		case '+':
			c = ' '
		case '%':
			if len(s)-i < 3 {
				return dst, false
			}
			high, ok1 := unhex(s[i+1])
			low, ok2 := unhex(s[i+2])
			if !ok1 || !ok2 {
				return dst, false
			}
			c = high<<4 | low
			i += 2
		}
		dst = append(dst, c)
	}
	return dst, true
}

func unhex(c byte) (byte, bool) {
	switch {
	case isDigit(c):
		return c - '0', true
	case c|0x20-'a' < 6:
		return c | 0x20 - 'a' + 10, true
	}
	return 0, false
}
