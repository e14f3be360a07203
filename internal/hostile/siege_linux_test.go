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
	// Two processors are the subscribers', the attackers' and the server's together. So the run with attackers is held against the
	// slower of two others: one without, and one in which the same attackers besiege another server on the same machine, which
	// takes as much from the processors and nothing from this server's subscribers.
	const tolerance = 1.2
	honest, heads, frames := often(200, 5000), often(300, 10_000), often(50, 1000)
	long, cutAfter := 6*time.Second, 2*time.Second
	if inLongRun() {
		long, cutAfter = *siege, 5*time.Second
	}

	run := func(attacked, elsewhere bool) (a audience, memory, may int) {
		p := serve(t, "--handshake-timeout", cutAfter.String(), "--message-timeout", cutAfter.String())
		if !attacked {
			a = watch(p, honest, long)
			return a, p.resident(), 0
		}
		watched := p
		if elsewhere {
			watched = serve(t)
		}
		first, second := slowHeads(t, p, heads), slowFrames(t, p, frames)
		first.over, second.over = cutAfter, cutAfter // so that they are cut, and come again, all the time and not in waves
		endFirst, endSecond := first.attack(t), second.attack(t)
		p.settled("the attackers are there", func() bool { return p.metric("pushd_connections") >= 0.9*float64(heads+frames) })
		a = watch(watched, honest, long)
		partial, memory := p.metric("pushd_partial_input_bytes"), p.resident()
		endFirst()
		endSecond()
		for _, s := range []*swarm{first, second} {
			t.Logf("%d attackers: cut off %d times, %v", len(s.slots), s.cut, s.found)
			require.GreaterOrEqual(t, s.cut, len(s.slots), "times that attackers were cut off")
			may += len(s.slots) * (perByte*s.sent + perAttacker)
		}
		t.Logf("partial input %.1f MB, memory %.1f MB, CPU %v", partial/(1<<20), mb(memory), p.cpu())
		require.LessOrEqual(t, partial, float64(64<<20), "bytes: input-total")
		return a, memory, may
	}

	before, quiet, _ := run(false, false)
	under, loud, may := run(true, false)
	require.LessOrEqual(t, loud-quiet, may+often(room, 0), "bytes of memory that the attackers cost")
	if !inLongRun() {
		return
	}
	beside, _, _ := run(true, true)
	t.Logf("p99: %v without attackers, %v with them, %v beside them", before.p99, under.p99, beside.p99)
	require.True(t, before.believed && under.believed && beside.believed, "the machine has other things to do: nobody can say whether p99 holds")
	require.LessOrEqual(t, under.p99, time.Duration(tolerance*float64(max(before.p99, beside.p99))), "p99")
}
