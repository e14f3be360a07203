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
