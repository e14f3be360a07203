package conn_test

import (
	"strings"
	"testing"

	"github.com/gobwas/ws"
	"github.com/stretchr/testify/require"

	"github.com/pushd/pushd/conn"
	"github.com/pushd/pushd/pool"
)

// mute is a handler that takes messages and says nothing.
type mute struct{ messages int }

func (*mute) Request(*conn.Conn, *conn.Request, *conn.Post)       { panic("the handshake is done") }
func (*mute) Refuses(*conn.Conn, ws.OpCode) string                { return "" }
func (*mute) Refused(*conn.Refusal)                               { panic("the handshake is done") }
func (m *mute) Message(*conn.Conn, ws.OpCode, []byte, *conn.Post) { m.messages++ }

// reads are what a connection may be read in: each is fed as one read.
var reads = []struct {
	label string
	in    []string
}{
	{"text of 40 bytes", []string{text(strings.Repeat("a", 40))}},
	{"text of 4 KiB", []string{text(strings.Repeat("é", 2<<10))}},
	{"16 texts of 40 bytes", []string{strings.Repeat(text(strings.Repeat("a", 40)), 16)}},
	{"text of 4 KiB in two", []string{text(strings.Repeat("é", 2<<10))[:2001], text(strings.Repeat("é", 2<<10))[2001:]}},
	{"text of 48 KiB in three", []string{text(strings.Repeat("é", 24<<10))[:16<<10], text(strings.Repeat("é", 24<<10))[16<<10 : 32<<10], text(strings.Repeat("é", 24<<10))[32<<10:]}},
	{"fragments", []string{fragment(ws.OpText, false, "one ") + fragment(ws.OpContinuation, false, "two ") + fragment(ws.OpContinuation, true, "three")}},
}

// feedReads returns what feeds in to a stream once, and how many messages have come so far.
func feedReads(in []string) (feed func(), messages *int) {
	h := new(mute)
	x := conn.NewStream(conn.Config{Handler: h, Buffers: pool.NewBuffers(pool.BuffersConfig{})})
	var pieces [][]byte
	for _, piece := range in {
		pieces = append(pieces, []byte(piece))
	}
	return func() {
		for _, piece := range pieces {
			x.Feed(piece)
		}
	}, &h.messages
}

func TestFramesAllocateNothing(t *testing.T) {
	for _, r := range reads {
		t.Run(r.label, func(t *testing.T) {
			feed, messages := feedReads(r.in)
			require.Zero(t, testing.AllocsPerRun(100, feed))
			require.NotZero(t, *messages)
		})
	}
}

func BenchmarkFrames(b *testing.B) {
	for _, r := range reads {
		b.Run(r.label, func(b *testing.B) {
			feed, _ := feedReads(r.in)
			b.SetBytes(int64(len(strings.Join(r.in, ""))))
			b.ReportAllocs()
			for b.Loop() {
				feed()
			}
		})
	}
}
