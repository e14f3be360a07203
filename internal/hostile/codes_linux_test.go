package hostile_test

import (
	"bytes"
	"compress/flate"
	"slices"
	"strings"
	"testing"
)

const fullBomb = 1 << 30

// bomb is a compressed message of so many zeros (RFC 7692 section 7.2.1), a multiple of a million.
func bomb(zeros int) []byte {
	const piece = 1 << 20
	var b bytes.Buffer
	w, _ := flate.NewWriter(&b, flate.BestCompression)
	write := func() []byte {
		b.Reset()
		w.Write(make([]byte, piece))
		w.Flush()
		return bytes.Clone(b.Bytes())
	}
	whole := write()
	whole = append(whole, bytes.Repeat(write(), zeros/piece-1)...)
	return bytes.TrimSuffix(whole, []byte("\x00\x00\xff\xff"))
}

// What is too much, or cannot be: each is closed with the right code, and costs the server next to nothing.
func TestCodes(t *testing.T) {
	var tiny, pings []byte
	for range 1000 {
		tiny = append(tiny, frame(opContinuation, "a")...)
		pings = append(pings, frame(fin|opPing, strings.Repeat("p", 125))...)
	}
	// A message may have 2 MiB here, so a bomb is taken in whole before it is found to be one.
	large := []string{"--max-message", "2MiB", "--log-limit", "16MiB", "--max-byte-rate", "0"}
	anyRate := []string{"--max-message-rate", "0", "--max-byte-rate", "0"}
	whole, fitting := bomb(fullBomb), bomb(60<<20)
	for _, c := range []struct {
		label       string
		flags       []string
		target      string
		first, more []byte // more is said again and again
		times       int
		code        int
	}{
		{"bomb of 1 GB, larger than a message may be", nil, "/echo", append(head(fin|rsv1|opBinary, uint64(len(whole))), whole...), nil, 0, 1009},
		{"bomb of 1 GB, as large as a message may be", large, "/echo", append(head(fin|rsv1|opBinary, uint64(len(whole))), whole...), nil, 0, 1009},
		{"bomb of 60 MB in 64 KiB", nil, "/echo", append(head(fin|rsv1|opText, uint64(len(fitting))), fitting...), nil, 0, 1009},
		{"length 2^63, of which the third byte tells", nil, "/echo", head(fin|opBinary, 1<<63)[:3], nil, 0, 1002},
		{"length 2^64-1", nil, "/echo", head(fin|opBinary, 1<<64-1)[:3], nil, 0, 1002},
		{"length 2^63-1", nil, "/echo", head(fin|opBinary, 1<<63-1)[:10], nil, 0, 1009},
		{"length 2^32", nil, "/echo", head(fin|opBinary, 1<<32)[:10], nil, 0, 1009},
		{"length 65,537", nil, "/echo", head(fin|opBinary, 65_537)[:10], nil, 0, 1009},
		{"second fragment too long", nil, "/echo", append(frame(opBinary, strings.Repeat("a", 60_000)), head(opContinuation, 10_000)[:4]...), nil, 0, 1009},
		{"100,000 tiny fragments", nil, "/echo", frame(opText, "a"), tiny, 100, 4429},
		{"100,000 tiny fragments at any rate", anyRate, "/echo", frame(opText, "a"), tiny, 100, 1009},
		{"empty fragments", nil, "/echo", frame(opText, ""), bytes.Repeat(frame(opContinuation, ""), 1000), 100, 4429},
		{"fragments that never end", nil, "/echo", frame(opText, "a"), frame(opContinuation, strings.Repeat("a", 1000)), 1000, 1009},
		{"ping flood", nil, "/echo", nil, pings, 100, 4429},
		{"flood of bytes", nil, "/echo", nil, frame(fin|opBinary, strings.Repeat("a", 65_536)), 1000, 4429},
		{"flood of messages", nil, "/echo", nil, bytes.Repeat(frame(fin|opText, ""), 1000), 100, 4429},
		{"flood of commands", nil, "/ws", nil, bytes.Repeat(frame(fin|opText, `{"op":"ping"}`), 1000), 100, 4429},
		{"messages to who takes none", nil, "/ws?topic=a", nil, frame(fin|opText, strings.Repeat("a", 60_000)), 1, 1003},
	} {
		t.Run(c.label, func(t *testing.T) {
			headers := deflate
			if c.target == "/ws" {
				headers = "Sec-WebSocket-Protocol: pushd.v1\r\n"
			}
			p := serve(t, c.flags...)
			one := func(int) error {
				a, err := open(p.public, c.target, headers)
				if err != nil {
					return err
				}
				defer a.reset()
				return a.pourUntil(c.code, c.first, c.more, c.times)
			}
			at := atOnce
			if slices.Equal(c.flags, large) { // each may keep 2 MiB of what it sends
				at = 1
			}
			crowd(t, atOnce, at, one) // pools, inflaters and stacks are there, as they are in a server that is used
			withinRoom(p, func() { crowd(t, often(50, 1000), at, one) })
		})
	}
}
