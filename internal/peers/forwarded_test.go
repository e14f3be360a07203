package peers_test

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"
)

func lines(list []string) (b [][]byte) {
	for _, l := range list {
		b = append(b, []byte(l))
	}
	return b
}

func TestClient(t *testing.T) {
	n := networks(t, "10.0.0.0/8", "fd00::/8")
	const proxy, stranger = "10.0.0.1", "192.0.2.66"
	for _, c := range []struct {
		label, peer    string
		xff, forwarded []string
		want           string
	}{
		{"nobody in between", stranger, nil, nil, stranger},
		{"a stranger's word", stranger, []string{"203.0.113.9"}, []string{"for=203.0.113.9"}, stranger},
		{"a proxy that says nothing", proxy, nil, nil, proxy},

		{"a client", proxy, []string{"203.0.113.9"}, nil, "203.0.113.9"},
		{"what the client wrote before", proxy, []string{"198.51.100.1, 203.0.113.9"}, nil, "203.0.113.9"},
		{"in a header of its own", proxy, []string{"198.51.100.1", "203.0.113.9"}, nil, "203.0.113.9"},
		{"a trusted address that the client wrote before", proxy, []string{"10.9.9.9, 203.0.113.9"}, nil, "203.0.113.9"},
		{"two proxies", proxy, []string{"203.0.113.9, 10.0.0.2"}, nil, "203.0.113.9"},
		{"two proxies, two headers", proxy, []string{"203.0.113.9", "10.0.0.2"}, nil, "203.0.113.9"},
		{"a proxy that is not ours", proxy, []string{"203.0.113.9, 198.51.100.77, 10.0.0.2"}, nil, "198.51.100.77"},
		{"all of them ours", proxy, []string{"10.0.0.3, 10.0.0.2"}, nil, "10.0.0.3"},
		{"IPv6", proxy, []string{"2001:db8::9"}, nil, "2001:db8::9"},
		{"IPv6 in brackets, with a port", proxy, []string{"[2001:db8::9]:4711"}, nil, "2001:db8::9"},
		{"IPv6 in brackets", proxy, []string{"[2001:db8::9]"}, nil, "2001:db8::9"},
		{"IPv4 with a port", proxy, []string{"203.0.113.9:4711"}, nil, "203.0.113.9"},
		{"IPv4 mapped into IPv6", "::ffff:10.0.0.1", []string{"::ffff:203.0.113.9"}, nil, "203.0.113.9"},
		{"IPv6 proxy", "fd00::1", []string{"203.0.113.9 ,\tfd00::2 "}, nil, "203.0.113.9"},
		{"empty elements", proxy, []string{",, 203.0.113.9 ,,", ""}, nil, "203.0.113.9"},
		{"garbage at the end", proxy, []string{"203.0.113.9, garbage"}, nil, proxy},
		{"garbage before a proxy", proxy, []string{"203.0.113.9, garbage, 10.0.0.2"}, nil, "10.0.0.2"},
		{"garbage before the client", proxy, []string{"gar\x00bage, 203.0.113.9"}, nil, "203.0.113.9"},
		{"unknown", proxy, []string{"unknown"}, nil, proxy},
		{"a zone", proxy, []string{"fe80::1%eth0"}, nil, proxy},
		{"a bracket too few", proxy, []string{"[2001:db8::9"}, nil, proxy},
		{"IPv4 in brackets", proxy, []string{"[203.0.113.9]"}, nil, proxy},
		{"a port that is none", proxy, []string{"203.0.113.9:"}, nil, proxy},
		{"leading zeros, which some read as octal", proxy, []string{"010.0.0.1"}, nil, proxy},

		{"Forwarded", proxy, nil, []string{"for=203.0.113.9"}, "203.0.113.9"},
		{"with more parameters", proxy, nil, []string{"proto=https;For=203.0.113.9 ; by=10.0.0.1"}, "203.0.113.9"},
		{"quoted", proxy, nil, []string{`for="203.0.113.9:80"`}, "203.0.113.9"},
		{"IPv6, which must be quoted", proxy, nil, []string{`for="[2001:db8:cafe::17]:4711"`}, "2001:db8:cafe::17"},
		{"a list", proxy, nil, []string{`for=192.0.2.43, for="[2001:db8:cafe::17]"`}, "2001:db8:cafe::17"},
		{"a list in two headers, past a proxy", proxy, nil, []string{`for=192.0.2.43, for="[2001:db8:cafe::17]"`, "for=10.0.0.2;host=x"}, "2001:db8:cafe::17"},
		{"obfuscated", proxy, nil, []string{"for=203.0.113.9, for=_hidden, for=10.0.0.2"}, "10.0.0.2"},
		{"unknown", proxy, nil, []string{"for=unknown"}, proxy},
		{"an obfuscated port", proxy, nil, []string{`for="203.0.113.9:_x1"`}, "203.0.113.9"},
		{"without for", proxy, nil, []string{"for=203.0.113.9, proto=http"}, proxy},
		{"for twice", proxy, nil, []string{"for=203.0.113.9;for=203.0.113.10"}, proxy},
		{"for of nothing", proxy, nil, []string{"for="}, proxy},
		{"a quote that the client left open", proxy, nil, []string{`for="198.51.100.1, for=203.0.113.9`}, "203.0.113.9"},
		{"an escaped quote", proxy, nil, []string{`for="198.51.100.1\", for=203.0.113.9`}, "203.0.113.9"},
		{"a comma in quotes", proxy, nil, []string{`for=203.0.113.9;secret="a,b;for=1.1.1.1"`}, "203.0.113.9"},

		{"both", proxy, []string{"203.0.113.9"}, []string{"for=198.51.100.1"}, "203.0.113.9"},
	} {
		t.Run(c.label, func(t *testing.T) {
			got := n.Client(netip.MustParseAddr(c.peer), lines(c.xff), lines(c.forwarded))
			require.Equal(t, c.want, got.Unmap().String())
		})
	}
}

// FuzzClient: whatever somebody writes, who came to the last proxy is the client; and nobody is made up.
func FuzzClient(f *testing.F) {
	for _, s := range []string{"", "203.0.113.9", `for="`, `for="x\`, "a,b", "[::1]:x", `"`, "for=_x;", "10.0.0.2, 10.0.0.3"} {
		f.Add(s)
	}
	n := networks(f, "10.0.0.0/8")
	proxy, client := netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("203.0.113.9")
	f.Fuzz(func(t *testing.T, written string) {
		b := []byte(written)
		for label, got := range map[string]netip.Addr{
			"one X-Forwarded-For": n.Client(proxy, [][]byte{[]byte(written + ", 203.0.113.9, 10.0.0.2")}, nil),
			"two X-Forwarded-For": n.Client(proxy, [][]byte{b, []byte("203.0.113.9")}, [][]byte{b}),
			"one Forwarded":       n.Client(proxy, nil, [][]byte{[]byte(written + `, for="203.0.113.9:1", for=10.0.0.2`)}),
			"two Forwarded":       n.Client(proxy, nil, [][]byte{b, []byte("for=203.0.113.9")}),
		} {
			require.Equal(t, client, got, label)
		}
		require.Equal(t, client, n.Client(client, [][]byte{b}, [][]byte{b}))
		require.True(t, n.Client(proxy, [][]byte{b}, nil).IsValid())
		require.True(t, n.Client(proxy, nil, [][]byte{b}).IsValid())
	})
}
