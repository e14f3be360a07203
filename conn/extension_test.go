package conn_test

import (
	"strings"
	"testing"

	"github.com/gobwas/httphead"
	"github.com/gobwas/ws/wsflate"
	"github.com/stretchr/testify/require"

	"github.com/pushd/pushd/conn"
)

const (
	accepts       = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
	acceptsWindow = accepts + "; server_max_window_bits=15"
)

// offering returns a request with these Sec-WebSocket-Extensions headers.
func offering(headers ...string) string {
	head := shortHead[:len(shortHead)-2]
	for _, h := range headers {
		head += "Sec-WebSocket-Extensions: " + h + "\r\n"
	}
	return head + "\r\n"
}

// negotiate returns what the offers are answered with, or the refusal.
func negotiate(t testing.TB, headers ...string) (answer string, refusal *conn.Refusal) {
	t.Helper()
	var h conn.Head
	head := []byte(offering(headers...))
	n, err := h.Parse(head)
	require.NoError(t, err)
	require.Equal(t, len(head), n)
	refusal = h.CheckUpgrade(head)
	return h.Deflate(), refusal
}

func TestDeflateOffers(t *testing.T) {
	for _, c := range []struct {
		clause, label string
		headers       []string
		want          string
	}{
		{"7692 5.1", "none", nil, ""},
		{"7692 7.1", "alone", []string{"permessage-deflate"}, accepts},
		{"7692 7.1.1.1", "server_no_context_takeover", []string{"permessage-deflate; server_no_context_takeover"}, accepts},
		{"7692 7.1.1.2", "client_no_context_takeover", []string{"permessage-deflate;client_no_context_takeover"}, accepts},
		{"7692 7.1.2.1", "the full window", []string{"permessage-deflate; server_max_window_bits=15"}, acceptsWindow},
		{"7692 7.1.2.1", "quoted", []string{`permessage-deflate; server_max_window_bits="15"`}, acceptsWindow},
		{"6455 9.1", "quoted, a character escaped", []string{`permessage-deflate; server_max_window_bits="1\5"`}, acceptsWindow},
		{"7692 7.1.2.1", "a smaller window than ours", []string{"permessage-deflate; server_max_window_bits=14"}, ""},
		{"7692 7.1.2.1", "the smallest window", []string{"permessage-deflate; server_max_window_bits=8"}, ""},
		{"7692 7.1.2.1", "9, which peers answer with 12", []string{"permessage-deflate; server_max_window_bits=9"}, ""},
		{"7692 7.1.2.1", "no window", []string{"permessage-deflate; server_max_window_bits"}, ""},
		{"7692 7.1.2.1", "too small", []string{"permessage-deflate; server_max_window_bits=7"}, ""},
		{"7692 7.1.2.1", "too large", []string{"permessage-deflate; server_max_window_bits=16"}, ""},
		{"7692 7.1.2.1", "a leading zero", []string{"permessage-deflate; server_max_window_bits=015"}, ""},
		{"7692 7.1.2.1", "not a number", []string{"permessage-deflate; server_max_window_bits=1x"}, ""},
		{"7692 7.1.2.1", "much too long", []string{"permessage-deflate; server_max_window_bits=" + strings.Repeat("1", 300)}, ""},
		{"7692 7.1.2.2", "client_max_window_bits", []string{"permessage-deflate; client_max_window_bits"}, accepts},
		{"7692 7.1.2.2", "client_max_window_bits with a value", []string{"permessage-deflate; client_max_window_bits=10"}, accepts},
		{"7692 7.1.2.2", "with a bad value", []string{"permessage-deflate; client_max_window_bits=16"}, ""},
		{"7692 7", "an unknown parameter", []string{"permessage-deflate; speed=9"}, ""},
		{"7692 7", "a parameter in other letters", []string{"permessage-deflate; Client_Max_Window_Bits"}, ""},
		{"7692 7", "a parameter twice", []string{"permessage-deflate; client_max_window_bits; client_max_window_bits=10"}, ""},
		{"7692 7", "a value where there is none", []string{"permessage-deflate; server_no_context_takeover=1"}, ""},
		{"7692 7", "a quoted value where there is none", []string{`permessage-deflate; server_no_context_takeover="1"`}, ""},
		{"7692 5.1", "the second offer", []string{"permessage-deflate; server_max_window_bits=10, permessage-deflate"}, accepts},
		{"7692 5.1", "the first that can be", []string{"permessage-deflate, permessage-deflate; server_max_window_bits=15"}, accepts},
		{"6455 11.3.2", "in a second header", []string{"permessage-deflate; speed=9", "x-other, permessage-deflate"}, accepts},
		{"6455 9.1", "another extension", []string{"x-webkit-deflate-frame"}, ""},
		{"6455 9.1", "another with parameters", []string{`bbf-usp-protocol; eid="doc-3", permessage-deflate`}, accepts},
		{"6455 9.1", "another before", []string{"x-webkit-deflate-frame; a=b, permessage-deflate"}, accepts},
		{"9110 5.6.1", "empty elements", []string{",, permessage-deflate ,"}, accepts},
		{"9110 5.6.3", "white space", []string{"permessage-deflate\t ; client_max_window_bits = 10 , x"}, accepts},
	} {
		t.Run(c.clause+" "+c.label, func(t *testing.T) {
			answer, refusal := negotiate(t, c.headers...)
			require.Nil(t, refusal)
			require.Equal(t, c.want, answer)
		})
	}
}

