package peers_test

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pushd/pushd/internal/peers"
)

func networks(t testing.TB, list ...string) peers.Networks {
	t.Helper()
	n, err := peers.ParseNetworks(list)
	require.NoError(t, err)
	return n
}

func TestNetworks(t *testing.T) {
	n := networks(t, "10.0.0.0/8", "192.0.2.7", "2001:db8::/48", "fe80::/10", "::1")
	for addr, want := range map[string]bool{
		"10.1.2.3": true, "11.0.0.0": false, "192.0.2.7": true, "192.0.2.8": false, "::ffff:10.1.2.3": true, "::ffff:11.0.0.0": false,
		"2001:db8:0:ffff::1": true, "2001:db8:1::1": false, "fe80::1%eth0": true, "::1": true, "::2": false, "127.0.0.1": false,
	} {
		require.Equal(t, want, n.Contain(netip.MustParseAddr(addr)), addr)
	}
	require.False(t, n.Contain(netip.Addr{}))
	require.False(t, peers.Networks(nil).Contain(netip.MustParseAddr("10.0.0.1")))

	for bad, want := range map[string]string{
		"":                "expected a network such as 10.0.0.0/8",
		"10.0.0.0/33":     "expected a network such as 10.0.0.0/8",
		"10.0.0.1/8":      "expected 10.0.0.0/8, or 10.0.0.1 for the one address",
		"proxy.example":   "expected a network such as 10.0.0.0/8",
		"fe80::1%eth0":    "expected a network such as 10.0.0.0/8",
		"::ffff:10.0.0.1": "expected an IPv4 network or address as such, as in 10.0.0.1",
	} {
		_, err := peers.ParseNetworks([]string{"10.0.0.0/8", bad})
		require.ErrorContains(t, err, want, bad)
	}
}
