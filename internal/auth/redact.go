package auth

import (
	"net/url"
	"strings"
)

// Redact returns a query, or a URL with one, with the value of each parameter
// token replaced, for logs. The name counts as a server reads it, percent-decoded,
// and in any case. What has no token is returned as it is.
func Redact(query string) string {
	var b strings.Builder
	done, start := 0, 0 // what was copied; where the name begins
	for i := 0; i < len(query); i++ {
		switch query[i] {
		case '?', '&', ';', '#':
			start = i + 1
		case '=':
			if !isToken(query[start:i]) {
				continue
			}
			b.WriteString(query[done : i+1])
			b.WriteString("REDACTED")
			// A ; does not end a value for all who read it.
			if done = len(query); strings.IndexByte(query[i:], '&') >= 0 {
				done = i + strings.IndexByte(query[i:], '&')
			}
			i = done - 1
		}
	}
	if done == 0 {
		return query
	}
	b.WriteString(query[done:])
	return b.String()
}

func isToken(name string) bool {
	if decoded, err := url.QueryUnescape(name); err == nil {
		name = decoded
	}
	return strings.EqualFold(strings.TrimSpace(name), "token")
}
