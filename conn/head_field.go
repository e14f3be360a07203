package conn

import "bytes"

// field is a header that the handshake, or a door, looks at.
type field uint8

const (
	fieldOther field = iota
	fieldHost
	fieldOrigin
	fieldKey
	fieldVersion
	fieldProtocol
	fieldExtensions
	fieldUpgrade
	fieldConnection
	fieldLength
	fieldEncoding
	fieldCount
)

// headOptions are what the values of some headers amount to, taken together.
type headOptions uint8

const (
	asksWebSocket headOptions = 1 << iota // an Upgrade header lists websocket
	asksUpgrade                           // a Connection header lists upgrade
	hasBody                               // Content-Length other than 0, or Transfer-Encoding
	offersDeflate                         // an offer of permessage-deflate can be accepted
	offersWindow                          // and asks for server_max_window_bits=15
)

func fieldOf(name []byte) field {
	switch len(name) {
	case 4:
		return fieldIf(fieldHost, name, "host")
	case 6:
		return fieldIf(fieldOrigin, name, "origin")
	case 7:
		return fieldIf(fieldUpgrade, name, "upgrade")
	case 10:
		return fieldIf(fieldConnection, name, "connection")
	case 14:
		return fieldIf(fieldLength, name, "content-length")
	case 17:
		if name[0]|0x20 == 't' {
			return fieldIf(fieldEncoding, name, "transfer-encoding")
		}
		return fieldIf(fieldKey, name, "sec-websocket-key")
	case 21:
		return fieldIf(fieldVersion, name, "sec-websocket-version")
	case 24:
		return fieldIf(fieldExtensions, name, "sec-websocket-extensions")
	case 22:
		return fieldIf(fieldProtocol, name, "sec-websocket-protocol")
	}
	return fieldOther
}

func fieldIf(f field, name []byte, word string) field {
	if fold(name, word) {
		return f
	}
	return fieldOther
}

// note keeps what a header line has said. value is trimmed.
func (h *Head) note(buf []byte, value span) {
	f := h.field
	if h.count[f] == 0 {
		h.first[f] = value
	}
	h.count[f]++ // MaxHeaders is below 256
	switch v := value.of(buf); f {
	case fieldUpgrade:
		if lists(v, "websocket") {
			h.options |= asksWebSocket
		}
	case fieldConnection:
		if lists(v, "upgrade") {
			h.options |= asksUpgrade
		}
	case fieldLength:
		if string(v) != "0" {
			h.options |= hasBody
		}
	case fieldEncoding:
		h.options |= hasBody
	}
}

// lists reports whether a comma-separated list has the token word, in any case.
func lists(list []byte, word string) bool {
	for len(list) > 0 {
		var token []byte
		token, list = cutToken(list)
		if fold(token, word) {
			return true
		}
	}
	return false
}

// cutToken takes the first element off a comma-separated list (RFC 9110 5.6.1), which may be empty.
func cutToken(list []byte) (token, rest []byte) {
	token, rest, _ = bytes.Cut(list, []byte{','})
	s := trimRight(token, span{0, uint16(len(token))})
	for s.off < s.end && isSpace(token[s.off]) {
		s.off++
	}
	return s.of(token), rest
}

// Method is case-sensitive, and a valid token.
func (h *Head) Method(buf []byte) []byte { return h.method.of(buf) }

// Target is the request target as it came: visible ASCII, nothing decoded.
func (h *Head) Target(buf []byte) []byte { return h.target.of(buf) }

// Path is the target's path, nothing decoded. It begins with a slash, but for the target of OPTIONS *, whose path is *.
func (h *Head) Path(buf []byte) []byte { return h.path.of(buf) }

// Query is what follows the target's first question mark, for NextQuery to read; empty without one.
func (h *Head) Query(buf []byte) []byte { return h.query.of(buf) }

