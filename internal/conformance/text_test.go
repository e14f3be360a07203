package conformance_test

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"
)

// good is text that has to come back as it went (RFC 3629).
var good = []struct{ label, text string }{
	{"Greek", "\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5"},
	{"of two, three and four bytes", "-µ-€-𝄞-"},
	{"the first of one byte", "\x00"},
	{"the first of two", "\xc2\x80"},
	{"the first of three", "\xe0\xa0\x80"},
	{"the first of four", "\xf0\x90\x80\x80"},
	{"the last of one byte", "\x7f"},
	{"the last of two", "\xdf\xbf"},
	{"the last of three", "\xef\xbf\xbf"},
	{"the last of all", "\xf4\x8f\xbf\xbf"},
	{"before the surrogates", "\xed\x9f\xbf"},
	{"behind the surrogates", "\xee\x80\x80"},
	{"the replacement character", "\xef\xbf\xbd"},
	{"not characters: U+FFFE", "\xef\xbf\xbe"},
	{"not characters: U+1FFFE", "\xf0\x9f\xbf\xbe"},
	{"not characters: U+FFFFF", "\xf3\xbf\xbf\xbf"},
	{"not characters: U+FDD0", "\xef\xb7\x90"},
	{"a byte order mark", "\xef\xbb\xbfa"},
	{"NUL within", "a\x00b"},
}

// bad is text that cannot be UTF-8, whatever follows. The bar stands before its
// first impossible byte.
var bad = []struct{ label, text string }{
	{"a surrogate behind Greek", "\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xed|\xa0\x80edited"},
	{"above U+10FFFF behind Greek", "\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xf4|\x90\x80\x80edited"},
	{"five bytes", "|\xf8\x88\x80\x80\x80"},
	{"six bytes", "|\xfc\x84\x80\x80\x80\x80"},
	{"the last of what four bytes could hold", "|\xf7\xbf\xbf\xbf"},
	{"the last of five", "|\xfb\xbf\xbf\xbf\xbf"},
	{"the last of six", "|\xfd\xbf\xbf\xbf\xbf\xbf"},
	{"the first above U+10FFFF", "\xf4|\x90\x80\x80"},
	{"a continuation alone", "|\x80"},
	{"the last continuation alone", "|\xbf"},
	{"continuations", "|\x80\xbf\x80\xbf\x80\xbf"},
	{"a continuation too many", "\xc2\x80|\x80"},
	{"a start of two and a space", "\xdf| "},
	{"a start of three and a space", "\xe2| "},
	{"a start of four and a space", "\xf1| "},
	{"a start of three, one more and a space", "\xe2\x82| "},
	{"a start of four, two more and a space", "\xf1\x80\x80| "},
	{"two starts", "\xc3|\xc3"},
	{"incomplete ones together", "\xdf|\xe0\x80\xf0\x80\x80"},
	{"fe", "|\xfe"},
	{"ff", "|\xff"},
	{"fe and ff", "|\xfe\xfe\xff\xff"},
	{"a slash in two", "|\xc0\xaf"},
	{"a slash in three", "\xe0|\x80\xaf"},
	{"a slash in four", "\xf0|\x80\x80\xaf"},
	{"a slash in five", "|\xf8\x80\x80\x80\xaf"},
	{"a slash in six", "|\xfc\x80\x80\x80\x80\xaf"},
	{"the last too long of two", "|\xc1\xbf"},
	{"the last too long of three", "\xe0|\x9f\xbf"},
	{"the last too long of four", "\xf0|\x8f\xbf\xbf"},
	{"NUL in two", "|\xc0\x80"},
	{"NUL in three", "\xe0|\x80\x80"},
	{"NUL in four", "\xf0|\x80\x80\x80"},
	{"the first high surrogate", "\xed|\xa0\x80"},
	{"the last high surrogate", "\xed|\xaf\xbf"},
	{"the first low surrogate", "\xed|\xb0\x80"},
	{"the last low surrogate", "\xed|\xbf\xbf"},
	{"a pair of surrogates", "\xed|\xa0\x80\xed\xb0\x80"},
	{"Latin-1", "caf\xe9| au lait"},
	{"what is left of a cut character", "abc|\x82\xac"},
}

// unfinished is text that could still become UTF-8, but has ended.
var unfinished = []string{"\xc2", "\xdf", "\xe0", "\xe0\xa0", "\xe2\x82", "\xed\x9f", "\xef\xbf", "\xf0", "\xf0\x90", "\xf0\x90\x80", "\xf4\x8f\xbf", "\xce\xba\xe1\xbd"}

// eachByte returns text in fragments of one byte.
func eachByte(s string) (b []byte) {
	first := byte(text)
	for i := range len(s) {
		b = append(b, masked(first, s[i:i+1])...)
		first = continuation
	}
	return append(b, masked(fin|first, "")...)
}

