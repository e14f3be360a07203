package loadgen_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gobwas/ws"
	"github.com/stretchr/testify/require"

	"github.com/pushd/pushd/loadgen"
)

func frame(op ws.OpCode, fin bool, payload string) []byte {
	return ws.MustCompileFrame(ws.NewFrame(op, fin, []byte(payload)))
}

func TestMarker(t *testing.T) {
	at, tag, topic, seq, ok := loadgen.ParseMarker(loadgen.Marker(42))
	require.True(t, ok)
	require.Equal(t, []any{int64(1_795_791_173_442_589_336), uint32(123456), uint32(7), uint32(42)}, []any{at, tag, topic, seq})
	_, _, _, _, ok = loadgen.ParseMarker(strings.Replace(loadgen.Marker(42), ".", "x", 1))
	require.False(t, ok)
}

// TestFramesInPieces: wherever the kernel cuts the stream, the same is seen.
func TestFramesInPieces(t *testing.T) {
	var b []byte
	b = append(b, frame(ws.OpText, true, `{"x":"`+loadgen.Marker(1)+`"}`)...)
	b = append(b, frame(ws.OpPing, true, "are you there")...)
	b = append(b, frame(ws.OpText, true, loadgen.Marker(2)+"@"+loadgen.Marker(3)+"@@")...)
	b = append(b, frame(ws.OpText, true, `{}`)...)
	b = append(b, frame(ws.OpText, false, "@@17"+"9579@"+loadgen.Marker(4)[:20])...)
	b = append(b, frame(ws.OpPong, true, "")...)
	b = append(b, frame(ws.OpContinuation, true, loadgen.Marker(4)[20:])...)
	b = append(b, frame(ws.OpBinary, true, strings.Repeat("@", 70_000)+loadgen.Marker(5))...)
	b = append(b, frame(ws.OpText, true, "")...)
	b = append(b, frame(ws.OpClose, true, "\x03\xe8bye")...)
	for _, n := range []int{1, 2, 3, 7, 13, 46, 47, 100, 4096, len(b)} {
		seen, err := loadgen.Feed(b, n, false, false)
		require.NoError(t, err, n)
		require.Equal(t, []uint32{1, 2, 3, 4, 5}, seen.Seqs, n)
		require.Equal(t, []string{"are you there", "", "\x03\xe8bye"}, seen.Controls, n)
		require.Equal(t, "{}", seen.Others[0], n)
	}
}

func TestFramesThatBreakTheProtocol(t *testing.T) {
	for label, b := range map[string]string{
		"masked":                  "\x81\x81\x00\x00\x00\x00x",
		"reserved bit":            "\xc1\x00",
		"reserved opcode":         "\x83\x00",
		"fragmented ping":         "\x09\x00",
		"long ping":               "\x89\x7e\x00\x80",
		"length with its top bit": "\x82\x7f\x80\x00\x00\x00\x00\x00\x00\x00",
	} {
		_, err := loadgen.Feed([]byte(b), len(b), false, false)
		require.ErrorContains(t, err, "RFC 6455", label)
	}
}

func TestEventsInPieces(t *testing.T) {
	body := "data: " + loadgen.Marker(1) + "\n\n: keep-alive\n\ndata: " + loadgen.Marker(2) + "\n\n"
	var chunks []byte
	for i := 0; i < len(body); i += 31 { // markers are cut by chunks too
		piece := body[i:min(len(body), i+31)]
		chunks = fmt.Appendf(chunks, "%x;ext=1\r\n%s\r\n", len(piece), piece)
	}
	for n := 1; n < 80; n++ {
		seen, err := loadgen.Feed([]byte(body), n, true, false)
		require.NoError(t, err)
		require.Equal(t, []uint32{1, 2}, seen.Seqs, n)
		seen, err = loadgen.Feed(chunks, n, true, true)
		require.NoError(t, err)
		require.Equal(t, []uint32{1, 2}, seen.Seqs, n)
	}
	_, err := loadgen.Feed([]byte("0\r\n\r\n"), 5, true, true)
	require.ErrorContains(t, err, "ended the stream")
	_, err = loadgen.Feed([]byte("no size\r\n"), 9, true, true)
	require.ErrorContains(t, err, "size of a chunk")
}

