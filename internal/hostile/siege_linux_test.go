package hostile_test

import (
	"bytes"
	"context"
	"os/exec"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pushd/pushd/loadgen/report"
)

// audience is what honest subscribers saw in one run.
type audience struct {
	lost, gone, delivered, expected float64
	p99                             time.Duration
	believed                        bool // what the generator says of p99
}

// watch has n subscribers of one topic, in processes of their own, hear two messages a second for so long.
func watch(p *process, n int, long time.Duration) audience {
	p.t.Helper()
	ctx, stop := context.WithTimeout(p.t.Context(), long+2*patience)
	defer stop()
	var said bytes.Buffer
	cmd := exec.CommandContext(ctx, pushd, "loadgen", "fanout", "--connections", strconv.Itoa(n), "--rate", "2", "--for", long.String(),
		"--url", "ws://"+p.public+"/ws?topic={topic}", "--admin", p.admin, "--server-pid", strconv.Itoa(p.pid), "--json", "-")
	cmd.Stderr = &said
	out, err := cmd.Output()
	require.NoError(p.t, err, "%s", said.Bytes())
	r, err := report.Read(bytes.NewReader(out))
	require.NoError(p.t, err)
	a := audience{believed: true}
	for _, f := range r.Figures {
		switch f.Name {
		case "lost":
			a.lost = f.Value
		case "connections_lost":
			a.gone = f.Value
		case "delivered":
			a.delivered = f.Value
		case "expected":
			a.expected = f.Value
		case "p99":
			a.p99 = time.Duration(f.Value * float64(time.Second))
		}
	}
	for _, v := range r.Void {
		if len(v.Figures) == 0 || slices.Contains(v.Figures, "p99") {
			a.believed = false
			p.t.Log("not to be believed: " + v.Why)
		}
	}
	p.t.Logf("%d subscribers: %+v", n, a)
	require.Positive(p.t, a.expected)
	require.Equal(p.t, a.expected, a.delivered, "deliveries")
	require.Zero(p.t, a.lost, "messages lost")
	require.Zero(p.t, a.gone, "connections lost")
	return a
}

// Honest subscribers notice nothing of attackers who come again as fast as they are cut off: no loss, and messages no later than
// without them. All attackers together cost no more than they may.
func TestSiege(t *testing.T) {
	// Two processors are the subscribers', the attackers' and the server's together, so runs without attackers differ too: the
	// slowest of them is what the run with attackers is held against.
	const tolerance = 1.2
	honest, heads, frames := often(200, 5000), often(300, 10_000), often(50, 1000)
	long, cutAfter := 5*time.Second, "2s"
	if inLongRun() {
		long, cutAfter = *siege, "5s"
	}

	run := func(attacked bool) (audience, int) {
		p := serve(t, "--handshake-timeout", cutAfter, "--message-timeout", cutAfter)
		var swarms []*swarm
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 2)
		if attacked {
			swarms = []*swarm{slowHeads(t, p, heads), slowFrames(t, p, frames)}
			for _, s := range swarms {
				go func() { ended <- s.run(ctx) }()
			}
			p.settled("the attackers are there", func() bool { return p.metric("pushd_connections") >= float64(heads+frames) })
		}
		a := watch(p, honest, long)
		partial, most := p.metric("pushd_partial_input_bytes"), p.resident()
		stop()
		may := 0
		for _, s := range swarms {
			require.NoError(t, <-ended)
			require.GreaterOrEqual(t, s.cut, len(s.slots), "times that attackers were cut off")
			may += len(s.slots) * (perByte*s.sent + perAttacker)
			t.Logf("%d attackers: cut off %d times, %v", len(s.slots), s.cut, s.found)
		}
		if attacked {
			t.Logf("partial input %.1f MB, memory %.1f MB, CPU %v", partial/(1<<20), mb(most), p.cpu())
			require.LessOrEqual(t, partial, float64(64<<20), "bytes: input-total")
		}
		return a, most - may
	}

	before, quiet := run(false)
	under, loud := run(true)
	require.LessOrEqual(t, loud, quiet+often(room, 0), "bytes of memory, less those that attackers may cost")
	if !inLongRun() {
		return
	}
	after, _ := run(false)
	if before.believed && under.believed && after.believed {
		require.LessOrEqual(t, under.p99, time.Duration(tolerance*float64(max(before.p99, after.p99))), "p99")
	}
}
