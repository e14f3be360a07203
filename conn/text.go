package conn

import "unicode/utf8"

// textTail is the begin of a character that ended a piece of text: 1 to 3 bytes,
// or none.
type textTail struct {
	bytes [utf8.UTFMax]byte
	n     uint8
}

// take reports whether text can go on with b: whether what has come, with b, is
// UTF-8 or begins something that is. So it fails at the first byte that is
// impossible (RFC 6455 section 8.1, RFC 3629 section 4). It keeps nothing of b.
func (t *textTail) take(b []byte) bool {
	for ; t.n > 0 && len(b) > 0; b = b[1:] {
		t.bytes[t.n] = b[0]
		t.n++
		if begun := t.bytes[:t.n]; utf8.FullRune(begun) { // which it is too where the last byte is impossible
			if _, size := utf8.DecodeRune(begun); size < len(begun) {
				return false
			}
			t.n = 0
		}
	}
	whole := wholeRunes(b)
	if !utf8.Valid(b[:whole]) {
		return false
	}
	if whole < len(b) {
		t.n = uint8(copy(t.bytes[:], b[whole:]))
	}
	return true
}

// whole reports whether what was taken may end here.
func (t *textTail) whole() bool { return t.n == 0 }

// wholeRunes returns where a character begins that b ends within, or b's length.
func wholeRunes(b []byte) int {
	for i := len(b) - 1; i >= 0 && i > len(b)-utf8.UTFMax; i-- {
		if !utf8.RuneStart(b[i]) {
			continue
		}
		if utf8.FullRune(b[i:]) {
			break
		}
		return i
	}
	return len(b)
}
