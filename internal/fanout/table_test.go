package main_test

import (
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	main "github.com/pushd/pushd/internal/fanout"
)

func TestRow(t *testing.T) {
	r := main.NewRow([]float64{30, 20, 80}, []float64{10, 20, 20, 10})
	require.Equal(t, 2.0, r.Ratio(), "the median of 30/15, 20/20 and 80/15")
	low, high := r.Spread()
	require.Equal(t, []float64{0.5, 2}, []float64{low, high})
}

func TestTable(t *testing.T) {
	table := main.NewTable("", "pushd")
	table.Add("p99, µs", "1")
	table.Add("a", "1,000,000")
	require.Equal(t, "|         |     pushd |\n| ------- | --------: |\n| p99, µs |         1 |\n| a       | 1,000,000 |\n", table.String())
}

func TestFigure(t *testing.T) {
	for x, want := range map[float64]string{
		0: "0.00", 0.123: "0.12", 9.5: "9.50", 12.34: "12.3", 123.4: "123", 1234: "1,230", 99_999: "100,000", 1_234_567: "1,235,000", -4.2: "-4.20",
	} {
		require.Equal(t, want, main.Figure(x), x)
	}
}

func TestQuantiles(t *testing.T) {
	require.Equal(t, []time.Duration{0, 0}, main.Quantiles(nil, 0.5, 1))
	var ds []time.Duration
	for i := range 1000 {
		ds = append(ds, time.Duration(i+1)*time.Millisecond)
	}
	got := main.Quantiles(ds, 0.5, 0.99, 1)
	require.InEpsilon(t, 500*time.Millisecond, got[0], 0.04)
	require.InEpsilon(t, 990*time.Millisecond, got[1], 0.04)
	require.Equal(t, time.Second, got[2])
	require.Equal(t, []time.Duration{time.Microsecond}, main.Quantiles([]time.Duration{time.Microsecond}, 0.5))
}

func TestReplace(t *testing.T) {
	const document = "before\n<!-- fanout one: begin -->\nold\n<!-- fanout one: end -->\nafter\n"
	got, err := main.Replace(document, "one", "new\n")
	require.NoError(t, err)
	require.Equal(t, "before\n<!-- fanout one: begin -->\nnew\n<!-- fanout one: end -->\nafter\n", got)
	for label, document := range map[string]string{
		"another":       document,
		"no end":        "<!-- fanout two: begin -->\n",
		"end too early": "<!-- fanout two: end -->\n<!-- fanout two: begin -->\n",
	} {
		_, err := main.Replace(document, "two", "new\n")
		require.ErrorContains(t, err, `expected the lines "<!-- fanout two: begin -->" and, below, "<!-- fanout two: end -->"`, label)
	}
	path := file(t, document)
	require.NoError(t, main.Rewrite(path, "one", ""))
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, "before\n<!-- fanout one: begin -->\n<!-- fanout one: end -->\nafter\n", string(text))
}
