package observe_test

import (
	"io"
	"net/http"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pushd/pushd/loadgen/observe"
)

func watch(t *testing.T, cfg observe.Config) *observe.Watch {
	w, err := observe.NewWatch(cfg)
	require.NoError(t, err)
	t.Cleanup(w.Close)
	return w
}

func TestWatchOfAnotherHost(t *testing.T) {
	url, _ := metrics(t, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, exposition) })
	w := watch(t, observe.Config{
		Servers: []netip.AddrPort{netip.MustParseAddrPort("192.0.2.1:80")},
		Admin:   observe.AdminConfig{Address: url, Gauges: []string{"pushd_log_bytes"}},
	})
	for range 2 {
		s := w.Sample(t.Context())
		require.Empty(t, s.Server.Processes)
		require.EqualValues(t, 23552000, *s.Server.RSS)
		require.Equal(t, 12.5, *s.Server.CPU)
		require.EqualValues(t, 19, *s.Server.OpenFiles)
		require.Equal(t, 100000.0, *s.Server.Connections)
		require.Equal(t, map[string]float64{"pushd_log_bytes": 0}, s.Server.Gauges)
	}
	require.Contains(t, w.Problems(), "192.0.2.1:80 is no address of this host: what serves there is seen by --admin alone")
}

func TestWatchOfAServerThatIsRestartedElsewhere(t *testing.T) {
	answers := []string{"process_cpu_seconds_total 5\n", "process_cpu_seconds_total 7\n", "", "process_cpu_seconds_total 1\n", "process_cpu_seconds_total 2\n"}
	url, _ := metrics(t, func(w http.ResponseWriter, r *http.Request) {
		if answers[0] == "" {
			w.WriteHeader(http.StatusBadGateway)
		}
		io.WriteString(w, answers[0])
		answers = answers[1:]
	})
	w := watch(t, observe.Config{Admin: observe.AdminConfig{Address: url}})
	for i, want := range []float64{5, 7, 0, 8, 9} {
		s := w.Sample(t.Context())
		if want == 0 {
			require.Nil(t, s.Server)
			continue
		}
		require.Equal(t, want, *s.Server.CPU, i)
		require.Nil(t, s.Server.RSS)
	}
	require.Contains(t, w.Problems(), "GET "+url+"/metrics: the server answered 502 Bad Gateway: expected metrics")
}

func TestWatchOfABadAddress(t *testing.T) {
	_, err := observe.NewWatch(observe.Config{Admin: observe.AdminConfig{Address: "localhost"}})
	require.ErrorContains(t, err, `"localhost" has no port`)
}
