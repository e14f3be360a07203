package hostile_test

import (
	"fmt"
	"strings"
	"testing"
)

// Text that is not UTF-8 from some position on: closed with 1007 when the first impossible byte has come, though the frame says
// that more will. The bytes before it are said at once; the bad one comes last, in a frame or fragment that never ends.
func TestTextAtEveryPosition(t *testing.T) {
	p := serve(t)
	const whole = "aé漢😀" // one character of each length
	text := strings.Repeat(whole, often(4, 100))
	var starts []int // of its characters: a bad byte within one would not be the first
	for at := range text {
		starts = append(starts, at)
	}
	bad := []struct{ label, bytes string }{
		{"a continuation of nothing", "\x80"},
		{"never in UTF-8", "\xff"},
		{"overlong", "\xc0"},
		{"overlong of three", "\xe0\x80"},
		{"overlong of four", "\xf0\x80"},
		{"a surrogate", "\xed\xa0"},
		{"beyond Unicode", "\xf4\x90"},
		{"five bytes", "\xf8"},
		{"two cut short", "\xc3a"},
		{"three cut short", "\xe6\xbca"},
		{"four cut short", "\xf0\x9f\x98a"},
	}
	for _, b := range bad {
		t.Run(b.label, func(t *testing.T) {
			crowd(t, 3*len(starts), atOnce, func(i int) error {
				a, err := open(p.public, "/echo", "")
				if err != nil {
					return err
				}
				defer a.reset()
				at := starts[i/3]
				said := text[:at]
				var wire []byte
				switch i % 3 {
				case 0: // within a frame
					wire = append(head(fin|opText, uint64(len(said)+len(b.bytes)+10)), said+b.bytes...)
				case 1: // in the second fragment
					wire = append(frame(opText, said), head(fin|opContinuation, uint64(len(b.bytes)+10))...)
					wire = append(wire, b.bytes...)
				case 2: // behind a ping
					wire = append(frame(opText, said), frame(fin|opPing, "")...)
					wire = append(append(wire, head(opContinuation, uint64(len(b.bytes)+10))...), b.bytes...)
				}
				if err := a.pourUntil(1007, wire, nil, 0); err != nil {
					return fmt.Errorf("%q behind %d bytes: %w", b.bytes, at, err)
				}
				return nil
			})
		})
	}
	p.empty()
}
