package report_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pushd/pushd/loadgen/report"
)

func judged() *report.Report {
	return &report.Report{Schema: report.Schema, Scenario: "fanout", Figures: []report.Figure{
		{Name: "connected", Value: 60000},
		{Name: "lost", Value: 0},
		{Name: "p99", Value: 0.05, Unit: report.Seconds},
		{Name: "p999", Value: 0.05004, Unit: report.Seconds},
		{Name: "cpu", Value: 1.5, Unit: report.CPUSeconds},
		{Name: "rss", Value: 10 << 20, Unit: report.Bytes},
		{Name: "sent", Value: 4000, Unit: report.BytesRate},
		{Name: "rate", Value: 1000, Unit: report.PerSecond},
		{Name: "delivered", Value: 0.97, Unit: report.Ratio},
	}}
}

func TestExpectations(t *testing.T) {
	for _, c := range []struct {
		text string
		met  bool
		got  string
	}{
		{"p99<50ms", false, "50 ms"},
		{"p99<=50ms", true, "50 ms"},
		{"p999<=50ms", false, "50 ms (0.05004 s)"},
		{"p99 < 51ms", true, "50 ms"},
		{"p99>49999us", true, "50 ms"},
		{"p99<1m30s", true, "50 ms"},
		{"p99>0", true, "50 ms"},
		{"cpu<2s", true, "1.5 s"},
		{"lost=0", true, "0"},
		{"lost==0", true, "0"},
		{"lost!=0", false, "0"},
		{"connected>=60000", true, "60,000"},
		{"connected>=60,000", true, "60,000"},
		{"connected=6e4", true, "60,000"},
		{"connected>6.1e4", false, "60,000"},
		{"rss=10MiB", true, "10 MiB"},
		{"rss<10MB", false, "10 MiB"},
		{"rss<=10485760", true, "10 MiB"},
		{"sent<=4KB/s", true, "3.91 KiB/s"},
		{"sent<4KB", false, "3.91 KiB/s"},
		{"rate>=1,000/s", true, "1,000/s"},
		{"rate>1000", false, "1,000/s"},
		{"delivered>=97%", true, "97%"},
		{"delivered>=0.97", true, "97%"},
		{"delivered>97.5%", false, "97%"},
	} {
		condition, err := report.ParseExpectation(c.text)
		require.NoError(t, err, c.text)
		got, err := condition.Judge(judged())
		require.NoError(t, err, c.text)
		require.Equal(t, report.Expectation{Text: c.text, Met: c.met, Got: c.got}, got, c.text)
	}
}

func TestExpectationsThatCannotBeRead(t *testing.T) {
	const shape = "expected FIGURE OP VALUE, such as p99<50ms"
	for text, want := range map[string]string{
		"":              shape,
		"p99":           shape,
		"p99<":          shape,
		"<50ms":         shape,
		"p99=<50ms":     `"<50ms" is no value: expected 50ms, 10MiB, 97%, 1000 or 1000/s`,
		"P99<50ms":      shape,
		"p99~50ms":      shape,
		"p99<fast":      `"fast" is no value`,
		"p99<50 parsec": `"50 parsec" is no value`,
		"p99<NaN":       `"NaN" is no value`,
		"p99<inf":       `"inf" is no value`,
		"rss<1e999":     `"1e999" is no value`,
		"rss<0x10":      `"0x10" is no value`,
		"lost<1,00":     `"1,00" is no value`,
		"lost<,":        `"," is no value`,
		"rss<MiB":       `"MiB" is no value`,
		"share<97%/s":   `"97%/s" is no value`,
	} {
		_, err := report.ParseExpectation(text)
		require.ErrorContains(t, err, want, text)
	}
}

func TestExpectationsThatCannotBeJudged(t *testing.T) {
	for text, want := range map[string]string{
		"p98<50ms":       "no figure p98: expected one of p99, p999, cpu",
		"conected=1":     "no figure conected: expected one of connected, ",
		"p99<50":         "p99 is given as a number such as 1000: expected a duration such as 50ms",
		"connected>50ms": "connected is given as a duration such as 50ms: expected a number such as 1000",
		"delivered>1KiB": "delivered is given as a size such as 10MiB: expected a share such as 97%",
	} {
		condition, err := report.ParseExpectation(text)
		require.NoError(t, err, text)
		got, err := condition.Judge(judged())
		require.ErrorContains(t, err, want)
		require.False(t, got.Met)
		require.NotEmpty(t, got.Got)
	}
}

func TestVoidFiguresMeetNothing(t *testing.T) {
	must := func(text string) report.Condition {
		c, err := report.ParseExpectation(text)
		require.NoError(t, err)
		return c
	}
	r := judged()
	r.Void = []report.Void{{Why: "the generator was late"}, {Figures: []string{"rss"}, Why: "it was not sampled"}}
	require.NoError(t, r.Judge(must("p99<1s"), must("rate>1"), must("rss>1"), must("lost=0"), must("cpu<2s")))
	require.Equal(t, []report.Expectation{
		{Text: "p99<1s", Got: "50 ms, but void: the generator was late"},
		{Text: "rate>1", Got: "1,000/s, but void: the generator was late"},
		{Text: "rss>1", Got: "10 MiB, but void: it was not sampled"},
		{Text: "lost=0", Met: true, Got: "0"},
		{Text: "cpu<2s", Met: true, Got: "1.5 s"},
	}, r.Expectations)
	require.False(t, r.Met())

	require.Error(t, r.Judge(must("lost=0"), must("absent=0")))
	require.Equal(t, []report.Expectation{
		{Text: "lost=0", Met: true, Got: "0"},
		{Text: "absent=0", Got: "no figure absent"},
	}, r.Expectations)
}

func FuzzExpectation(f *testing.F) {
	for _, text := range []string{"p99<50ms", "lost=0", "delivered>=97%", "rss<=10MiB", "connected>1,000", "sent>4KB/s", "cpu!=1m30s", "p99<1e999"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		condition, err := report.ParseExpectation(text)
		if err != nil {
			require.ErrorContains(t, err, "expected ")
			return
		}
		got, err := condition.Judge(judged())
		require.Equal(t, text, got.Text)
		require.NotEmpty(t, got.Got)
		require.False(t, got.Met && err != nil)
	})
}
