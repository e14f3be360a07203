package conn_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/gobwas/ws"
	"github.com/stretchr/testify/require"

	"github.com/pushd/pushd/conn"
)

func TestCloseReason(t *testing.T) {
	for _, c := range []struct{ name, reason, want string }{
		{"none", "", ""},
		{"short", "retry_ms=12000", "retry_ms=12000"},
		{"fits", strings.Repeat("a", 123), strings.Repeat("a", 123)},
		{"one over", strings.Repeat("a", 124), strings.Repeat("a", 123)},
		{"cut before a two-byte rune", strings.Repeat("a", 122) + "é", strings.Repeat("a", 122)},
		{"cut before a four-byte rune", strings.Repeat("a", 120) + "😀!", strings.Repeat("a", 120)},
		{"two-byte rune fits", strings.Repeat("a", 121) + "éb", strings.Repeat("a", 121) + "é"},
		{"not UTF-8", "a\xffb", "a\uFFFDb"},
	} {
		t.Run(c.name, func(t *testing.T) {
			frame := conn.CloseFrame(1013, c.reason)
			h, err := ws.ReadHeader(bytes.NewReader(frame))
			require.NoError(t, err)
			require.NoError(t, ws.CheckHeader(h, ws.StateClientSide))
			require.Equal(t, ws.OpClose, h.OpCode)
			code, reason := ws.ParseCloseFrameData(frame[len(frame)-int(h.Length):])
			require.Equal(t, ws.StatusCode(1013), code)
			require.Equal(t, c.want, reason)
		})
	}
}
