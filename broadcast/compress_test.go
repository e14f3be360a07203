package broadcast_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pushd/pushd/broadcast"
)

// noting is the dialect full that notes which messages it was told to compress.
type noting struct {
	full
	compressed, plain []uint64 // offsets
	small             bool     // make the payload one byte
}

func (n *noting) AppendMessage(dst []byte, m *broadcast.Message) []byte {
	if m.Deflate > 0 && len(m.Payload) >= m.Deflate {
		n.compressed = append(n.compressed, m.Position.Offset)
	} else {
		n.plain = append(n.plain, m.Position.Offset)
	}
	if n.small {
		short := *m
		short.Payload = m.Payload[:1]
		m = &short
	}
	return n.full.AppendMessage(dst, m)
}

// compressing returns a hub of which dialect 1 notes.
func compressing(set broadcast.Settings) (*broadcast.Hub, *noting) {
	n := new(noting)
	cfg := settings(set)
	cfg.Encoders = []broadcast.Encoder{plain{}, n}
	return broadcast.NewHub(cfg), n
}

// TestCompressOnce: what is published is compressed once, however many subscribe, from the topic's minimum on.
func TestCompressOnce(t *testing.T) {
	for _, test := range []struct {
		label      string
		min        int
		compressed []uint64
	}{
		{"from 256 bytes on", 256, []uint64{2, 3}},
		{"from 257", 257, []uint64{3}},
		{"never", 0, nil},
	} {
		t.Run(test.label, func(t *testing.T) {
			h, noted := compressing(broadcast.Settings{Deflate: test.min})
			a, b := newShard(t, h, 100), newShard(t, h, 100)
			for slot := range uint32(100) {
				a.subscribe(slot, "a", uint8(slot%2), nil)
				b.subscribe(slot, "a", uint8(slot%2), nil)
			}
			for _, size := range []int{255, 256, 257} {
				publish(t, h, "a", 1, size)
			}
			a.work(future)
			b.work(future)
			require.Equal(t, test.compressed, noted.compressed)
			require.Len(t, noted.plain, 3-len(test.compressed))
			for _, s := range append(a.sockets, b.sockets...) {
				require.Equal(t, span(1, 3), s.offsets(t))
			}
		})
	}
}

// TestCompressNotAgain: who falls behind reads on in what was encoded for all; who resumes from before that is sent what is
// encoded for it alone, which is not compressed.
func TestCompressNotAgain(t *testing.T) {
	h, noted := compressing(broadcast.Settings{Deflate: 256})
	s := newShard(t, h, 3)
	before := publish(t, h, "a", 5, 1000).Position
	before.Offset = 0
	s.subscribe(0, "a", 1, nil) // the dialect comes into use
	s.subscribe(1, "a", 1, nil)
	s.sockets[1].room = 500
	publish(t, h, "a", 5, 1000)
	s.work(future)
	require.Equal(t, span(6, 10), noted.compressed)
	require.Empty(t, noted.plain)

	s.unblock(1, 1<<20)
	s.work(future)
	require.Equal(t, span(6, 10), s.sockets[1].offsets(t))
	require.Equal(t, span(6, 10), noted.compressed)
	require.Empty(t, noted.plain)

	s.subscribe(2, "a", 1, &before)
	s.work(future)
	require.Equal(t, span(1, 10), s.sockets[2].offsets(t))
	require.Equal(t, span(6, 10), noted.compressed)
	require.Equal(t, span(1, 5), noted.plain)
}

// TestCompressRounds: values are compressed for an audience with a rate, and not for one subscriber.
func TestCompressRounds(t *testing.T) {
	t.Run("at a rate", func(t *testing.T) {
		h, noted := compressing(broadcast.Settings{Slow: broadcast.Conflate, MaxRate: 50, Deflate: 256})
		s := newShard(t, h, 50)
		for slot := range uint32(50) {
			s.subscribe(slot, "a", 1, nil)
		}
		for i := range 20 {
			value(t, h, fmt.Sprint(i), 1000)
		}
		s.work(future) // the ticks are known
		h.Advance(20 * time.Millisecond)
		s.work(future)
		for _, k := range s.sockets {
			require.Len(t, k.keys(t), 20)
		}
		require.Empty(t, noted.plain)
		require.Len(t, noted.compressed, 20*8, "once for each phase")
	})
	t.Run("in turns, by what goes in", func(t *testing.T) {
		h, noted := compressing(broadcast.Settings{Slow: broadcast.Conflate, MaxRate: 50, Deflate: 256})
		noted.small = true
		s := newShard(t, h, 1)
		s.subscribe(0, "a", 1, nil)
		const keys, size = 100, 8 << 10
		for i := range keys {
			value(t, h, fmt.Sprint(i), size)
		}
		most, before := 0, 0
		s.onWrite = func(uint32, []byte, []byte) {
			most, before = max(most, len(noted.compressed)-before), len(noted.compressed)
		}
		s.work(future)
		h.Advance(20 * time.Millisecond)
		s.work(future)
		require.Len(t, noted.compressed, keys)
		require.Equal(t, (64<<10)/size, most, "values in one turn, while the topic is locked")
	})
	t.Run("retained", func(t *testing.T) {
		h, noted := compressing(broadcast.Settings{Retain: true, Deflate: 256})
		s := newShard(t, h, 1)
		for i := range 20 {
			value(t, h, fmt.Sprint(i), 1000)
		}
		s.subscribe(0, "a", 1, nil)
		s.work(future)
		require.Len(t, s.sockets[0].keys(t), 20)
		require.Empty(t, noted.compressed)
		require.Len(t, noted.plain, 20)
	})
}

// TestCompressMinChanges with a reload, for what is published from then on.
func TestCompressMinChanges(t *testing.T) {
	h, noted := compressing(broadcast.Settings{Deflate: 256})
	s := newShard(t, h, 1)
	s.subscribe(0, "a", 1, nil)
	publish(t, h, "a", 1, 300)
	h.Configure(func(string) broadcast.Settings { return broadcast.Settings{Deflate: 301} })
	publish(t, h, "a", 1, 300)
	publish(t, h, "a", 1, 301)
	s.work(future)
	require.Equal(t, []uint64{1, 3}, noted.compressed)
	require.Equal(t, []uint64{2}, noted.plain)
}