// Host is whom the request is for: the target's authority where it has one, since the Host header then does not count
// (RFC 9112 3.2.2), else the value of the first Host header. Only CheckUpgrade finds out that there is one, and well formed.
func (h *Head) Host(buf []byte) []byte {
	if h.authority.end > 0 {
		return h.authority.of(buf)
	}
	return h.first[fieldHost].of(buf)
}

// Origin is the value of the first Origin header, empty without one. Browsers send it always (RFC 6455 10.2).
func (h *Head) Origin(buf []byte) []byte { return h.first[fieldOrigin].of(buf) }

// Key is the value of the first Sec-WebSocket-Key, empty without one.
func (h *Head) Key(buf []byte) []byte { return h.first[fieldKey].of(buf) }

// Version is the value of the first Sec-WebSocket-Version, empty without one.
func (h *Head) Version(buf []byte) []byte { return h.first[fieldVersion].of(buf) }

// Upgrade reports whether an Upgrade header asks for a WebSocket. Whether it does so correctly CheckUpgrade tells.
func (h *Head) Upgrade() bool { return h.options&asksWebSocket != 0 }

// Minor is the y of the request's HTTP/1.y.
func (h *Head) Minor() int { return int(h.minor - '0') }

// Header returns the value of the first header of a name, given in lower case; nil if there is none. It walks the head.
func (h *Head) Header(buf []byte, name string) []byte {
	for pos := 0; ; {
		var key, value []byte
		if key, value, pos = h.NextHeader(buf, pos); key == nil || fold(key, name) {
			return value
		}
	}
}

// NextHeader returns the header line at pos, and the position of the next. Begin with 0; a nil name means no more.
func (h *Head) NextHeader(buf []byte, pos int) (name, value []byte, next int) {
	if pos == 0 {
		pos = int(h.fields)
	}
	n, v, next := headerLine(buf, pos)
	if next == pos {
		return nil, nil, pos
	}
	return n.of(buf), v.of(buf), next
}

// NextProtocol returns the subprotocol offered at pos, and the position of the next, over all Sec-WebSocket-Protocol
// headers (RFC 6455 11.3.4) in the client's order of preference. Begin with 0; a nil token means no more. A token is what
// stood between commas: compare it with what you know, and answer with your own copy.
func (h *Head) NextProtocol(buf []byte, pos int) (token []byte, next int) {
	if h.count[fieldProtocol] == 0 {
		return nil, 0
	}
	if pos == 0 {
		pos = int(h.first[fieldProtocol].off)
	}
	for {
		cr := pos + bytes.IndexByte(buf[pos:], '\r')
		for pos < cr {
			token, rest := cutToken(buf[pos:cr])
			if pos = cr - len(rest); len(token) > 0 {
				return token, pos
			}
		}
		for at := cr + len("\r\n"); ; {
			name, value, next := headerLine(buf, at)
			if next == at {
				return nil, cr
			}
			if fieldOf(name.of(buf)) == fieldProtocol {
				pos = int(value.off)
				break
			}
			at = next
		}
	}
}

// validProtocols reports whether the subprotocols offered follow their grammar, 1#token.
func (h *Head) validProtocols(buf []byte) bool {
	token, at := h.NextProtocol(buf, 0)
	for any := token != nil; ; token, at = h.NextProtocol(buf, at) {
		if len(token) == 0 {
			return any
		}
		if afterToken(token, 0) != len(token) {
			return false
		}
	}
}

// headerLine finds the parts of the valid header line at pos, and the one after it: pos itself at the blank line.
func headerLine(buf []byte, pos int) (name, value span, next int) {
	if buf[pos] == '\r' {
		return name, value, pos
	}
	colon := pos + bytes.IndexByte(buf[pos:], ':')
	begin := colon + 1
	for isSpace(buf[begin]) {
		begin++
	}
	cr := begin + bytes.IndexByte(buf[begin:], '\r')
	return span{uint16(pos), uint16(colon)}, trimRight(buf, span{uint16(begin), uint16(cr)}), cr + len("\r\n")
}
