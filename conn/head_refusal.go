package conn

import (
	"strconv"
	"unicode/utf8"
)

// Refusal is an answer that ends the connection: what the request got instead of a WebSocket, or a page.
type Refusal struct {
	Status     int    // of HTTP, 400 to 599
	Code       string // bad_request, method, upgrade_required, …: what a program branches on
	Message    string // one sentence for a human: what was wrong, what was expected
	RetryAfter int    // seconds; 0: none
}

func (r *Refusal) Error() string { return strconv.Itoa(r.Status) + " " + r.Code + ": " + r.Message }

// Append appends the complete response to dst and returns it. The body is {"code":"…","message":"…"} and a newline. Nothing
// is allocated if dst has room and the body has no more than 512 bytes.
func (r *Refusal) Append(dst []byte) []byte {
	var scratch [512]byte
	body := append(scratch[:0], `{"code":`...)
	body = appendJSON(body, r.Code)
	body = append(body, `,"message":`...)
	body = appendJSON(body, r.Message)
	body = append(body, "}\n"...)

	dst = append(dst, "HTTP/1.1 "...)
	dst = strconv.AppendInt(dst, int64(r.Status), 10)
	dst = append(dst, ' ')
	dst = append(dst, reason(r.Status)...)
	dst = append(dst, "\r\nContent-Type: application/json\r\nContent-Length: "...)
	dst = strconv.AppendInt(dst, int64(len(body)), 10)
	switch r.Status {
	case 401: // must name how to authenticate, RFC 9110 15.5.2; RFC 6750 3
		dst = append(dst, "\r\nWWW-Authenticate: Bearer"...)
	case 405: // must name what is allowed, RFC 9110 15.5.6
		dst = append(dst, "\r\nAllow: GET"...)
	case 426: // must name the protocol, RFC 9110 15.5.22, and its version, RFC 6455 4.4
		dst = append(dst, "\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13"...)
	}
	if r.RetryAfter > 0 {
		dst = append(dst, "\r\nRetry-After: "...)
		dst = strconv.AppendInt(dst, int64(r.RetryAfter), 10)
	}
	dst = append(dst, "\r\nConnection: close"...)
	if r.Status == 426 { // who sends Upgrade lists it here, RFC 9110 7.8
		dst = append(dst, ", Upgrade"...)
	}
	dst = append(dst, "\r\n\r\n"...)
	return append(dst, body...)
}

// appendJSON appends s as a JSON string (RFC 8259 7). What is not UTF-8 becomes U+FFFD.
func appendJSON(dst []byte, s string) []byte {
	const hex = "0123456789abcdef"
	dst = append(dst, '"')
	for _, c := range s {
		switch {
		case c == '"' || c == '\\':
			dst = append(dst, '\\', byte(c))
		case c < ' ':
			dst = append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		default:
			dst = utf8.AppendRune(dst, c)
		}
	}
	return append(dst, '"')
}

// reason is the phrase after the status code. It has no meaning (RFC 9112 4), but people read it; these are net/http's.
func reason(status int) string {
	switch status {
	case 400:
		return "Bad Request"
	case 401:
		return "Unauthorized"
	case 403:
		return "Forbidden"
	case 404:
		return "Not Found"
	case 405:
		return "Method Not Allowed"
	case 408:
		return "Request Timeout"
	case 409:
		return "Conflict"
	case 413:
		return "Request Entity Too Large"
	case 414:
		return "Request URI Too Long"
	case 415:
		return "Unsupported Media Type"
	case 426:
		return "Upgrade Required"
	case 429:
		return "Too Many Requests"
	case 431:
		return "Request Header Fields Too Large"
	case 500:
		return "Internal Server Error"
	case 503:
		return "Service Unavailable"
	case 505:
		return "HTTP Version Not Supported"
	}
	return "Refused"
}