// texts are the cases of RFC 6455 8.1, which are those of section 6 of Autobahn's
// suite, and in more places.
func texts() (all []exchange) {
	add := func(rule, label string, send []byte, end int, want ...frame) {
		all = append(all, exchange{rule, label, send, want, end})
	}
	for _, c := range good {
		back := frame{fin | text, c.text}
		add("6455 8.1 valid", c.label, masked(fin|text, c.text), alive, back)
		add("6455 8.1 valid", c.label+", each byte a fragment", eachByte(c.text), alive, back)
		for cut := 1; cut < len(c.text); cut++ {
			add("6455 8.1 valid", fmt.Sprintf("%s, a pong behind byte %d", c.label, cut),
				joined(masked(text, c.text[:cut]), masked(fin|pong, ""), masked(continuation, ""), masked(fin|continuation, c.text[cut:])), alive, back)
		}
		in := strings.Repeat("x", 32_767) + c.text // across the server's reads
		add("6455 8.1 valid", c.label+" behind 32,767 bytes", masked(fin|text, in), alive, frame{fin | text, in})
		add("6455 8.1 valid", c.label+" in binary, cut", masked(fin|binaryData, c.text[:len(c.text)-1]), alive, frame{fin | binaryData, c.text[:len(c.text)-1]})
	}
	for _, c := range bad {
		before, rest, _ := strings.Cut(c.text, "|")
		whole, until := before+rest, before+rest[:1]
		add("6455 8.1 invalid", c.label, masked(fin|text, whole), 1007)
		add("6455 8.1 invalid", c.label+", in a last fragment", joined(masked(text, "€"), masked(fin|continuation, whole)), 1007)
		add("6455 8.1 invalid", c.label+", behind an answered message", joined(masked(fin|text, "a"), masked(fin|text, whole)), 1007, frame{fin | text, "a"})
		add("6455 5.6", c.label+" as binary", masked(fin|binaryData, whole), alive, frame{fin | binaryData, whole})

		add("6455 8.1 at once", c.label+", the frame unfinished", begun(fin|text, until, len(until)+100), 1007)
		add("6455 8.1 at once", c.label+", the message unfinished", masked(text, until), 1007)
		add("6455 8.1 at once", c.label+", in a fragment unfinished", joined(masked(text, "€"), begun(continuation, until, 60_000)), 1007)
		add("6455 8.1 at once", c.label+", behind 1,000 bytes", begun(fin|text, strings.Repeat("x", 1000)+until, 60_000), 1007)
		if before != "" {
			add("6455 8.1 at once", c.label+", cut before that byte", joined(masked(text, before), begun(fin|continuation, rest[:1], 2)), 1007)
			add("6455 8.1 at once", c.label+", a ping before that byte", joined(masked(text, before), masked(fin|ping, "?"), begun(continuation, rest[:1], 2)), 1007, frame{fin | pong, "?"})
		}
	}
	for _, s := range unfinished {
		add("6455 8.1 invalid", fmt.Sprintf("ends with %q", s), masked(fin|text, "a"+s), 1007)
		add("6455 8.1 invalid", fmt.Sprintf("ends with %q, each byte a fragment", s), eachByte(s), 1007)
		add("6455 8.1 invalid", fmt.Sprintf("ends with %q, the last fragment empty", s), joined(masked(text, s), masked(fin|continuation, "")), 1007)
	}
	return all
}

func TestText(t *testing.T) { runExchanges(t, texts()) }

// possible reports whether s is UTF-8, or could become it. It goes by the standard
// library, which the server may too: what has to hold is that each byte is judged
// when it comes.
func possible(s string) bool {
	for s != "" {
		if !utf8.FullRuneInString(s) {
			return true
		}
		r, n := utf8.DecodeRuneInString(s)
		if r == utf8.RuneError && n == 1 {
			return false
		}
		s = s[n:]
	}
	return true
}

// bytePairs are the cases of bytes that begin a character with what may follow, at
// the edges of Unicode's table 3-7, in messages that are not finished.
var bytePairs = []story{
	{"6455 8.1 at once", "every first byte, with every second at an edge", func(t *testing.T, h *host) {
		for first := range 0x100 {
			for _, second := range []byte{0x00, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xff} {
				s := string([]byte{byte(first), second})
				p := h.echo(t)
				p.send(begun(text, s, 2))
				if possible(s) {
					p.lives()
				} else {
					p.closed(1007)
				}
				p.leave()
			}
		}
	}},
	{"6455 8.1 at once", "every byte behind each beginning of a character", func(t *testing.T, h *host) {
		for _, before := range unfinished {
			for last := range 0x100 {
				s := before + string([]byte{byte(last)})
				p := h.echo(t)
				p.send(joined(masked(text, before), begun(continuation, s[len(before):], 1)))
				if possible(s) {
					p.lives()
				} else {
					p.closed(1007)
				}
				p.leave()
			}
		}
	}},
}

func TestBytes(t *testing.T) { runStories(t, bytePairs) }
