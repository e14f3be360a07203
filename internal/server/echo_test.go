package server_test

import (
	"bytes"
	"testing"

	"github.com/gobwas/ws"
	"github.com/stretchr/testify/require"

	"github.com/pushd/pushd/internal/server"
)

func TestEcho(t *testing.T) {
	const most = 70_000 // so that all three sizes of a header come
	d := open(t, server.Config{Listen: "127.0.0.1:0", Admin: "127.0.0.1:0", Echo: true, MaxMessage: most})
	answer, p := d.ask("GET /echo", upgrade+"Sec-WebSocket-Protocol: chat\r\n")
	require.Equal(t, 101, answer.StatusCode)
	require.Empty(t, answer.Header.Values("Sec-WebSocket-Protocol"), "a protocol that is not spoken")
	for _, op := range []ws.OpCode{ws.OpText, ws.OpBinary} {
		for _, n := range []int{0, 1, 125, 126, 65_535, 65_536, most} {
			payload := bytes.Repeat([]byte("a"), n)
			p.send(ws.NewFrame(op, true, bytes.Clone(payload))) // which masks it in place
			gotOp, got := p.frame()
			require.Equal(t, op, gotOp)
			require.Equal(t, string(payload), got)
		}
	}
	page := d.listed("", 1)
	require.Equal(t, "echo", page.Connections[0].Dialect)
	answer = d.do(&refusal{}, "POST /v1/connections/"+page.Connections[0].ID+"/messages", "hello", "Content-Type", "text/plain")
	require.Equal(t, 404, answer.StatusCode, "it speaks no dialect to push in")
	p.send(ws.NewFrame(ws.OpBinary, true, make([]byte, most+1)))
	require.Equal(t, ws.StatusMessageTooBig, p.closedWith().code)
}
