package report_test

import (
	"testing"

	"github.com/HdrHistogram/hdrhistogram-go"
	"github.com/stretchr/testify/require"

	"github.com/pushd/pushd/loadgen/report"
)

func TestHistogramsAreCarried(t *testing.T) {
	h := hdrhistogram.New(1, 3600e6, 3)
	for v := int64(1); v <= 1000; v++ {
		require.NoError(t, h.RecordValue(v))
	}
	encoded, err := report.EncodeHistogram("connect", "connect to 101", h)
	require.NoError(t, err)
	require.Equal(t, "connect", encoded.Name)
	require.Equal(t, "connect to 101", encoded.Label)
	decoded, err := encoded.Decode()
	require.NoError(t, err)
	require.True(t, h.Equals(decoded))

	encoded.HDR = encoded.HDR[:40]
	_, err = encoded.Decode()
	require.ErrorContains(t, err, "histogram connect: ")
	_, err = report.Histogram{Name: "spread", HDR: "no base64!"}.Decode()
	require.ErrorContains(t, err, "histogram spread: ")
}

func TestQuantiles(t *testing.T) {
	h := hdrhistogram.New(1, 3600e6, 3)
	require.Empty(t, report.Quantiles("delivery", "", "delivery latency", h), "of nothing")
	for v := int64(1); v <= 1000; v++ {
		require.NoError(t, h.RecordValue(v))
	}
	require.Equal(t, []report.Figure{
		{Section: "handshake", Name: "connect_p50", Label: "connect, median", Value: 500e-6, Unit: report.Seconds, Better: report.Lower},
		{Section: "handshake", Name: "connect_p90", Label: "connect, p90", Value: 900e-6, Unit: report.Seconds, Better: report.Lower},
		{Section: "handshake", Name: "connect_p99", Label: "connect, p99", Value: 990e-6, Unit: report.Seconds, Better: report.Lower},
		{Section: "handshake", Name: "connect_p999", Label: "connect, p99.9", Value: 999e-6, Unit: report.Seconds, Better: report.Lower},
		{Section: "handshake", Name: "connect_max", Label: "connect, longest", Value: 1000e-6, Unit: report.Seconds, Better: report.Lower},
	}, report.Quantiles("handshake", "connect_", "connect", h))
	require.Equal(t, "p50", report.Quantiles("delivery", "", "delivery latency", h)[0].Name)
}
