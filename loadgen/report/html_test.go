package report_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html"
	"regexp"
	"strings"
	"testing"

	"github.com/HdrHistogram/hdrhistogram-go"
	"github.com/stretchr/testify/require"

	"github.com/pushd/pushd/loadgen/report"
)

func page(t *testing.T, r *report.Report, others ...report.Run) string {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, report.HTML(&b, report.Run{Name: "a.json", Report: r}, others...))
	return b.String()
}

// one is what the only match of a pattern captured.
func one(t *testing.T, s, pattern string) string {
	t.Helper()
	m := regexp.MustCompile(pattern).FindAllStringSubmatch(s, -1)
	require.Len(t, m, 1, pattern)
	return m[0][1]
}

// outside is a page without what stands in its scripts and styles.
func outside(page string) string {
	return regexp.MustCompile(`(?s)(<(?:script|style)[^>]*>).*?(</(?:script|style)>)`).ReplaceAllString(page, "$1$2")
}

// chart is what the page's script is given.
type chart struct {
	Title       string
	Percentiles bool
	Panels      []struct {
		Unit       string
		Log, Small bool
		Tables     [][][]*float64
		Lines      []struct {
			Label       string
			Color, Dash int
		}
	}
}

func chartsOf(t *testing.T, page string) map[string]chart {
	t.Helper()
	var data struct{ Charts []chart }
	require.NoError(t, json.Unmarshal([]byte(one(t, page, `(?s)<script type="application/json" id="data">(.*?)</script>`)), &data))
	all := map[string]chart{}
	for _, c := range data.Charts {
		all[c.Title] = c
		for _, p := range c.Panels {
			columns := 0
			for _, table := range p.Tables {
				columns += len(table) - 1
				for _, column := range table {
					require.Len(t, column, len(table[0]), c.Title)
				}
			}
			require.Len(t, p.Lines, columns, c.Title)
		}
	}
	return all
}

func TestPageLetsNothingIn(t *testing.T) {
	got := page(t, sample(t), report.Run{Name: `b"><script>.json`, Report: sample(t)})

	require.Equal(t, 2, strings.Count(strings.ToLower(got), "<script"), "the data and the script")
	require.Equal(t, 2, strings.Count(strings.ToLower(got), "</script"))
	require.NotContains(t, got, "<img")
	for _, tag := range regexp.MustCompile(`(?s)<[a-zA-Z/!][^>]*>`).FindAllString(outside(got), -1) {
		require.NotRegexp(t, `(?i)\s(src|href|action|style|on[a-z]+)\s*=`, tag, "what loads or runs something")
	}
	require.NotContains(t, got, "@import")
	require.NotContains(t, got, "url(")

	policy := html.UnescapeString(one(t, got, `<meta http-equiv="Content-Security-Policy" content="([^"]*)">`))
	hash := func(s string) string {
		sum := sha256.Sum256([]byte(s))
		return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
	}
	require.Equal(t, fmt.Sprintf("default-src 'none'; style-src %s; script-src %s; base-uri 'none'; form-action 'none'",
		hash(one(t, got, `(?s)<style>(.*?)</style>`)), hash(one(t, got, `(?s)<script>(.*?)</script>`))), policy)
	require.Contains(t, got, "Copyright (c) 2022 Leon Sorokin", "uPlot's licence goes with it")
}

func TestPageSaysWhatTheTableSays(t *testing.T) {
	r := sample(t)
	text := html.UnescapeString(regexp.MustCompile(`<[^>]*>`).ReplaceAllString(outside(page(t, r)), ""))
	orderly(t, text, "fanout", "VOID.", "Do not believe spread_p999, spread_max", "FAILED.", "2 of 4 expectations not met",
		"Stopped by RLIMIT_NOFILE", "LimitNOFILE=1100000", "Expectations", "p99<50ms", "What went wrong", "503 overloaded",
		"lower --rate", "Figures", "delivery latency, p99", "How to read it", "Run it again", "pushd loadgen fanout --url 'ws://", "-n 60000", "AMD EPYC")
	for _, f := range r.Figures {
		require.Contains(t, text, report.Value(f.Value, f.Unit), f.Name)
	}
	require.Contains(t, text, "onerror=", "what the server said is there, as text")

	r = &report.Report{Scenario: "hold", Seconds: 90}
	require.Regexp(t, `<strong>Complete\.</strong> <span>It ran for 1m 30s, to its end\.`, page(t, r))
	r.Expectations = []report.Expectation{{Text: "lost=0", Met: true, Got: "0"}}
	require.Contains(t, page(t, r), "<strong>Passed.</strong>")
	require.NotContains(t, page(t, r), "<figure")
}

