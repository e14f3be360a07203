package peers_test

import (
	"encoding/binary"
	"hash/crc32"
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pushd/pushd/internal/peers"
)

const signature = "\r\n\r\n\x00\r\nQUIT\n"

// v2 is a header of version 2.
func v2(command, family byte, body string) string {
	return signature + string([]byte{command, family}) + string(binary.BigEndian.AppendUint16(nil, uint16(len(body)))) + body
}

func tlv(kind byte, value string) string {
	return string([]byte{kind}) + string(binary.BigEndian.AppendUint16(nil, uint16(len(value)))) + value
}

// summed puts the right checksum into a header that ends with one of zeros.
func summed(header string) string {
	sum := crc32.Checksum([]byte(header), crc32.MakeTable(crc32.Castagnoli))
	return header[:len(header)-4] + string(binary.BigEndian.AppendUint32(nil, sum))
}

var (
	inet  = "\xcb\x00\x71\x09\x0a\x00\x00\x01\x30\x39\x00\x50" // 203.0.113.9:12345 to 10.0.0.1:80
	inet6 = string(netip.MustParseAddr("2001:db8::9").AsSlice()) + string(netip.MustParseAddr("2001:db8::1").AsSlice()) + "\x30\x39\x00\x50"
	crc   = tlv(3, "\x00\x00\x00\x00")
)

func TestParseProxy(t *testing.T) {
	for _, c := range []struct{ label, header, want string }{
		{"v1 of IPv4", "PROXY TCP4 203.0.113.9 10.0.0.1 12345 80\r\n", "203.0.113.9"},
		{"v1 of IPv6", "PROXY TCP6 2001:db8::9 2001:db8::1 12345 80\r\n", "2001:db8::9"},
		{"the longest of IPv6", "PROXY TCP6 ffff:f...f:ffff ffff:f...f:ffff 65535 65535\r\n", ""},
		{"v1 of IPv4 in IPv6", "PROXY TCP6 ::ffff:203.0.113.9 ::1 1 0\r\n", "203.0.113.9"},
		{"v1 unknown", "PROXY UNKNOWN\r\n", "none"},
		{"v1 unknown, the longest line", "PROXY UNKNOWN " + strings.Repeat("x", 107-len("PROXY UNKNOWN \r\n")) + "\r\n", "none"},
		{"v1, a byte too long", "PROXY UNKNOWN " + strings.Repeat("x", 108-len("PROXY UNKNOWN \r\n")) + "\r\n", ""},
		{"v1 of another family", "PROXY TCP4 2001:db8::9 2001:db8::1 1 2\r\n", ""},
		{"v1 of another family 6", "PROXY TCP6 203.0.113.9 10.0.0.1 1 2\r\n", ""},
		{"v1 in lower case", "proxy TCP4 203.0.113.9 10.0.0.1 1 2\r\n", ""},
		{"v1 of UDP", "PROXY UDP4 203.0.113.9 10.0.0.1 1 2\r\n", ""},
		{"v1 with two spaces", "PROXY TCP4  203.0.113.9 10.0.0.1 1 2\r\n", ""},
		{"v1 with a space at the end", "PROXY TCP4 203.0.113.9 10.0.0.1 1 2 \r\n", ""},
		{"v1 without a port", "PROXY TCP4 203.0.113.9 10.0.0.1 1\r\n", ""},
		{"v1 with a port too high", "PROXY TCP4 203.0.113.9 10.0.0.1 1 65536\r\n", ""},
		{"v1 with a port with a zero in front", "PROXY TCP4 203.0.113.9 10.0.0.1 01 2\r\n", ""},
		{"v1 with a signed port", "PROXY TCP4 203.0.113.9 10.0.0.1 +1 2\r\n", ""},
		{"v1 with a zone", "PROXY TCP6 fe80::1%eth0 ::1 1 2\r\n", ""},
		{"v1 without CR", "PROXY TCP4 203.0.113.9 10.0.0.1 1 2\n", ""},
		{"v1 of nothing", "PROXY \n", ""},
		{"a request", "GET / HTTP/1.1\r\n\r\n", ""},
		{"the greeting of TLS", "\x16\x03\x01\x02\x00", ""},

		{"v2 of IPv4", v2(0x21, 0x11, inet), "203.0.113.9"},
		{"v2 of IPv6", v2(0x21, 0x21, inet6), "2001:db8::9"},
		{"v2 of unix", v2(0x21, 0x31, strings.Repeat("\x00", 216)), "none"},
		{"v2 of nothing it will say", v2(0x21, 0x00, "whatever"), "none"},
		{"v2 local", v2(0x20, 0x00, ""), "none"},
		{"v2 local, with addresses", v2(0x20, 0x11, inet), "none"},
		{"v2 local, of a family unknown", v2(0x20, 0x77, "x"), "none"},
		{"v2 with more in it", v2(0x21, 0x11, inet+tlv(1, "h2")+tlv(4, "")+tlv(0xea, "vpce-08")), "203.0.113.9"},
		{"v2, the longest", v2(0x21, 0x11, inet+tlv(4, strings.Repeat("x", 536-16-12-3))), "203.0.113.9"},
		{"v2, a byte too long", v2(0x21, 0x11, inet+tlv(4, strings.Repeat("x", 537-16-12-3))), ""},
		{"v2 with a checksum", summed(v2(0x21, 0x21, inet6+tlv(4, "x")+crc)), "2001:db8::9"},
		{"v2 with a wrong checksum", v2(0x21, 0x21, inet6+crc), ""},
		{"v2 with half a checksum", v2(0x21, 0x21, inet6+tlv(3, "ab")), ""},
		{"v2 that ends within a TLV", v2(0x21, 0x11, inet+"\x04\x00"), ""},
		{"v2 with a TLV that is too long", v2(0x21, 0x11, inet+"\x04\x00\x02x"), ""},
		{"v2 of datagrams", v2(0x21, 0x12, inet), ""},
		{"v2 with too few addresses", v2(0x21, 0x21, inet), ""},
		{"v2 of version 1", v2(0x11, 0x11, inet), ""},
		{"v2 of another command", v2(0x22, 0x11, inet), ""},
		{"v2 of a family unknown", v2(0x21, 0x41, inet), ""},
		{"v2 with another signature", strings.Replace(v2(0x21, 0x11, inet), "QUIT", "EXIT", 1), ""},
	} {
		t.Run(c.label, func(t *testing.T) {
			const behind = "GET / HTTP/1.1\r\n"
			n, client, err := peers.ParseProxy([]byte(c.header + behind))
			requireIncremental(t, []byte(c.header+behind))
			if c.want == "" {
				require.ErrorIs(t, err, peers.ErrProxyHeader)
				require.Zero(t, n)
				require.Zero(t, client)
				return
			}
			require.NoError(t, err)
			require.Equal(t, len(c.header), n)
			if c.want == "none" {
				require.Zero(t, client)
				return
			}
			require.Equal(t, c.want, client.String())
		})
	}
}

