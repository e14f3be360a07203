package observe_test

import (
	"encoding/binary"
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pushd/pushd/loadgen/observe"
)

// recorded on amd64: addresses are printed in a machine's own order of bytes.
const recorded = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1461 1 00000000452e7e0c 100 0 0 10 0
   1: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1462 1 0000000000000000 100 0 0 10 0
   2: 00000000000000000000000000000000:1F90 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1463 1 0000000000000000 100 0 0 10 0
   3: 00000000000000000000000001000000:1F90 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1464 1 0000000000000000 100 0 0 10 0
   4: 0000000000000000FFFF00000200007F:1F90 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1465 1 0000000000000000 100 0 0 10 0
   5: 00000000000000000000000000000000:1F91 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1466 1 0000000000000000 100 0 0 10 0
   6: 00000000:1F92 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 1467 1 0000000000000000 100 0 0 10 0
   7: 00000000:1F92 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 1468 1 0000000000000000 100 0 0 10 0
   8: 0100007F:1F92 0100007F:8DA4 01 00000000:00000000 00:00000000 00000000     0        0 1469 3 00000000514e083b
   9: after the first that does not listen nothing is read
`

func TestListeners(t *testing.T) {
	if binary.NativeEndian.Uint16([]byte{1, 0}) != 1 {
		t.Skip("what is recorded is of a little-endian machine")
	}
	for label, c := range map[string]struct {
		addr string
		want []string
	}{
		"just that address":          {"127.0.0.1:8080", []string{"1462"}},
		"just that, v4 as v6":        {"127.0.0.2:8080", []string{"1465"}},
		"asked for as v6":            {"[::ffff:127.0.0.1]:8080", []string{"1462"}},
		"all of its family":          {"127.0.0.3:8080", []string{"1461"}},
		"all of v6":                  {"[2001:db8::1]:8080", []string{"1463"}},
		"v6 loopback":                {"[::1]:8080", []string{"1464"}},
		"v4 where only v6 listens":   {"127.0.0.1:8081", []string{"1466"}},
		"v6 where only v4 listens":   {"[::1]:8082", nil},
		"two that share a port":      {"127.0.0.1:8082", []string{"1467", "1468"}},
		"unspecified is loopback":    {"0.0.0.0:8080", []string{"1462"}},
		"unspecified is v6 loopback": {"[::]:8080", []string{"1464"}},
		"no such port":               {"127.0.0.1:8083", nil},
	} {
		t.Run(label, func(t *testing.T) {
			all, inodes, err := observe.Listeners(strings.NewReader(recorded), netip.MustParseAddrPort(c.addr))
			require.NoError(t, err)
			require.Equal(t, []string{"0.0.0.0:8080", "127.0.0.1:8080", "[::]:8080", "[::1]:8080", "127.0.0.2:8080", "[::]:8081",
				"0.0.0.0:8082", "0.0.0.0:8082"}, all)
			require.Equal(t, c.want, inodes)
		})
	}
}

func TestListenersOfNonsense(t *testing.T) {
	for line, want := range map[string]string{
		"0: 0100007F:1F90 0A":                          "expected at least 10 fields",
		"0: 0100007F 0:0 0A 0:0 0:0 0 0 0 1461":        `"0100007F" is no address`,
		"0: 0100007:1F90 0:0 0A 0:0 0:0 0 0 0 1461":    `"0100007:1F90" is no address`,
		"0: 0100007F0:1F90 0:0 0A 0:0 0:0 0 0 0 1461":  `"0100007F0:1F90" is no address`,
		"0: 0100007G:1F90 0:0 0A 0:0 0:0 0 0 0 1461":   `"0100007G:1F90" is no address`,
		"0: 0100007F:1F90F 0:0 0A 0:0 0:0 0 0 0 1461":  `"0100007F:1F90F" is no address`,
		"0: 0100007F0100007F:1 0:0 0A 0:0 0:0 0 0 0 1": "expected 8 or 32 hexadecimal digits",
	} {
		_, _, err := observe.Listeners(strings.NewReader("heading\n"+line+"\n"), netip.AddrPort{})
		require.ErrorContains(t, err, want)
	}
	all, _, err := observe.Listeners(strings.NewReader(""), netip.AddrPort{})
	require.NoError(t, err)
	require.Empty(t, all)
}

func TestListenerElsewhere(t *testing.T) {
	_, err := observe.Listener(netip.MustParseAddrPort("192.0.2.1:80"))
	require.ErrorContains(t, err, "192.0.2.1:80 is no address of this host")
}
