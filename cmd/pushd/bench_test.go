package main_test

import (
	"context"
	"net"
	"os"
	"strconv"
	"testing"

	"github.com/gobwas/ws"
	"github.com/stretchr/testify/require"

	main "github.com/pushd/pushd/cmd/pushd"
)

// BenchmarkSubscribe prints what a server that never waits sends. A subscriber
// that is slower than its publishers is disconnected, so this is what the
// command can follow; 200,000 messages a second is the least that will do.
func BenchmarkSubscribe(b *testing.B) {
	var block []byte
	for range 1000 {
		block = append(block, ws.MustCompileFrame(ws.NewTextFrame([]byte(
			`{"op":"message","topic":"news","position":"k3f9:40123","previous":"k3f9:40122","data":{"price":3357.84,"size":10,"side":"buy"}}`)))...)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(b, err)
	defer listener.Close()
	go func() {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		upgrader := ws.Upgrader{Protocol: func(p []byte) bool { return string(p) == "pushd.v1" }}
		if _, err := upgrader.Upgrade(conn); err != nil {
			return
		}
		ws.WriteFrame(conn, ws.NewTextFrame([]byte(`{"op":"welcome","ping_ms":25000}`)))
		ws.WriteFrame(conn, ws.NewTextFrame([]byte(`{"op":"subscribed","topic":"news","position":"k3f9:1","policy":"conflate"}`)))
		for err == nil {
			_, err = conn.Write(block)
		}
	}()
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	require.NoError(b, err)
	defer null.Close()
	nothing := func(string) (string, bool) { return "", false }
	b.ReportAllocs()
	b.ResetTimer()
	code := main.Run(context.Background(), []string{"subscribe", "news", "--url", listener.Addr().String(),
		"--count", strconv.Itoa(b.N)}, nothing, nil, null, os.Stderr)
	require.Zero(b, code)
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "messages/s")
}
