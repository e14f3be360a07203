package leak_test

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pushd/pushd/internal/leak"
)

func TestCheck(t *testing.T) {
	require.Zero(t, leak.Check(func() {}))
	var r, w *os.File
	require.Equal(t, 1, leak.Check(func() { r, w, _ = os.Pipe() }), "descriptors were left open")
	require.NoError(t, r.Close())
	require.NoError(t, w.Close())
	stop := make(chan struct{})
	require.Equal(t, 1, leak.Check(func() { go func() { <-stop }() }), "a goroutine was left")
	close(stop)
}
