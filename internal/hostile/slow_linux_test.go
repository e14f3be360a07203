package hostile_test

import (
	"io"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// What an attacker may cost the server: as much for each byte that it sent, and so much beside.
const (
	perByte     = 2
	perAttacker = 1 << 10
)

// Peers who say a byte a second are cut off in time, and until then cost next to nothing.
func TestSlow(t *testing.T) {
	for _, c := range []struct {
		label string
		of    func(*testing.T, *process, int) *swarm
		n     int
		code  int // with which they are cut off
	}{
		{"handshakes", slowHeads, often(300, 10_000), 408},
		{"frames", slowFrames, often(100, 10_000), 1008},
	} {
		t.Run(c.label, func(t *testing.T) {
			p := serve(t, "--handshake-timeout", "4s", "--message-timeout", "4s")
			before := p.resident()
			s := c.of(t, p, c.n)
			end := s.attack(t)
			defer func() {
				end()
				require.Equal(t, map[int]int{c.code: int(s.told.Load())}, s.found, "how often they were told what")
			}()
			p.settled("all are there", func() bool { return p.metric("pushd_connections") >= float64(c.n) })
			time.Sleep(2 * time.Second) // what they say in this time is what is measured
			partial, costs := int(p.metric("pushd_partial_input_bytes")), p.resident()-before
			t.Logf("partial input %d bytes each, memory %.1f MB larger, %d bytes each", partial/c.n, mb(costs), costs/c.n)
			require.LessOrEqual(t, partial, c.n*perAttacker)
			require.LessOrEqual(t, costs, room)
			if inLongRun() {
				require.LessOrEqual(t, costs, c.n*perAttacker, "bytes of memory")
			}
			p.settled("all were cut off", func() bool { return s.told.Load() >= int64(c.n) })
		})
	}
}

// Handshakes that stop half way keep nobody out, and are refused in time.
func TestHalfHandshakes(t *testing.T) {
	const half = "GET /ws HTTP/1.1\r\nHost: loc"
	p := serve(t, "--handshake-timeout", "3s")
	n := often(500, 10_000)
	before := p.resident()
	attackers := make([]*peer, n)
	for i := range attackers {
		var err error
		attackers[i], err = dial(p.public)
		require.NoError(t, err)
		defer attackers[i].reset()
		io.WriteString(attackers[i], half)
	}
	honest, err := open(p.public, "/echo", "")
	require.NoError(t, err)
	defer honest.Close()
	costs := p.resident() - before
	t.Logf("memory %.1f MB larger, %d bytes each", mb(costs), costs/n)
	require.LessOrEqual(t, costs, room)
	for _, a := range attackers {
		status, err := a.status()
		require.NoError(t, err)
		require.Equal(t, 408, status)
		require.NoError(t, a.ended())
		a.reset()
	}
	_, err = honest.Write(frame(fin|opText, "still here"))
	require.NoError(t, err)
	op, said, err := honest.next()
	require.NoError(t, err)
	require.Equal(t, byte(opText), op)
	require.Equal(t, "still here", said)
}

// What is announced and does not come takes no room.
func TestAnnounced(t *testing.T) {
	p := serve(t)
	n := often(200, 10_000)
	before := p.resident()
	for range n {
		a, err := open(p.public, "/echo", "")
		require.NoError(t, err)
		defer a.reset()
		_, err = a.Write(append(head(fin|opBinary, 65_536), 'a'))
		require.NoError(t, err)
	}
	p.settled("all have begun a message", func() bool { return p.metric("pushd_partial_input_bytes") > 0 })
	partial, costs := int(p.metric("pushd_partial_input_bytes")), p.resident()-before
	t.Logf("partial input %d bytes each, memory %.1f MB larger", partial/n, mb(costs))
	require.LessOrEqual(t, partial, n*perAttacker)
	require.LessOrEqual(t, costs, room)
}
