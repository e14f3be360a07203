package report_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pushd/pushd/loadgen/report"
)

func TestValue(t *testing.T) {
	for _, c := range []struct {
		v    float64
		unit report.Unit
		want string
	}{
		{0, report.Count, "0"},
		{7, report.Count, "7"},
		{1.306, report.Count, "1.31"},
		{0.00042, report.Count, "0.00042"},
		{999, report.Count, "999"},
		{999.7, report.Count, "1,000"},
		{12345, report.Count, "12,345"},
		{1234567.8, report.Count, "1,234,568"},
		{-12345, report.Count, "-12,345"},
		{2e15, report.Count, "2e+15"},
		{math.NaN(), report.Count, "–"},
		{math.Inf(-1), report.Seconds, "–"},
		{0, report.Seconds, "0 s"},
		{85e-9, report.Seconds, "85 ns"},
		{850e-6, report.Seconds, "850 µs"},
		{999.7e-6, report.Seconds, "1 ms"},
		{0.0123, report.Seconds, "12.3 ms"},
		{0.9996, report.Seconds, "1 s"},
		{1.2, report.Seconds, "1.2 s"},
		{1.306, report.CPUSeconds, "1.31 s"},
		{59.96, report.Seconds, "1m"},
		{90, report.Seconds, "1m 30s"},
		{3599.7, report.Seconds, "1h"},
		{7500, report.Seconds, "2h 5m"},
		{86399, report.Seconds, "1d"},
		{90000, report.Seconds, "1d 1h"},
		{-0.0015, report.Seconds, "-1.5 ms"},
		{0, report.Bytes, "0 B"},
		{134, report.Bytes, "134 B"},
		{1023, report.Bytes, "1023 B"},
		{1023.6, report.Bytes, "1 KiB"},
		{4200, report.Bytes, "4.1 KiB"},
		{5 << 30, report.Bytes, "5 GiB"},
		{1 << 60, report.Bytes, "1024 PiB"},
		{187.2e6, report.BytesRate, "179 MiB/s"},
		{12345, report.PerSecond, "12,345/s"},
		{0.5, report.PerSecond, "0.5/s"},
		{0, report.Ratio, "0%"},
		{0.97, report.Ratio, "97%"},
		{1, report.Ratio, "100%"},
		{0.99996, report.Ratio, "99.996%"},
		{0.9999999, report.Ratio, "99.99999%"},
		{1.00004, report.Ratio, "100.004%"},
		{0.0000012, report.Ratio, "0.00012%"},
		{3, "widgets", "3 widgets"},
	} {
		require.Equal(t, c.want, report.Value(c.v, c.unit), "%v %q", c.v, c.unit)
	}
}
