package conn

import (
	"encoding/binary"
	"math/bits"
)

// Sets of ASCII characters, one bit each.
const (
	digits  = (1<<10 - 1) << '0'
	letters = (1<<26-1)<<'A' | (1<<26-1)<<'a'

	// tchar, RFC 9110 5.6.2
	tokenSet = digits | letters | 1<<'!' | 1<<'#' | 1<<'$' | 1<<'%' | 1<<'&' | 1<<'\'' | 1<<'*' | 1<<'+' | 1<<'-' |
		1<<'.' | 1<<'^' | 1<<'_' | 1<<'`' | 1<<'|' | 1<<'~'

	// A host and port, RFC 3986 3.2.2, but for two characters: the comma, which betrays two Host headers joined by a
	// proxy, and the percent sign, which no name that resolves and no address has in a Host header.
	hostSet = digits | letters | 1<<'-' | 1<<'.' | 1<<'_' | 1<<'~' | 1<<'!' | 1<<'$' | 1<<'&' | 1<<'\'' | 1<<'(' |
		1<<')' | 1<<'*' | 1<<'+' | 1<<';' | 1<<'=' | 1<<':' | 1<<'[' | 1<<']'

	base64Set = digits | letters | 1<<'+' | 1<<'/'

	low64 = 1<<64 - 1
)

func isToken(c byte) bool  { return 1<<c&uint64(tokenSet&low64)|1<<(c-64)&uint64(tokenSet>>64) != 0 }
func isHost(c byte) bool   { return 1<<c&uint64(hostSet&low64)|1<<(c-64)&uint64(hostSet>>64) != 0 }
func isBase64(c byte) bool { return 1<<c&uint64(base64Set&low64)|1<<(c-64)&uint64(base64Set>>64) != 0 }
func isLetter(c byte) bool { return c|0x20-'a' < 26 }
func isDigit(c byte) bool  { return c-'0' < 10 }
func isSpace(c byte) bool  { return c == ' ' || c == '\t' } // OWS, RFC 9110 5.6.3

// afterToken returns the index of the first byte of buf[i:] that is no tchar, or len(buf).
func afterToken(buf []byte, i int) int {
	for i < len(buf) && isToken(buf[i]) {
		i++
	}
	return i
}

// afterTarget does so for a request target: visible ASCII without the number sign, which begins a fragment. That is more
// than RFC 3986 has, and what browsers send.
func afterTarget(buf []byte, i int) int {
	for i < len(buf) && buf[i]-'!' <= '~'-'!' && buf[i] != '#' {
		i++
	}
	return i
}

// afterValue does so for a header's value: no control character but the tab (RFC 9110 5.5). Values are most of a head, so
// it takes eight bytes at a time: a byte below 0x20 or equal to 0x7f leaves its top bit in m. A borrow can set a bit above
// such a byte, never below, so the lowest bit is right.
func afterValue(buf []byte, i int) int {
	const ones = 0x0101010101010101
	for i < len(buf) {
		if i+8 <= len(buf) {
			x := binary.LittleEndian.Uint64(buf[i:])
			del := x ^ 0x7f*ones
			m := ((x-0x20*ones)&^x | (del-ones)&^del) & (0x80 * ones)
			if m == 0 {
				i += 8
				continue
			}
			i += bits.TrailingZeros64(m) / 8
		}
		if c := buf[i]; c < ' ' && c != '\t' || c == 0x7f {
			break
		}
		i++
	}
	return i
}

// trimRight takes the white space off the end of s.
func trimRight(buf []byte, s span) span {
	for s.end > s.off && isSpace(buf[s.end-1]) {
		s.end--
	}
	return s
}

// fold reports whether b is word in any case. word is made of lower-case letters and hyphens. (Of all bytes a CR would
// also pass for a hyphen; there is none in what we compare.)
func fold(b []byte, word string) bool {
	if len(b) != len(word) {
		return false
	}
	for i, c := range b {
		if c|0x20 != word[i] {
			return false
		}
	}
	return true
}
