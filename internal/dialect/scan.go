package dialect

import (
	"bytes"
	"encoding/json"
)

// maxDepth is how deep arrays and objects may nest, the outermost counted.
// Few parsers at the far end go much further.
const maxDepth = 128

// scanner steps through JSON text (RFC 8259) once, checks all of it, and hands
// values out as slices of it. The first mistake stops it: from then on it
// stands at the end of its input, so callers need to look only once, at end.
type scanner struct {
	b     []byte // UTF-8: who makes a scanner has checked that
	i     int
	depth int

	want string // what should have stood at b[at]; "" if all is well
	at   int
}

func (s *scanner) fail(want string) {
	if s.want == "" {
		s.want, s.at = want, s.i
	}
	s.i = len(s.b)
}

// end returns what was wrong, a bad_json, unless only white space is left.
func (s *scanner) end() error {
	if s.peek(); s.i < len(s.b) {
		s.fail("the end")
	}
	if s.want == "" {
		return nil
	}
	if s.at == len(s.b) {
		return refuse(CodeBadJSON, "the JSON text ends after %d bytes, expected %s", s.at, s.want)
	}
	return refuse(CodeBadJSON, "byte %d of the JSON text is %q, expected %s", s.at, s.b[s.at], s.want)
}

// peek skips white space and returns the byte that it stands at, 0 at the end.
func (s *scanner) peek() byte {
	for ; s.i < len(s.b); s.i++ {
		switch c := s.b[s.i]; c {
		case ' ', '\t', '\n', '\r':
		default:
			return c
		}
	}
	return 0
}

// enter steps into an array or object and reports whether it has a member. It
// is used so:
//
//	for more := s.enter('[', ']'); more; more = s.more(']') {
//		… s.value()
//	}
func (s *scanner) enter(open, shut byte) bool {
	if s.peek() != open {
		s.fail("a " + string(rune(open)))
		return false
	}
	if s.depth++; s.depth > maxDepth {
		s.fail("at most 128 levels")
		return false
	}
	s.i++
	if s.peek() == shut {
		s.i++
		s.depth--
		return false
	}
	return true
}

// more steps over a comma to the next member, or out of the array or object.
func (s *scanner) more(shut byte) bool {
	switch s.peek() {
	case ',':
		s.i++
		return true
	case shut:
		s.i++
		s.depth--
	default:
		s.fail("a comma or a " + string(rune(shut)))
	}
	return false
}

// name steps over a member's name and the colon, and returns the name.
func (s *scanner) name() []byte {
	if s.peek() != '"' {
		s.fail("a name in quotes")
		return nil
	}
	start := s.i
	s.str()
	raw := s.b[start:s.i]
	if s.peek() != ':' {
		s.fail("a colon")
		return nil
	}
	s.i++
	return unquote(raw)
}

// value steps over any value and returns it, without the space around it.
func (s *scanner) value() []byte {
	c := s.peek()
	start := s.i
	switch {
	case c == '"':
		s.str()
	case c == '{':
		for more := s.enter('{', '}'); more; more = s.more('}') {
			s.name()
			s.value()
		}
	case c == '[':
		for more := s.enter('[', ']'); more; more = s.more(']') {
			s.value()
		}
	case c == '-' || '0' <= c && c <= '9':
		s.number()
	case c == 't':
		s.literal("true")
	case c == 'f':
		s.literal("false")
	case c == 'n':
		s.literal("null")
	default:
		s.fail("a value")
	}
	return s.b[start:s.i]
}

func (s *scanner) literal(word string) {
	if !bytes.HasPrefix(s.b[s.i:], []byte(word)) {
		s.fail(word)
		return
	}
	s.i += len(word)
}

// str steps over a string; it stands at the opening quote.
func (s *scanner) str() {
	for s.i++; s.i < len(s.b); s.i++ {
		c := s.b[s.i]
		if plain[c] || c >= 0x80 {
			continue
		}
		switch c {
		case '"':
			s.i++
			return
		case '\\':
			if !s.escape() {
				s.fail(`an escape: one of "\/bfnrt or u and four hexadecimal digits`)
				return
			}
		default:
			s.fail("no control character inside a string")
			return
		}
	}
	s.fail("a closing quote")
}

// escape steps from a backslash to the last byte of its escape.
func (s *scanner) escape() bool {
	if s.i++; s.i == len(s.b) {
		return false
	}
	switch s.b[s.i] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return true
	case 'u':
		for range 4 {
			if s.i++; s.i == len(s.b) || !isHex(s.b[s.i]) {
				return false
			}
		}
		return true
	}
	return false
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

// number steps over a number; it stands at its first byte.
func (s *scanner) number() {
	if s.b[s.i] == '-' {
		s.i++
	}
	if s.here() == '0' {
		s.i++ // no digit may follow (RFC 8259, 6)
	} else {
		s.digits()
	}
	if s.here() == '.' {
		s.i++
		s.digits()
	}
	if c := s.here(); c == 'e' || c == 'E' {
		s.i++
		if c := s.here(); c == '+' || c == '-' {
			s.i++
		}
		s.digits()
	}
}

// here returns the byte that it stands at, 0 at the end.
func (s *scanner) here() byte {
	if s.i < len(s.b) {
		return s.b[s.i]
	}
	return 0
}

// digits steps over one or more.
func (s *scanner) digits() {
	start := s.i
	for c := s.here(); '0' <= c && c <= '9'; c = s.here() {
		s.i++
	}
	if s.i == start {
		s.fail("a digit")
	}
}

// unquote returns what the checked JSON string raw says: a slice of it, unless
// it holds escapes. Half a surrogate pair becomes U+FFFD.
func unquote(raw []byte) []byte {
	if bytes.IndexByte(raw, '\\') < 0 {
		if len(raw) < 2 {
			return nil // the scanner has failed inside it
		}
		return raw[1 : len(raw)-1]
	}
	var s string
	if json.Unmarshal(raw, &s) != nil {
		return nil // likewise
	}
	return []byte(s)
}
