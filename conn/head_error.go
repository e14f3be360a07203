package conn

// What Parse refuses. They are made once, so that a peer that sends rubbish costs no garbage.
var (
	refuseTLS = badRequest("this port speaks plain HTTP and these bytes begin a TLS handshake: use ws:// or http:// here, or put " +
		"what ends TLS in front")
	refuseMethodByte = badRequest("the request does not begin with a method and one space; expected a request line like " +
		"GET /ws HTTP/1.1")
	refuseTarget = badRequest("the request target is neither a path that begins with a slash nor an http or ws URL; expected a " +
		"request line like GET /ws HTTP/1.1")
	refuseTargetByte = badRequest("the request target has a byte that is not visible ASCII; expected it percent-encoded")
	refuseFragment   = badRequest("the request target has a fragment (#), which clients keep to themselves; encode the sign as %23")
	refuseAuthority  = badRequest("the URL in the request target has no valid host; expected a name or an address, and maybe a port")
	refuseNoVersion  = badRequest("the request line ends after the target; expected a space and HTTP/1.1")
	refuseVersion    = badRequest("what follows the request target is not an HTTP version; expected HTTP/1.1, and a target without spaces")
	refuseVersionEnd = badRequest("something follows HTTP/1.1 in the request line; expected it to end there in CR LF")
	refuseBareCR     = badRequest("a CR stands without its LF; expected lines that end in CR LF")
	refuseBareLF     = badRequest("a line ends in a bare LF; expected CR LF")
	refuseFold       = badRequest("a header line begins with white space, an obsolete folding or a stray blank; expected each header on one line")
	refuseNoName     = badRequest("a header line begins with a colon; expected a name before it")
	refuseName       = badRequest("a header's name has a byte that no name can have; expected letters, digits and hyphens")
	refuseNameSpace  = badRequest("white space stands between a header's name and the colon; expected none")
	refuseNoColon    = badRequest("a header line ends without a colon; expected name, colon, value")
	refuseValue      = badRequest("a header's value has a control character; expected none but the tab")
	refuseEscape     = badRequest("the query has a percent sign that is not followed by two hexadecimal digits; a literal one is written %25")

	refuseConnect    = &Refusal{Status: 405, Code: "method", Message: "CONNECT is for proxies, which this is not; expected GET"}
	refuseMajor      = &Refusal{Status: 505, Code: "bad_request", Message: "the request is in another major version of HTTP; expected HTTP/1.1 (without HTTP/2 prior knowledge)"}
	refuseTargetSize = &Refusal{Status: 414, Code: "too_large", Message: "the request target is longer than 8 KiB; expected a shorter one (subscribe to more topics by command)"}

	// refuseInternal is for a callback's panic.
	refuseInternal = &Refusal{Status: 500, Code: "internal", Message: "this request hit a fault of the server's, which is in its log"}

	refuseHeadSize    = &Refusal{Status: 431, Code: "headers_too_large", Message: "the request line and headers are larger than 16 KiB; expected fewer or shorter ones (cookies?)"}
	refuseHeaderCount = &Refusal{Status: 431, Code: "headers_too_large", Message: "the request has more than 100 headers; expected no more"}
)

func badRequest(message string) *Refusal {
	return &Refusal{Status: 400, Code: "bad_request", Message: message}
}

// targetByte says what is wrong with the byte c in a request target.
func targetByte(c byte) *Refusal {
	switch c {
	case '\r', '\n':
		return refuseNoVersion
	case '#':
		return refuseFragment
	}
	return refuseTargetByte
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

// lineByte says what is wrong with the byte c at the beginning of a header line.
func lineByte(c byte) *Refusal {
	switch c {
	case ' ', '\t':
		return refuseFold
	case ':':
		return refuseNoName
	case '\n':
		return refuseBareLF
	}
	return refuseName
}

// nameByte says what is wrong with the byte c in a header's name.
func nameByte(c byte) *Refusal {
	switch c {
	case ' ', '\t':
		return refuseNameSpace
	case '\r', '\n':
		return refuseNoColon
	}
	return refuseName
}

// valueByte says what is wrong with the byte c in a header's value.
func valueByte(c byte) *Refusal {
	if c == '\n' {
		return refuseBareLF
	}
	return refuseValue
}
