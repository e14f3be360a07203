package observe_test

import (
	"net"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pushd/pushd/loadgen/observe"
)

func TestIsLocal(t *testing.T) {
	for addr, want := range map[string]bool{
		"127.0.0.1":        true,
		"127.9.8.7":        true,
		"::1":              true,
		"::ffff:127.0.0.1": true,
		"0.0.0.0":          true,
		"::":               true,
		"192.0.2.1":        false, // RFC 5737: of no host
		"2001:db8::1":      false, // RFC 3849: nor this
		"8.8.8.8":          false,
	} {
		require.Equal(t, want, observe.IsLocal(netip.MustParseAddr(addr)), addr)
	}
	require.False(t, observe.IsLocal(netip.Addr{}), "no address")

	all, err := net.InterfaceAddrs()
	require.NoError(t, err)
	require.NotEmpty(t, all)
	for _, a := range all {
		addr, _ := netip.AddrFromSlice(a.(*net.IPNet).IP)
		require.True(t, observe.IsLocal(addr), "%v, which an interface has", addr)
	}
}
