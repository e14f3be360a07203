package hostile_test

import (
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Halves of messages, three times as many as all connections together may have. Who comes when there is no room is told to come
// back; the others cost no more than twice what they have sent.
func TestHalfMessages(t *testing.T) {
	const sent, fragments = 40_000, 10
	total := often(1<<20, 64<<20)
	n, most := 3*total/sent, total/sent // that can have had room
	p := serve(t, "--input-total", strconv.Itoa(total))
	first := frame(opBinary, strings.Repeat("a", sent/fragments))
	more := frame(opContinuation, strings.Repeat("a", sent/fragments))
	attackers := make([]*peer, n)
	defer func() {
		for _, a := range attackers {
			if a != nil {
				a.reset()
			}
		}
	}()
	crowd(t, n, atOnce, func(i int) error {
		a, err := open(p.public, "/echo", "")
		if err != nil {
			return err
		}
		attackers[i] = a
		if err = a.pour(first, 1); err == nil {
			err = a.pour(more, fragments-1)
		}
		return err
	})
	var held float64
	var told int
	p.settled("those without room are gone", func() bool { // for each of them some 200 bytes are counted until then
		held, told = p.metric("pushd_partial_input_bytes"), int(p.metric("pushd_connections_crowded_out_total"))
		return told >= n-most && held <= float64(total)
	})
	t.Logf("%d halves of %d bytes: %d had no room; the others take %.0f bytes each", n, sent, told, held/float64(n-told))
	require.Less(t, told, n)
	require.LessOrEqual(t, held, float64((n-told)*(perByte*sent+perAttacker)))
	p.settled("all of them were told 1013", func() bool { return p.metric(`pushd_closes_total{code="1013"}`) == float64(told) })
}
