package conn

// How an offer of permessage-deflate is accepted (RFC 7692 7.1). Each message is deflated by itself, so that it can be once
// for all, and no connection has a compressor or decompressor of its own.
const (
	acceptDeflate       = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
	acceptDeflateWindow = acceptDeflate + "; server_max_window_bits=15"
)

var refuseExtensions = badRequest("the Sec-WebSocket-Extensions header is not a list of extensions; expected such as permessage-deflate; client_max_window_bits")

// Deflate returns what accepts the client's offer of permessage-deflate, "" where it made none that can be. It is for a
// head that CheckUpgrade has passed.
//
// The first offer that all of can be met is accepted (RFC 7692 5.1). One for a window smaller than 32 KiB cannot: what is
// deflated once for all has the full one. That the client limits its own (client_max_window_bits) is never asked for.
func (h *Head) Deflate() string {
	switch {
	case h.options&offersWindow != 0:
		return acceptDeflateWindow
	case h.options&offersDeflate != 0:
		return acceptDeflate
	}
	return ""
}

// readExtensions reads all Sec-WebSocket-Extensions headers, which are one list (RFC 6455 11.3.2). It reports false where
// one does not follow the grammar: then the connection must be failed (RFC 6455 9.1).
func (h *Head) readExtensions(buf []byte) bool {
	for at := int(h.fields); ; {
		name, value, next := headerLine(buf, at)
		if next == at {
			return true
		}
		if fieldOf(name.of(buf)) == fieldExtensions && !h.readOffers(value.of(buf)) {
			return false
		}
		at = next
	}
}

// readOffers reads one such header:
//
//	extension-list = 1#extension
//	extension = extension-token *( ";" extension-param )
//	extension-param = token [ "=" (token | quoted-string) ]
func (h *Head) readOffers(list []byte) bool {
	l := offers{b: list}
	for l.space(); l.at < len(l.b); l.space() {
		if l.take(',') { // an empty element, RFC 9110 5.6.1
			continue
		}
		name := l.token()
		o := offer{is: string(name) == "permessage-deflate"}
		for l.space(); l.take(';'); l.space() {
			l.space()
			param := l.token()
			var value offerValue
			if l.space(); l.take('=') {
				l.space()
				value = l.value()
			}
			o.note(param, value)
		}
		if l.bad || l.at < len(l.b) && !l.take(',') {
			return false
		}
		if o.is && !o.declined && h.options&offersDeflate == 0 {
			h.options |= offersDeflate
			if o.window {
				h.options |= offersWindow
			}
		}
	}
	return true
}

// offer is one of permessage-deflate.
type offer struct {
	is       bool // else it is of something else
	declined bool
	window   bool // server_max_window_bits=15
	seen     uint8
}

// note takes a parameter. What is not defined, comes twice, or has a value that it may not, declines the offer (RFC 7692 7).
func (o *offer) note(param []byte, v offerValue) {
	good, bit := false, uint8(0)
	switch string(param) {
	case "server_no_context_takeover":
		bit, good = 1, !v.is
	case "client_no_context_takeover":
		bit, good = 2, !v.is
	case "server_max_window_bits":
		bit, good = 4, v.bits() == 15
		o.window = good
	case "client_max_window_bits":
		bit, good = 8, !v.is || v.bits() > 0
	}
	if !good || o.seen&bit != 0 {
		o.declined = true
	}
	o.seen |= bit
}

// offerValue is a parameter's value, as much of it as means anything.
type offerValue struct {
	is   bool
	b    [3]byte // its first bytes
	size int
}

// bits returns a number from 8 to 15 without a leading zero, or 0 (RFC 7692 7.1.2).
func (v offerValue) bits() int {
	switch {
	case v.size == 1 && (v.b[0] == '8' || v.b[0] == '9'):
		return int(v.b[0] - '0')
	case v.size == 2 && v.b[0] == '1' && '0' <= v.b[1] && v.b[1] <= '5':
		return 10 + int(v.b[1]-'0')
	}
	return 0
}

// add takes another byte.
func (v *offerValue) add(c byte) {
	if v.size < len(v.b) {
		v.b[v.size] = c
	}
	v.size++
}

// offers is a header that is read from its front.
type offers struct {
	b   []byte
	at  int
	bad bool // something did not follow the grammar
}

func (l *offers) space() {
	for l.at < len(l.b) && isSpace(l.b[l.at]) {
		l.at++
	}
}

func (l *offers) take(c byte) bool {
	if l.at < len(l.b) && l.b[l.at] == c {
		l.at++
		return true
	}
	return false
}

func (l *offers) token() []byte {
	begin := l.at
	l.at = afterToken(l.b, l.at)
	l.bad = l.bad || l.at == begin
	return l.b[begin:l.at]
}

// value reads a token, or a quoted string, which has to be one too once it is unquoted (RFC 6455 9.1).
func (l *offers) value() offerValue {
	v := offerValue{is: true}
	if !l.take('"') {
		for _, c := range l.token() {
			v.add(c)
		}
		return v
	}
	for !l.take('"') {
		l.take('\\')
		if l.at == len(l.b) || !isToken(l.b[l.at]) {
			l.bad = true
			return v
		}
		v.add(l.b[l.at])
		l.at++
	}
	l.bad = l.bad || v.size == 0
	return v
}
