package conn_test

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/pushd/pushd/conn"
)

// firstImpossible returns how many bytes of b can still become UTF-8: b's length where all can. It goes by the table of
// RFC 3629 section 4, and knows nothing of Go's package.
func firstImpossible(b []byte) (n int, whole bool) {
	type span struct{ low, high byte }
	tail := span{0x80, 0xbf}
	var need []span
	for i, c := range b {
		if len(need) > 0 {
			if c < need[0].low || c > need[0].high {
				return i, false
			}
			need = need[1:]
			continue
		}
		switch {
		case c <= 0x7f:
		case c >= 0xc2 && c <= 0xdf:
			need = []span{tail}
		case c == 0xe0:
			need = []span{{0xa0, 0xbf}, tail}
		case c == 0xed:
			need = []span{{0x80, 0x9f}, tail}
		case c >= 0xe1 && c <= 0xef:
			need = []span{tail, tail}
		case c == 0xf0:
			need = []span{{0x90, 0xbf}, tail, tail}
		case c >= 0xf1 && c <= 0xf3:
			need = []span{tail, tail, tail}
		case c == 0xf4:
			need = []span{{0x80, 0x8f}, tail, tail}
		default:
			return i, false
		}
	}
	return len(b), len(need) == 0
}

// requireText has text checked in pieces.
func requireText(tb testing.TB, pieces ...string) {
	tb.Helper()
	all := strings.Join(pieces, "")
	possible, whole := firstImpossible([]byte(all))
	require.Equal(tb, utf8.ValidString(all), whole, "%q", all) // the test's table is right
	var text conn.Text
	taken := 0
	for _, piece := range pieces {
		taken += len(piece)
		if got, want := text.Take([]byte(piece)), taken <= possible; got != want {
			tb.Fatalf("%q: %v after %d bytes, of which %d are possible", pieces, got, taken, possible)
		} else if !got {
			return
		}
	}
	require.Equal(tb, whole, text.Whole(), "%q", pieces)
}

// TestTextInPieces tries every sequence of the bytes at the bounds of RFC 3629's table, with every cut in two and byte by
// byte.
func TestTextInPieces(t *testing.T) {
	bounds := []byte{0, 'a', 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc1, 0xc2, 0xdf, 0xe0, 0xe1, 0xec, 0xed, 0xee, 0xef, 0xf0, 0xf1, 0xf3, 0xf4, 0xf5, 0xff}
	sequence := make([]byte, 4)
	for i := range len(bounds) * len(bounds) * len(bounds) * len(bounds) {
		for at := range sequence {
			sequence[at] = bounds[i%len(bounds)]
			i /= len(bounds)
		}
		text := string(sequence)
		requireText(t, text[:1], text[1:2], text[2:3], text[3:])
		for cut := range text {
			requireText(t, text[:cut], text[cut:])
		}
	}
}

// TestTextBadAnywhere puts what is impossible at every place of a text, and cuts it at every place.
func TestTextBadAnywhere(t *testing.T) {
	good := "aé€😀, mostly ASCII, as texts are, so that the fast way is gone too 😀€éa"
	for at := range len(good) + 1 {
		for _, bad := range []string{"\x80", "\xff", "\xc0\xaf", "\xed\xa0\x80", "\xf4\x90", "\xe2\x28"} {
			text := good[:at] + bad + good[at:]
			for cut := range text {
				requireText(t, text[:cut], text[cut:])
			}
		}
	}
}

func FuzzText(f *testing.F) {
	for _, text := range []string{"", "plain", "aé€😀", "\xe2\x82", "\xf0\x90\x80\x80\xff", "\xed\xa0\x80"} {
		f.Add([]byte(text), []byte{0, 2})
	}
	f.Fuzz(func(t *testing.T, text, pieces []byte) {
		var cut []string
		for i := 0; len(text) > 0; i++ {
			n := len(text)
			if len(pieces) > 0 {
				n = min(n, int(pieces[i%len(pieces)]))
			}
			if n == 0 {
				cut = append(cut, "") // an empty piece changes nothing
				n = 1
			}
			cut, text = append(cut, string(text[:n])), text[n:]
		}
		requireText(t, cut...)
	})
}

func BenchmarkText(b *testing.B) {
	for _, size := range []int{40, 4 << 10} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			in := []byte(strings.Repeat("é", size/2))
			b.SetBytes(int64(len(in)))
			b.ReportAllocs()
			for b.Loop() {
				var text conn.Text
				if !text.Take(in) {
					b.Fatal("it is UTF-8")
				}
			}
		})
	}
}
