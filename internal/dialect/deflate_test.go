package dialect_test

import (
	"bytes"
	"compress/flate"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/gobwas/ws"
	fast "github.com/klauspost/compress/flate"
	"github.com/stretchr/testify/require"

	"github.com/pushd/pushd/broadcast"
	"github.com/pushd/pushd/internal/dialect"
)

// plainOf reads one frame and returns what it says, inflated by the standard library where it is compressed.
func plainOf(t *testing.T, frame []byte) (op ws.OpCode, payload string, compressed bool) {
	t.Helper()
	r := bytes.NewReader(frame)
	h, err := ws.ReadHeader(r)
	require.NoError(t, err)
	b, err := io.ReadAll(r)
	require.NoError(t, err)
	require.EqualValues(t, h.Length, len(b))
	require.True(t, h.Fin)
	rsv1, rsv2, rsv3 := ws.RsvBits(h.Rsv)
	require.False(t, rsv2 || rsv3)
	if !rsv1 {
		return h.OpCode, string(b), false
	}
	require.False(t, bytes.HasSuffix(b, []byte{0, 0, 0xff, 0xff}), "RFC 7692 7.2.1: the tail is left off")
	tail := "\x00\x00\xff\xff\x01\x00\x00\xff\xff"
	b, err = io.ReadAll(flate.NewReader(io.MultiReader(bytes.NewReader(b), strings.NewReader(tail))))
	require.NoError(t, err)
	return h.OpCode, string(b), true
}

// A compressed message says what the plain one does, and is compressed only where that is worth it.
func TestDeflateEncoder(t *testing.T) {
	noise := make([]byte, 70_000)
	for i := range noise {
		noise[i] = byte(rand.Uint32())
	}
	text := strings.Repeat(`{"price":3357.84,"size":10,"side":"buy"},`, 2000)
	for _, c := range []struct {
		label   string
		kind    broadcast.Kind
		payload string
		min     int
		want    bool
	}{
		{"long", broadcast.Text, text, 256, true},
		{"as long as is worth it", broadcast.Text, text[:256], 256, true},
		{"shorter", broadcast.Text, text[:255], 256, false},
		{"not allowed", broadcast.Text, text, 0, false},
		{"noise, which only grows", broadcast.Binary, string(noise), 1, false},
		{"bytes", broadcast.Binary, text[:1000], 1, true},
		{"empty", broadcast.Text, "", 1, false},
		{"deleted", broadcast.Delete, "", 1, false},
	} {
		t.Run(c.label, func(t *testing.T) {
			for _, id := range []dialect.ID{dialect.RawDeflate, dialect.JSONDeflate} {
				all := dialect.Encoders()
				e := all[id].(*dialect.DeflateEncoder)
				m := &broadcast.Message{Kind: c.kind, Topic: "t", Payload: []byte(c.payload), Deflate: c.min}
				got, want := e.AppendMessage([]byte("before"), m), all[id-dialect.RawDeflate].AppendMessage([]byte("before"), m)
				require.True(t, bytes.HasPrefix(got, []byte("before")))
				if len(want) == len("before") {
					require.Equal(t, want, got)
					continue
				}
				op, payload, compressed := plainOf(t, got[6:])
				plainOp, plain, _ := plainOf(t, want[6:])
				require.Equal(t, plainOp, op)
				require.Equal(t, plain, payload)
				if !strings.HasPrefix(c.label, "noise") || id.IsRaw() { // in JSON it is base64, which a compressor may shorten or not
					require.Equal(t, c.want, compressed)
				}
				if compressed {
					require.Less(t, len(got), len(want))
					require.EqualValues(t, 1, e.Messages.Load())
					require.EqualValues(t, len(plain), e.In.Load())
				} else {
					require.Equal(t, want, got)
					require.Zero(t, e.Messages.Load())
				}
			}
		})
	}
}

// What fits when it is compressed stays where it is: the log would begin another chunk for a frame that has moved.
func TestDeflateStaysWhereItFits(t *testing.T) {
	m := &broadcast.Message{Kind: broadcast.Text, Payload: bytes.Repeat([]byte("a"), 60_000), Deflate: 1}
	for _, id := range []dialect.ID{dialect.RawDeflate, dialect.JSONDeflate} {
		room := make([]byte, 6, 1000)
		got := dialect.Encoders()[id].AppendMessage(room, m)
		require.Same(t, &room[0], &got[0])
		_, _, compressed := plainOf(t, got[6:])
		require.True(t, compressed)
	}
}

func TestDeflateDialects(t *testing.T) {
	for _, id := range []dialect.ID{dialect.Raw, dialect.JSON} {
		require.Equal(t, id.Name(), id.Deflate().Name())
		require.Equal(t, id.IsJSON(), id.Deflate().IsJSON())
		require.Equal(t, id.IsRaw(), id.Deflate().IsRaw())
		require.Equal(t, id.Deflate(), id.Deflate().Deflate())
		got, ok := dialect.Lookup([]byte(id.Name()))
		require.True(t, ok)
		require.Equal(t, id, got)
	}
}

// BenchmarkDeflate is why the fastest level was chosen.
func BenchmarkDeflate(b *testing.B) {
	for _, size := range []int{256, 1024, 16 << 10} {
		payload := tick(size)
		for _, level := range []int{1, 3, 6, 9} {
			b.Run(fmt.Sprintf("%d/level=%d", size, level), func(b *testing.B) {
				var out bytes.Buffer
				w, err := fast.NewWriter(&out, level)
				if err != nil {
					b.Fatal(err)
				}
				b.SetBytes(int64(size))
				for b.Loop() {
					out.Reset()
					w.Reset(&out)
					w.Write(payload)
					w.Flush()
				}
				b.ReportMetric(float64(out.Len()-4)/float64(size), "ratio")
			})
		}
	}
}

// tick makes an order book's update of some size.
func tick(size int) []byte {
	r := rand.New(rand.NewPCG(1, 2))
	b := []byte(`{"symbol":"AMZN","bids":[`)
	for len(b) < size {
		b = fmt.Appendf(b, `{"price":%.2f,"size":%d,"orders":%d},`, 3350+10*r.Float64(), r.IntN(1000), r.IntN(20))
	}
	return b[:size]
}
