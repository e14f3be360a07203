package report_test

import (
	"bytes"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pushd/pushd/loadgen/report"
)

func compared(t *testing.T, runs ...report.Run) string {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, report.Compare(&b, runs...))
	return b.String()
}

// run is a report of the same host and command as every other of this test.
func run(figures ...report.Figure) *report.Report {
	return &report.Report{
		Scenario: "fanout", Version: "v1", Started: time.Date(2026, 3, 14, 9, 26, 53, 0, time.UTC), Figures: figures,
		Host:    report.Host{OS: "linux 6.1", CPU: "AMD EPYC", CPUs: 2, Memory: 8 << 30},
		Command: []string{"pushd", "loadgen", "fanout", "--url", "ws://a/", "-n", "1000"}, Targets: []string{"ws://a/"},
	}
}

func figure(name string, v float64, unit report.Unit, better report.Better) report.Figure {
	return report.Figure{Section: "delivery", Name: name, Label: name, Value: v, Unit: unit, Better: better}
}

func TestRunsSideBySide(t *testing.T) {
	a := run(
		figure("p99", 0.010, report.Seconds, report.Lower),
		figure("rate", 1000, report.PerSecond, report.Higher),
		figure("lost", 0, report.Count, report.Lower),
		figure("repeated", 0, report.Count, report.Lower),
		figure("size", 100, report.Bytes, report.Neither),
		figure("absent", 1, report.Count, report.Lower),
		figure("unmeasured", math.NaN(), report.Count, report.Lower),
		figure("late", 0.1, report.Ratio, report.Lower),
	)
	b := run(
		figure("p99", 0.0158, report.Seconds, report.Lower),
		figure("rate", 1250, report.PerSecond, report.Higher),
		figure("lost", 5, report.Count, report.Lower),
		figure("repeated", 0, report.Count, report.Lower),
		figure("size", 200, report.Bytes, report.Neither),
		figure("unmeasured", 3, report.Count, report.Lower),
		figure("late", 0.10001, report.Ratio, report.Lower),
		figure("new", 7, report.Count, report.Lower),
	)
	require.Equal(t, ""+
		"               a.json                b.json\n"+
		"\n"+
		"delivery\n"+
		"  p99           10 ms  15.8 ms 1.58× worse\n"+
		"  rate        1,000/s  1,250/s 1.25× better\n"+
		"  lost              0        5       worse\n"+
		"  repeated          0        0    1×\n"+
		"  size          100 B    200 B    2×\n"+
		"  absent            1        –\n"+
		"  unmeasured        –        3\n"+
		"  late            10%      10%    1×\n"+
		"  new               –        7\n", compared(t, report.Run{Name: "a.json", Report: a}, report.Run{Name: "b.json", Report: b}))
}

func TestRunsThatAreHardToCompare(t *testing.T) {
	a, b, c := run(figure("p99", 1, report.Seconds, report.Lower)), run(figure("p99", 2, report.Seconds, report.Lower)), run()
	require.Equal(t, compared(t, report.Run{Report: a}, report.Run{Report: b}),
		compared(t, report.Run{Name: "fanout 2026-03-14 09:26:53", Report: a}, report.Run{Report: b}), "a run without a name")

	b.Targets, b.Command = []string{"ws://b/"}, []string{"bin/pushd", "loadgen", "fanout", "--url=ws://b/", "--json", "b.json", "-n=1000"}
	require.NotContains(t, compared(t, report.Run{Name: "a", Report: a}, report.Run{Name: "b", Report: b}), "!!", "only the target differs")

	b.Command = append(b.Command, "ws://b/", "--idle")
	b.Command[6] = "-n=2000"
	b.Host.CPUs = 4
	b.Version = "v2"
	c.Scenario = "hold"
	c.Command = nil
	c.Ended = "interrupted"
	b.Void = []report.Void{{Why: "the generator was late"}}
	got := compared(t, report.Run{Name: "a", Report: a}, report.Run{Name: "b", Report: b}, report.Run{Name: "c", Report: c})
	for _, want := range []string{
		"!! b is VOID: do not believe any duration or rate of this run: the generator was late\n",
		"!! versions of pushd differ: v1 in a, v2 in b\n",
		"!! hosts differ: 2 × AMD EPYC, 8 GiB, linux 6.1 in a, 4 × AMD EPYC, 8 GiB, linux 6.1 in b\n",
		"!! commands differ: -n 1000 in a, -n 2000 --idle in b\n",
		"!! c ended early: interrupted\n",
		"!! scenarios differ: fanout in a, hold in c\n",
		"!! commands differ: loadgen fanout -n 1000 in a, nothing in c\n",
	} {
		require.Contains(t, got, want)
	}
	require.Regexp(t, `p99 +1 s +2 s +VOID`, got, "a void figure is not measured")

	got = compared(t, report.Run{Name: "b", Report: b}, report.Run{Name: "a", Report: a})
	require.Regexp(t, `p99 +2 s VOID +1 s\n`, got, "nor is anything measured by one")
	require.Empty(t, compared(t))
}
