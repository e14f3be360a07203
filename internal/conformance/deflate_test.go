package conformance_test

import (
	"bytes"
	"compress/flate"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// squeezed returns what payload compresses to at a level of compress/flate, as
// RFC 7692 7.2.1 has it: without the last four bytes.
func squeezed(level int, payload string) string {
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, level)
	if err == nil {
		_, err = io.WriteString(w, payload)
	}
	if err == nil {
		err = w.Flush()
	}
	if err != nil {
		panic(err)
	}
	return strings.TrimSuffix(b.String(), "\x00\x00\xff\xff")
}

// compressed returns a client's frame of a whole message.
func compressed(op byte, payload string) []byte {
	return masked(fin|rsv1|op, squeezed(flate.DefaultCompression, payload))
}

// inflated returns what a compressed message of the server's says (RFC 7692 7.2.2).
// Nothing of an earlier one is there for it to refer to.
func inflated(payload string) (string, error) {
	r := flate.NewReader(strings.NewReader(payload + "\x00\x00\xff\xff" + "\x01\x00\x00\xff\xff"))
	b, err := io.ReadAll(io.LimitReader(r, 1<<20))
	return string(b), err
}

// deflation is an exchange on a connection that has negotiated permessage-deflate.
// want is what the server's messages say, whether it has compressed them or not.
type deflation exchange

func (x deflation) play(t *testing.T, h *host, cuts ...int) {
	p := h.dial(t)
	defer p.leave()
	p.send([]byte(offering("permessage-deflate; client_max_window_bits")))
	a := p.head()
	require.Equal(t, 101, a.code(t))
	require.Len(t, a.all("Sec-WebSocket-Extensions"), 1)
	p.may = rsv1
	p.pieces(x.send, cuts...)
	for _, want := range x.want {
		got := p.next()
		if got.first&rsv1 != 0 {
			require.Less(t, got.first&0x0f, byte(closing), "a control frame is compressed (7692 6)")
			require.NotEqual(t, byte(continuation), got.first&0x0f, "RSV1 on a continuation (7692 6)")
			plain, err := inflated(got.payload)
			require.NoError(t, err, "%q", got.payload)
			got = frame{got.first &^ rsv1, plain}
		}
		if got != want {
			require.FailNow(t, "another message", "expected %v\ngot      %v", want, got)
		}
	}
	if x.end == alive {
		p.lives()
	} else {
		p.closed(x.end)
	}
}

// pseudorandom is text that deflates to three quarters of its size.
func pseudorandom(n int) string {
	r, b := rand.New(rand.NewPCG(1, 2)), make([]byte, n)
	for i := range b {
		b[i] = ' ' + byte(r.IntN(64))
	}
	return string(b)
}

