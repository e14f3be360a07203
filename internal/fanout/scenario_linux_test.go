package main_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	main "github.com/pushd/pushd/internal/fanout"
)

func TestRun(t *testing.T) {
	server := pushd(t)
	t.Run("scenario", func(t *testing.T) { testScenarios(t, server) })
	t.Run("interrupted", func(t *testing.T) { testInterrupted(t, server) })
}

// Each scenario in small: not how fast, but that all comes, and once. The program fails where it does not.
func testScenarios(t *testing.T, server string) {
	var document strings.Builder
	for _, name := range main.Names() {
		fmt.Fprintf(&document, "# %s\n<!-- fanout %s: begin -->\nold\n<!-- fanout %s: end -->\nafter %s\n", name, name, name, name)
	}
	path := file(t, document.String())
	wants := map[string][]string{
		"one":       {"50 at once: deliveries a second", "6 times the floor's rate: publisher late, s", "200 connections, each subscribed to 1 of 1 topics;"},
		"payloads":  {"32 B, 50 at once", "1 KiB, half the floor's rate: p99, ms", "16 KiB, 20 at once"},
		"portfolio": {"1 to each topic at once", "40 connections, each subscribed to 50 of 100 topics;"},
		"topics":    {"10 to each topic at once", "200 connections, each subscribed to 1 of 200 topics;"},
		"stuck":     {"| none ", "1 × 1013 of 1 ", "10 × 1013 of 10 ", "10%, drop", "10%, conflate", " 0 of 10 "},
		"overload":  {"answered 200", "Lost 0, extra 0"},
		"fairness":  {"accept to 101", "ping to pong", "GET /v1/topics", "Lost 0, extra 0"},
		"memory":    {"an idle connection with one subscription", "a subscription beyond", "of a user"},
	}
	for _, name := range main.Names() {
		t.Run(name, func(t *testing.T) {
			code, stdout, stderr := run(t.Context(), "-scenario", name, "-server", server,
				"-conns", "200", "-rounds", "1", "-seconds", "0.1", "-write", path)
			require.Zero(t, code, stderr)
			require.Empty(t, stderr)
			require.NotEmpty(t, wants[name])
			written, err := os.ReadFile(path)
			require.NoError(t, err)
			_, part, _ := strings.Cut(string(written), "# "+name+"\n")
			part, _, found := strings.Cut(part, "after "+name+"\n")
			require.True(t, found)
			require.NotContains(t, part, "old\n")
			require.Contains(t, part, "-scenario "+name+" -rounds 1 -conns 200 -seconds 0.1`, 20")
			for _, want := range wants[name] {
				require.Contains(t, stdout, want)
				require.Contains(t, part, want)
			}
			require.Empty(t, children(t))
		})
	}
}

// Whatever a run has started ends with it.
func testInterrupted(t *testing.T, server string) {
	ctx, cancel := context.WithCancelCause(t.Context())
	go func() {
		for len(children(t)) < 4 && ctx.Err() == nil { // server, floor and a crowd for each
			time.Sleep(time.Millisecond)
		}
		cancel(fmt.Errorf("somebody has had enough"))
	}()
	code, _, stderr := run(ctx, "-scenario", "one", "-server", server, "-conns", "200", "-seconds", "60")
	require.Equal(t, 1, code)
	require.Equal(t, "fanout: one: somebody has had enough\n", stderr)
	require.Empty(t, children(t))
}

// children are the processes that this one has started and that have not been waited for.
func children(t *testing.T) (found []string) {
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	require.NoError(t, err)
	for _, path := range stats {
		text, err := os.ReadFile(path)
		if err != nil {
			continue // it has ended
		}
		_, after, _ := strings.Cut(string(text), ") ")
		if fields := strings.Fields(after); len(fields) > 1 && fields[1] == fmt.Sprint(os.Getpid()) {
			found = append(found, string(text))
		}
	}
	return found
}
