package report_test

import (
	"bytes"
	"encoding/json"
	"math"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pushd/pushd/loadgen/report"
)

// sample is a report as a run writes it, in which a hostile server has had its
// say wherever text from outside may stand.
func sample(t *testing.T) *report.Report {
	t.Helper()
	f, err := os.Open("../../test/foreign/testdata/report.json")
	require.NoError(t, err)
	defer f.Close()
	r, err := report.Read(f)
	require.NoError(t, err)
	return r
}

func written(t *testing.T, r *report.Report) []byte {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, report.Write(&b, r))
	return b.Bytes()
}

func TestWhatIsWrittenIsRead(t *testing.T) {
	r := sample(t)
	again, err := report.Read(bytes.NewReader(written(t, r)))
	require.NoError(t, err)
	require.Equal(t, r, again)
}

func TestWhatIsNoNumberIsNotWritten(t *testing.T) {
	one, nan := 1.0, math.NaN()
	r := &report.Report{
		Schema: report.Schema, Scenario: "hold", Seconds: math.Inf(1),
		Figures: []report.Figure{
			{Name: "p99", Label: "delivery latency, p99", Value: math.NaN(), Unit: report.Seconds},
			{Name: "lost", Label: "lost", Value: 3},
		},
		Series: report.Series{
			At:      []float64{0, math.Inf(1), 2, 3},
			Columns: []report.Column{{Name: "connected", Values: []*float64{&one, &one, &nan, nil}}},
		},
	}
	b := written(t, r)
	got, err := report.Read(bytes.NewReader(b))
	require.NoError(t, err)
	require.Zero(t, got.Seconds)
	require.Equal(t, []report.Figure{{Name: "lost", Label: "lost", Value: 3}}, got.Figures)
	require.Equal(t, []string{"delivery latency, p99 (p99) was not measured"}, got.Notes)
	require.Equal(t, []float64{0, 2, 3}, got.Series.At)
	require.Equal(t, []*float64{&one, nil, nil}, got.Series.Columns[0].Values)

	require.Len(t, r.Figures, 2, "the caller's report")
	require.Empty(t, r.Notes, "the caller's report")
	require.Same(t, &nan, r.Series.Columns[0].Values[2], "the caller's report")

	var keys map[string]any
	require.NoError(t, json.Unmarshal(b, &keys))
	for _, list := range []string{"command", "targets", "void", "causes", "histograms", "expectations"} {
		require.Equal(t, []any{}, keys[list], list)
	}
	require.Nil(t, keys["stopped"])
}

func TestWhatIsNoReport(t *testing.T) {
	for text, want := range map[string]string{
		"":                                "expected a report in JSON, as loadgen --json writes it: unexpected end of JSON input",
		"connected 60000\n":               "expected a report in JSON",
		`{"schema":1,"scenario":"hold"`:   "expected a report in JSON",
		`[1,2]`:                           "this is JSON, but has no schema number and scenario",
		`{"name":"pushd","version":"1"}`:  "this is JSON, but has no schema number and scenario",
		`{"schema":0,"scenario":"hold"}`:  "this is JSON, but has no schema number and scenario",
		`{"schema":"1","scenario":"a"}`:   "this is JSON, but has no schema number and scenario",
		`{"schema":99,"scenario":"hold"}`: "the report has schema 99, and this program knows schemas up to 1: read it with a newer pushd",
		`{"schema":1,"scenario":"hold","figures":7}`:                                                         "fields are not as expected",
		`{"schema":1,"scenario":"hold","series":{"at":[1,2],"columns":[{"name":"connected","values":[1]}]}}`: `"connected" has 1 values for 2 moments`,
	} {
		_, err := report.Read(strings.NewReader(text))
		require.ErrorContains(t, err, want, text)
	}
}