func TestChartsComeFromTheReport(t *testing.T) {
	values := func(vs ...float64) (all []*float64) {
		for _, v := range vs {
			if v < 0 {
				all = append(all, nil)
			} else {
				all = append(all, &v)
			}
		}
		return all
	}
	h := hdrhistogram.New(1, 3600e6, 3)
	for v := int64(1); v <= 1000; v++ {
		require.NoError(t, h.RecordValue(v))
	}
	curve, err := report.EncodeHistogram("connect", "connect to 101", h)
	require.NoError(t, err)
	empty, err := report.EncodeHistogram("spread", "spread", hdrhistogram.New(1, 3600e6, 3))
	require.NoError(t, err)
	r := &report.Report{
		Series: report.Series{At: []float64{0, 1, 2}, Columns: []report.Column{
			{Chart: "connections", Name: "connected", Label: "connected", Values: values(0, 500, 60000)},
			{Chart: "connections", Name: "failed", Label: "failed", Values: values(0, 1, 90)},
			{Chart: "latency", Name: "p50", Label: "p50", Unit: report.Seconds, Values: values(0, -1, 0.001)},
			{Chart: "latency", Name: "max", Label: "longest", Unit: report.Seconds, Values: values(0.01, 0.02, 0.2)},
			{Chart: "a chart of tomorrow", Name: "x", Label: "x", Unit: "widgets", Values: values(1, 2, 3)},
			{Chart: "a chart of tomorrow", Name: "y", Label: "y", Unit: report.Bytes, Values: values(1, 2, 3)},
			{Chart: "memory", Name: "slab", Label: "slab", Unit: report.Bytes, Values: values(-1, -1, -1)},
		}},
		Histograms: []report.Histogram{curve, empty},
	}
	got := chartsOf(t, page(t, r))
	require.Len(t, got, 4, "neither a chart of what was not measured, nor of no values")

	c := got["Connections"]
	require.Len(t, c.Panels, 2, "failures are not to lie on the floor")
	require.Equal(t, "connected", c.Panels[0].Lines[0].Label)
	require.Equal(t, [][]*float64{values(0, 1, 2), values(0, 500, 60000)}, c.Panels[0].Tables[0])
	require.True(t, c.Panels[1].Small)
	require.Equal(t, "failed", c.Panels[1].Lines[0].Label)
	require.NotEqual(t, c.Panels[0].Lines[0].Color, c.Panels[1].Lines[0].Color)

	l := got["Latency"]
	require.Len(t, l.Panels, 1, "durations stay together")
	require.True(t, l.Panels[0].Log)
	require.Equal(t, [][]*float64{values(0, 1, 2), values(-1, -1, 0.001), values(0.01, 0.02, 0.2)}, l.Panels[0].Tables[0], "a logarithm of 0 is none")
	require.Len(t, got["A chart of tomorrow"].Panels, 2, "one for each unit")

	p := got["Connect to 101, by percentile"]
	require.True(t, p.Percentiles)
	require.Equal(t, "s", p.Panels[0].Unit)
	at := map[float64]float64{}
	for i, x := range p.Panels[0].Tables[0][0] {
		at[*x] = *p.Panels[0].Tables[0][1][i]
	}
	require.Equal(t, 0.0009, at[1], "90%% of a thousand values from 1 µs to 1 ms")
	require.Equal(t, 0.00099, at[2])
	require.Equal(t, 0.000999, at[3])
	require.Len(t, at, 3*24+1, "no more nines than a thousand values have")

	other := *r
	other.Series.At = []float64{0.5, 1}
	other.Series.Columns = []report.Column{{Chart: "latency", Name: "p50", Label: "p50", Unit: report.Seconds, Values: values(0.1, 0.2)}}
	got = chartsOf(t, page(t, r, report.Run{Name: "b.json", Report: &other}))
	l = got["Latency"]
	require.Len(t, l.Panels[0].Tables, 2, "each run has moments of its own")
	require.Equal(t, "p50 · b.json", l.Panels[0].Lines[2].Label)
	require.Equal(t, l.Panels[0].Lines[0].Color, l.Panels[0].Lines[2].Color)
	require.NotEqual(t, l.Panels[0].Lines[0].Dash, l.Panels[0].Lines[2].Dash)
	p = got["Connect to 101, by percentile"]
	require.NotEqual(t, p.Panels[0].Lines[0].Color, p.Panels[0].Lines[1].Color, "runs of a single column differ by colour")

	r.Histograms[0].HDR = "x"
	require.ErrorContains(t, report.HTML(&bytes.Buffer{}, report.Run{Report: r}), "histogram connect: ")
}
