package report_test

import (
	"bytes"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/pushd/pushd/loadgen/report"
)

func table(t *testing.T, r *report.Report) string {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, report.Table(&b, r))
	return b.String()
}

// orderly asserts that each text stands in s, after the one before it.
func orderly(t *testing.T, s string, texts ...string) {
	t.Helper()
	rest := s
	for _, text := range texts {
		_, after, found := strings.Cut(rest, text)
		require.True(t, found, "expected %q, in this order, in\n%s", text, s)
		rest = after
	}
}

func TestTable(t *testing.T) {
	r := &report.Report{
		Scenario: "fanout", Targets: []string{"ws://127.0.0.1:8080/ws"}, Started: time.Date(2026, 3, 14, 9, 26, 53, 0, time.UTC),
		Seconds: 90, Ended: "interrupted", Version: "v1.2.3",
		Host: report.Host{OS: "linux 6.1", CPU: "AMD EPYC", CPUs: 2, Memory: 8 << 30},
		Void: []report.Void{{Why: "the generator was late"}, {Figures: []string{"rss"}, Why: "it was not the server's"}},
		Figures: []report.Figure{
			{Section: "connections", Name: "connected", Label: "connections held", Value: 60000},
			{Section: "delivery", Name: "p99", Label: "delivery latency, p99", Value: 0.0123, Unit: report.Seconds},
			{Section: "connections", Name: "failed", Label: "failed attempts", Value: 229},
			{Section: "server", Name: "rss", Label: "RSS", Value: 71 << 20, Unit: report.Bytes},
		},
		Causes: []report.Cause{
			{Name: "refused by the server: 503", Count: 1234, Example: "HTTP/1.1 503 Service Unavailable", Advice: "lower --rate"},
			{Name: "reset by peer", Count: 3},
		},
		Stopped: &report.Stop{Limit: "RLIMIT_NOFILE", Of: "pushd (pid 4711)", Value: "20000",
			Set: "LimitNOFILE=1100000 in the unit's [Service]", Why: "accept4 gave EMFILE"},
		Expectations: []report.Expectation{{Text: "p99<50ms", Met: true, Got: "12.3 ms"}, {Text: "failed=0", Got: "229"}},
		Notes:        []string{"latency is counted from when a message was due"},
	}
	orderly(t, table(t, r),
		"fanout ws://127.0.0.1:8080/ws\n",
		"2026-03-14 09:26:53 UTC, 1m 30s, pushd v1.2.3, 2 × AMD EPYC, 8 GiB, linux 6.1\n",
		"ENDED EARLY: interrupted\n",
		"!! VOID Do not believe any duration or rate of this run: the generator was late\n",
		"!! VOID Do not believe rss: it was not the server's\n",
		"STOPPED BY RLIMIT_NOFILE of pushd (pid 4711), which is 20000\n",
		"change  LimitNOFILE=1100000 in the unit's [Service]\n",
		"seen    accept4 gave EMFILE\n",
		"\nconnections\n",
		"  connections held        60,000  connected\n",
		"  failed attempts            229  failed\n",
		"\ndelivery\n",
		"  delivery latency, p99  12.3 ms  p99        VOID\n",
		"\nserver\n",
		"  RSS                     71 MiB  rss        VOID\n",
		"what went wrong\n",
		"  1,234  refused by the server: 503\n",
		"         such as: HTTP/1.1 503 Service Unavailable\n",
		"         to do:   lower --rate\n",
		"      3  reset by peer\n",
		"expectations\n",
		"  ok      p99<50ms  12.3 ms\n",
		"  FAILED  failed=0  229\n",
		"notes\n",
		"  - latency is counted from when a message was due\n")
}

func TestTableKeepsToItsWidthAndObeysNobody(t *testing.T) {
	const long = "a label far longer than any line has room for, since somebody had much to say and did not stop saying it"
	unbroken := strings.Repeat("0123456789", 25)
	r := sample(t)
	r.Figures = append(r.Figures, report.Figure{Section: long, Name: unbroken, Label: long + long, Value: 123456789, Unit: report.PerSecond})
	r.Causes = append(r.Causes, report.Cause{Name: unbroken, Count: 1, Example: "\x1b[2J\r\nbell\a \u202egnp.exe \xff" + long, Advice: long})
	r.Void = append(r.Void, report.Void{Figures: []string{unbroken}, Why: unbroken + long})
	r.Expectations = append(r.Expectations, report.Expectation{Text: unbroken, Got: unbroken})
	r.Targets = append(r.Targets, unbroken)
	r.Stopped = &report.Stop{Limit: long, Of: long, Value: long, Set: unbroken, Why: unbroken}
	r.Notes = append(r.Notes, unbroken, "")

	got := table(t, r)
	for line := range strings.Lines(got) {
		require.LessOrEqual(t, utf8.RuneCountInString(strings.TrimSuffix(line, "\n")), 100, line)
	}
	for _, c := range got {
		require.True(t, c == '\n' || unicode.IsPrint(c), "%q in\n%s", c, got)
	}
	require.Contains(t, got, "\uFFFD[2J bell\uFFFD \uFFFDgnp.exe")
	require.Equal(t, 8, strings.Count(strings.Join(strings.Fields(got), ""), unbroken), "of what is no figure's name, nothing is lost")
}

func TestTableOfNothing(t *testing.T) {
	require.Equal(t, "hold\n", table(t, &report.Report{Scenario: "hold"}))
}