// deflations are the cases of RFC 7692 6 and 7.2.
func deflations() (all []deflation) {
	add := func(rule, label string, send []byte, end int, want ...frame) {
		all = append(all, deflation{rule, label, send, want, end})
	}
	hello := frame{fin | text, "Hello"}

	for _, op := range []byte{continuation, closing, ping, pong} {
		add("7692 6.1", fmt.Sprintf("RSV1 on opcode %x", op), []byte{fin | rsv1 | op}, 1002)
		add("7692 6.1", fmt.Sprintf("RSV1 on opcode %x within a compressed message", op), joined(masked(rsv1|text, "\xf2\x48"), []byte{fin | rsv1 | op}), 1002)
		add("7692 6.1", fmt.Sprintf("RSV1 on opcode %x within one that is not", op), joined(masked(text, "a"), []byte{fin | rsv1 | op}), 1002)
	}
	for _, bits := range []byte{rsv2, rsv3, rsv1 | rsv2, rsv1 | rsv3, rsv2 | rsv3, rsv1 | rsv2 | rsv3} {
		add("6455 5.2 RSV", fmt.Sprintf("bits %03b, with compression", bits>>4), []byte{fin | bits | text}, 1002)
	}
	add("6455 5.2 opcode", "reserved, compressed", []byte{fin | rsv1 | 3}, 1002)
	add("7692 6.2", "a message that is not compressed", masked(fin|text, "Hello"), alive, hello)
	add("7692 6.2", "one in fragments", joined(masked(text, "Hel"), masked(fin|continuation, "lo")), alive, hello)
	add("7692 6.2", "compressed and not in turn", joined(compressed(text, "Hello"), masked(fin|text, "Hello"), compressed(binaryData, "Hello"), masked(fin|binaryData, "Hello"), compressed(text, "Hello")),
		alive, hello, hello, frame{fin | binaryData, "Hello"}, frame{fin | binaryData, "Hello"}, hello)
	add("7692 6.2", "text that is not compressed is still checked at once", begun(fin|text, "a\xff", 100), 1007)

	add("7692 7.2.3.1", "one block", masked(fin|rsv1|text, "\xf2\x48\xcd\xc9\xc9\x07\x00"), alive, hello)
	add("7692 7.2.3.1", "one block in two fragments", joined(masked(rsv1|text, "\xf2\x48\xcd"), masked(fin|continuation, "\xc9\xc9\x07\x00")), alive, hello)
	add("7692 7.2.3.2", "what refers to the message before, which was not agreed on", joined(masked(fin|rsv1|text, "\xf2\x48\xcd\xc9\xc9\x07\x00"), masked(fin|rsv1|text, "\xf2\x00\x11\x00\x00")), 1007, hello)
	add("7692 7.2.3.2", "what refers to before the first message", masked(fin|rsv1|text, "\xf2\x00\x11\x00\x00"), 1007)
	add("7692 7.2.2", "a distance that begins at the first byte", masked(fin|rsv1|text, "\x4a\x04\x02\x00\x00"), alive, frame{fin | text, "aaaa"})
	add("7692 7.2.2 bad", "a distance that begins one byte before it", masked(fin|rsv1|text, "\x4a\x04\x42\x00\x00"), 1007)
	add("7692 7.2.3.3", "a block that is stored", masked(fin|rsv1|text, "\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00"), alive, hello)
	add("7692 7.2.3.4", "a block with BFINAL", masked(fin|rsv1|text, "\xf3\x48\xcd\xc9\xc9\x07\x00\x00"), alive, hello)
	add("7692 7.2.3.4", "and another message behind it", joined(masked(fin|rsv1|text, "\xf3\x48\xcd\xc9\xc9\x07\x00\x00"), masked(fin|rsv1|text, "\xf2\x48\xcd\xc9\xc9\x07\x00")), alive, hello, hello)
	add("7692 7.2.3.5", "two blocks", masked(fin|rsv1|text, "\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00"), alive, hello)
	add("7692 7.2.3.6", "an empty message", masked(fin|rsv1|text, "\x00"), alive, frame{fin | text, ""})
	add("7692 7.2.3.6", "empty, of bytes", masked(fin|rsv1|binaryData, "\x00"), alive, frame{fin | binaryData, ""})
	add("7692 7.2.3.6", "an empty fragment at the end", joined(masked(rsv1|text, "\xf2\x48\xcd\xc9\xc9\x07\x00"), masked(fin|continuation, "")), alive, hello)

	for _, level := range []int{flate.HuffmanOnly, flate.NoCompression, flate.BestSpeed, flate.DefaultCompression, flate.BestCompression} {
		for _, n := range []int{0, 1, 125, 126, 32_767, 32_768, 32_769, 65_535, 65_536, most - 100} {
			payload := pseudorandom(n)
			add("7692 7.2.2", fmt.Sprintf("%d bytes at level %d", n, level), masked(fin|rsv1|binaryData, squeezed(level, payload)), alive, frame{fin | binaryData, payload})
		}
	}
	for _, text := range []string{"Hello", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "κόσμε, κόσμε", everyByte()} {
		sent := squeezed(flate.BestCompression, text)
		for cut := range min(len(sent), short) {
			add("7692 7.2.2", fmt.Sprintf("%.10q in fragments, the second from byte %d, a pong between", text, cut),
				joined(masked(rsv1|binaryData, sent[:cut]), masked(fin|pong, ""), masked(continuation, ""), masked(fin|continuation, sent[cut:])), alive, frame{fin | binaryData, text})
		}
	}
	add("7692 7.2.2", "blocks without number", masked(fin|rsv1|text, strings.Repeat("\x00\x00\x00\xff\xff", 5000)+"\xf2\x48\xcd\xc9\xc9\x07\x00"), alive, hello)
	add("7692 7.2.2", "a block for each byte", masked(fin|rsv1|text, "\x00\x01\x00\xfe\xffH\x00\x01\x00\xfe\xffe\x00\x01\x00\xfe\xffl\x00\x01\x00\xfe\xffl\x00\x01\x00\xfe\xffo\x00"), alive, hello)
	add("7692 7.2.1", "what repeats comes back compressed or not, each message by itself", joined(compressed(text, strings.Repeat("ab", 5000)), compressed(text, strings.Repeat("ab", 5000))),
		alive, frame{fin | text, strings.Repeat("ab", 5000)}, frame{fin | text, strings.Repeat("ab", 5000)})

	for label, bad := range map[string]string{
		"a block of the reserved type":                "\x06",
		"the same, the last":                          "\x07\x00",
		"a stored block whose lengths differ":         "\x00\x05\x00\xfa\xfeHello\x00",
		"a stored block that is cut":                  "\x00\xff\x00\x00\xffHello",
		"a stored block's header that is cut":         "\x00\x05",
		"too many literals in a dynamic block":        "\xfc\xff\x00",
		"a dynamic block that is cut":                 squeezed(flate.BestCompression, pseudorandom(500))[:100],
		"a distance that is none":                     "\x4a\x04\x3e\x00\x00",
		"a good block and a bad one":                  "\x00\x05\x00\xfa\xffHello\x06",
		"junk behind the last block":                  "\xf3\x48\xcd\xc9\xc9\x07\x00\xff\xff\xff\xff",
		"ff":                                          "\xff\xff\xff\xff",
		"what is not compressed at all, with letters": "~~~~~~~~",
	} {
		add("7692 7.2.2 bad", label, masked(fin|rsv1|binaryData, bad), 1007)
	}
	add("6455 8.1 invalid", "text, compressed", compressed(text, "a\xff"), 1007)
	add("6455 8.1 invalid", "text that is cut, compressed", compressed(text, "a\xe2\x82"), 1007)
	add("6455 8.1 valid", "text, compressed", compressed(text, "κόσμε-€-𝄞"), alive, frame{fin | text, "κόσμε-€-𝄞"})
	add("6455 8.1 valid", "bytes, compressed", compressed(binaryData, "\xff\xfe"), alive, frame{fin | binaryData, "\xff\xfe"})

	add("6455 7.4.1 1009", "inflates to the limit", compressed(text, pseudorandom(most)), alive, frame{fin | text, pseudorandom(most)})
	add("6455 7.4.1 1009", "inflates to one byte more", compressed(text, pseudorandom(most+1)), 1009)
	add("6455 7.4.1 1009", "a bomb", compressed(text, strings.Repeat("\x00", 16<<20)), 1009)
	add("6455 7.4.1 1009", "a bomb of bytes, in fragments", bomb(), 1009)
	add("6455 7.4.1 1009", "too big before it is inflated, found by its header", header(fin|rsv1|text, most+1), 1009)
	return all
}

// bomb is 16 MiB in fragments of 1,000 bytes.
func bomb() (b []byte) {
	s, first := squeezed(flate.BestCompression, strings.Repeat("x", 16<<20)), byte(rsv1|binaryData)
	for len(s) > 1000 {
		b, s, first = append(b, masked(first, s[:1000])...), s[1000:], continuation
	}
	return append(b, masked(fin|continuation, s)...)
}

func TestDeflate(t *testing.T) {
	h := open(t)
	for _, x := range deflations() {
		t.Run(x.rule+": "+x.label, func(t *testing.T) {
			x.play(t, h)
			every := []int{}
			for cut := 1; cut < len(x.send) && len(x.send) <= short; cut++ {
				x.play(t, h, cut)
				every = append(every, cut)
			}
			x.play(t, h, every...)
		})
	}
}