func FuzzFeed(f *testing.F) {
	f.Add([]byte("\x81\x02{}"), 1, false)
	f.Add([]byte("5\r\n@@179\r\n"), 3, true)
	f.Fuzz(func(t *testing.T, b []byte, n int, events bool) {
		if n < 1 {
			n = 1
		}
		whole, err1 := loadgen.Feed(b, len(b), events, true)
		pieces, err2 := loadgen.Feed(b, n, events, true)
		require.Equal(t, err1 == nil, err2 == nil, "%v, %v", err1, err2)
		if err1 == nil {
			require.Equal(t, whole.Seqs, pieces.Seqs)
			require.Equal(t, whole.Controls, pieces.Controls)
		}
	})
}

func TestSee(t *testing.T) {
	for label, c := range map[string]struct {
		seqs                   []uint32
		lacking, late, repeats int
	}{
		"all":                 {[]uint32{1, 2, 3}, 0, 0, 0},
		"first is missing":    {[]uint32{2, 3}, 1, 0, 0},
		"one is missing":      {[]uint32{1, 3}, 1, 0, 0},
		"out of order":        {[]uint32{1, 3, 2}, 0, 1, 0},
		"twice":               {[]uint32{1, 2, 2, 1}, 0, 0, 2},
		"late, and twice":     {[]uint32{1, 4, 2, 2}, 1, 1, 1},
		"a far jump":          {[]uint32{1, 1000}, 998, 0, 0},
		"too late to be told": {[]uint32{1, 3, 100, 2}, 97, 0, 1},
	} {
		lacking, late, repeats := loadgen.See(c.seqs...)
		require.Equal(t, []int{c.lacking, c.late, c.repeats}, []int{lacking, late, repeats}, label)
	}
}

func TestAudience(t *testing.T) {
	for label, a := range map[string]loadgen.Audience{
		"ring":             {Topics: 7, Each: 3},
		"one topic":        {Topics: 1, Each: 1},
		"zipf":             {Topics: 50, Each: 10, Skew: 1},
		"zipf, almost all": {Topics: 12, Each: 11, Skew: 2},
		"zipf, all":        {Topics: 5, Each: 5, Skew: 1},
	} {
		for client := range 30 {
			topics := a.TopicsOf(client)
			require.Len(t, topics, a.Each, label)
			require.ElementsMatch(t, topics, a.Slots(client), label)
		}
	}
}

func TestSchedules(t *testing.T) {
	two := loadgen.Audience{Topics: 2, Each: 1}
	ms, topics := loadgen.Dues(loadgen.Even, 100, 1, 4, two)
	require.Equal(t, []int64{0, 10, 20, 30}, ms)
	require.Equal(t, []int{0, 1, 0, 1}, topics)
	ms, _ = loadgen.Dues(loadgen.Bursts, 100, 2, 5, two)
	require.Equal(t, []int64{0, 0, 20, 20, 40}, ms)
	ms, _ = loadgen.Dues(loadgen.Poisson, 1000, 1, 10_000, two)
	require.InDelta(t, 10_000, ms[9999], 500, "as many in the mean as asked for")
}

func TestTape(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tape.ndjson")
	require.NoError(t, os.WriteFile(path, []byte(`{"at":0,"topic":"rare","data":1}
{"at":1,"topic":"busy","data":1}
{"at":1.5,"topic":"busy","data":{"a":2}}
`), 0o600))
	ms, topics, err := loadgen.PlayTape(path, 2)
	require.NoError(t, err)
	require.Equal(t, []int64{0, 500, 750}, ms)
	require.Equal(t, []string{"rare", "busy", "busy"}, topics)
	for _, bad := range []string{"", "{}\n", `{"at":2,"topic":"a"}` + "\n" + `{"at":1,"topic":"a"}`, "nonsense"} {
		require.NoError(t, os.WriteFile(path, []byte(bad), 0o600))
		_, _, err := loadgen.PlayTape(path, 1)
		require.ErrorContains(t, err, "expected")
	}
}

func TestParseTarget(t *testing.T) {
	target, err := loadgen.ParseTarget("ws://127.0.0.1:8080/ws?topic={topic}&x=1")
	require.NoError(t, err)
	require.Equal(t, "127.0.0.1:8080", target.Addr.String())
	require.Equal(t, "/ws?topic={topic}&x=1", target.Path)
	for bad, want := range map[string]string{
		"wss://h/":         "TLS",
		"ftp://127.0.0.1/": "expected ws",
		"127.0.0.1:8080":   "expected ws",
		"":                 "is not a URL",
	} {
		_, err := loadgen.ParseTarget(bad)
		require.ErrorContains(t, err, want, bad)
	}
}