// requireIncremental: the result is the same however the bytes come, and an error stays one.
func requireIncremental(t *testing.T, b []byte) {
	t.Helper()
	n, client, err := peers.ParseProxy(b)
	failed := false
	for i := range len(b) + 1 {
		m, from, bad := peers.ParseProxy(b[:i:i])
		switch {
		case err == nil && n > 0 && i >= n:
			require.NoError(t, bad, "%d bytes", i)
			require.Equal(t, n, m)
			require.Equal(t, client, from)
		case bad == nil:
			require.False(t, failed, "no error any more with %d bytes", i)
			require.Zero(t, m, "%d bytes", i)
			require.Zero(t, from)
		default:
			failed = true
			require.Error(t, err, "an error with %d bytes only", i)
		}
	}
}

func FuzzParseProxy(f *testing.F) {
	for _, s := range []string{
		"PROXY TCP4 203.0.113.9 10.0.0.1 12345 80\r\nGET /", "PROXY TCP6 ::1 ::2 1 2\r\n", "PROXY UNKNOWN\r\n",
		v2(0x21, 0x11, inet), v2(0x21, 0x21, inet6+tlv(4, "x")), v2(0x20, 0, ""), summed(v2(0x21, 0x11, inet+crc)), v2(0x21, 0x31, strings.Repeat("a", 216)),
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		n, client, err := peers.ParseProxy(b)
		require.LessOrEqual(t, n, min(len(b), peers.MaxProxyHeader))
		require.False(t, client.IsValid() && (n == 0 || err != nil))
		require.False(t, n == 0 && err == nil && len(b) >= peers.MaxProxyHeader, "it never comes to an end")
		if len(b) <= 2*peers.MaxProxyHeader {
			requireIncremental(t, b)
		}
	})
}
