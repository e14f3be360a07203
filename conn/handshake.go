package conn

import (
	"crypto/sha1"
	"encoding/base64"
)

// What CheckUpgrade refuses. Like the refusals of Parse they are shared.
var (
	refuseMethod      = &Refusal{Status: 405, Code: "method", Message: "a WebSocket is opened by GET; expected that method"}
	refuseHTTP10      = &Refusal{Status: 505, Code: "bad_request", Message: "the request is in HTTP/1.0; a WebSocket needs HTTP/1.1 (behind nginx: proxy_http_version 1.1)"}
	refuseNoUpgrade   = upgradeRequired("this address is for WebSockets; expected the header Upgrade: websocket, which a proxy in front must pass on")
	refuseConnection  = upgradeRequired("the Connection header does not list Upgrade; expected Connection: Upgrade, which a proxy in front must pass on")
	refuseOldVersion  = upgradeRequired("the Sec-WebSocket-Version is not one that we speak; expected 13")
	refuseWantVersion = upgradeRequired("the header Sec-WebSocket-Version is missing; expected 13")
	refuseWantBoth    = upgradeRequired("the headers Sec-WebSocket-Key and Sec-WebSocket-Version are missing; expected 16 random bytes in base64, and 13")
	refuseVersions    = upgradeRequired("there are several Sec-WebSocket-Version headers; expected one, of 13")
	refuseProtocols   = badRequest("the Sec-WebSocket-Protocol header is not a list of tokens; expected such as pushd.v1, pushd.raw.v1")
	refuseWantKey     = badRequest("the header Sec-WebSocket-Key is missing; expected 16 random bytes in base64")
	refuseKeys        = badRequest("there are several Sec-WebSocket-Key headers; expected one")
	refuseKey         = badRequest("the Sec-WebSocket-Key is not 16 bytes in base64; expected 22 characters and two equals signs")
	refuseWantHost    = badRequest("the Host header is missing; expected one")
	refuseHosts       = badRequest("there are several Host headers; expected one")
	refuseHost        = badRequest("the Host header is not a host; expected a name or an address, and maybe a port")
	refuseOrigins     = badRequest("there are several Origin headers; expected at most one")
	refuseBody        = badRequest("a WebSocket handshake has no body; expected neither Transfer-Encoding nor a Content-Length other than 0")
)

func upgradeRequired(message string) *Refusal {
	return &Refusal{Status: 426, Code: "upgrade_required", Message: message}
}

// CheckUpgrade judges a complete head, sent to a door that only WebSockets enter, by RFC 6455 4.2.1. nil: answer it with
// AppendSwitching. Else answer with what it returns, which is shared and not to be changed. Path, Origin and subprotocols
// are left to the door.
func (h *Head) CheckUpgrade(buf []byte) *Refusal {
	keys, versions := h.count[fieldKey], h.count[fieldVersion]
	switch {
	case string(h.Method(buf)) != "GET":
		return refuseMethod
	case h.minor == '0':
		return refuseHTTP10
	case h.count[fieldHost] == 0:
		return refuseWantHost
	case h.count[fieldHost] > 1:
		return refuseHosts
	case !validHost(h.first[fieldHost].of(buf)):
		return refuseHost
	case h.options&hasBody != 0: // or the body could pass for frames
		return refuseBody
	case h.options&asksWebSocket == 0:
		return refuseNoUpgrade
	case h.options&asksUpgrade == 0:
		return refuseConnection
	case keys == 0 && versions == 0:
		return refuseWantBoth
	case versions == 0:
		return refuseWantVersion
	case versions > 1: // RFC 6455 11.3.5
		return refuseVersions
	case string(h.Version(buf)) != "13":
		return refuseOldVersion
	case keys == 0:
		return refuseWantKey
	case keys > 1: // RFC 6455 11.3.1
		return refuseKeys
	case !validKey(h.Key(buf)):
		return refuseKey
	case h.count[fieldProtocol] > 0 && !h.validProtocols(buf): // RFC 6455 4.2.1, 11.3.4
		return refuseProtocols
	case h.count[fieldExtensions] > 0 && !h.readExtensions(buf):
		return refuseExtensions
	case h.count[fieldOrigin] > 1: // a door that checks the first must not be told another
		return refuseOrigins
	}
	return nil
}

func validHost(host []byte) bool {
	for _, c := range host {
		if !isHost(c) {
			return false
		}
	}
	return len(host) > 0 // a ws URL has a host, RFC 6455 3
}

// keyLen is the length of 16 bytes in base64: 22 characters and the padding. The last character has four bits to spare;
// clients that make up the text rather than the bytes do not clear them, and need not for us.
const keyLen = 24

func validKey(key []byte) bool {
	if len(key) != keyLen || string(key[keyLen-2:]) != "==" {
		return false
	}
	for _, c := range key[:keyLen-2] {
		if !isBase64(c) {
			return false
		}
	}
	return true
}

// AppendSwitching appends the 101 response that accepts a handshake (RFC 6455 4.2.2) to dst and returns it. key is the one
// that CheckUpgrade has passed. protocol, if not empty, is the server's own spelling of one that the client offered, and
// extensions what Head.Deflate has returned. Nothing is kept. Nothing is allocated if dst has room: 129 bytes, 26 more than
// protocol's own if there is one, and 28 more than extensions'.
func AppendSwitching(dst, key, protocol []byte, extensions string) []byte {
	const guid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11" // RFC 6455 1.3
	var scratch [keyLen + len(guid)]byte
	sum := sha1.Sum(append(append(scratch[:0], key...), guid...))
	dst = append(dst, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "...)
	dst = base64.StdEncoding.AppendEncode(dst, sum[:])
	if len(protocol) > 0 {
		dst = append(dst, "\r\nSec-WebSocket-Protocol: "...)
		dst = append(dst, protocol...)
	}
	if extensions != "" {
		dst = append(dst, "\r\nSec-WebSocket-Extensions: "...)
		dst = append(dst, extensions...)
	}
	return append(dst, "\r\n\r\n"...)
}
