package conn

import "bytes"

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