// RFC 6455 9.1: who sends what does not follow the grammar is failed.
func TestMalformedExtensions(t *testing.T) {
	for _, bad := range []string{
		"permessage-deflate;", "permessage-deflate; =1", "permessage-deflate; a=", "permessage-deflate; a=,", "per message", "a; b c", "a/b", ";a",
		"=", `a; b="`, `a; b="c`, `a; b=""`, `a; b="c d"`, `a; b="c\`, `a; b="c"d`, "a; b=c=d", `"a"`, "a; b; ", "a, b;",
	} {
		_, refusal := negotiate(t, bad)
		require.NotNil(t, refusal, bad)
		require.Equal(t, 400, refusal.Status, bad)
		require.Contains(t, refusal.Message, "Sec-WebSocket-Extensions", bad)
		_, refusal = negotiate(t, "permessage-deflate", bad)
		require.NotNil(t, refusal, bad)
	}
}

func TestDeflateOfferDoesNotAllocate(t *testing.T) {
	head := []byte(offering("permessage-deflate; client_max_window_bits"))
	dst := make([]byte, 0, 512)
	require.Zero(t, testing.AllocsPerRun(100, func() {
		var h conn.Head
		if _, err := h.Parse(head); err != nil || h.CheckUpgrade(head) != nil {
			t.Fatal("refused")
		}
		dst = conn.AppendSwitching(dst[:0], h.Key(head), nil, h.Deflate())
	}))
	require.Contains(t, string(dst), "\r\nSec-WebSocket-Extensions: "+accepts+"\r\n")
}

// FuzzExtensions: what another parser understands as offers is answered as it would be, and what is answered is what a client
// may be told.
func FuzzExtensions(f *testing.F) {
	for _, s := range []string{"permessage-deflate", "permessage-deflate; server_max_window_bits=15", `a; b="c", permessage-deflate; client_max_window_bits=9`, ",;=\""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, header string) {
		for i := range len(header) {
			if c := header[i]; c < ' ' || c > '~' {
				return // is no header's value
			}
		}
		if len(header) > 4<<10 {
			return // is no header that comes this far
		}
		answer, refusal := negotiate(t, header)
		if refusal != nil {
			return
		}
		options, _ := httphead.ParseOptions([]byte(header), nil)
		want := ""
		for _, o := range options {
			var p wsflate.Parameters
			if string(o.Name) == wsflate.ExtensionName && p.Parse(o) == nil && (!p.ServerMaxWindowBits.Defined() || p.ServerMaxWindowBits == 15) {
				want = accepts
				if p.ServerMaxWindowBits.Defined() {
					want = acceptsWindow
				}
				break
			}
		}
		if answer != "" && want == "" {
			t.Fatalf("%q is answered %q, and not to be", header, answer)
		}
	})
}
