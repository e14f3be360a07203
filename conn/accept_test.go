package conn_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/pushd/pushd/conn"
)

// TestBalance: each connection goes to the shard with the fewest, also where some have left.
func TestBalance(t *testing.T) {
	const clients, shards = 1000, 4
	s := serve(t, conn.Config{Shards: shards}, hooks{})
	even := func(total int) {
		t.Helper()
		for _, shard := range s.Shards() {
			require.InDelta(t, total/shards, shard.Live(), 0.05*float64(total/shards), "shard %d", shard.Index())
		}
	}
	var all []*client
	for range clients {
		all = append(all, s.dial(t))
	}
	s.awaitLive(t, clients)
	even(clients)
	for _, c := range all[:clients/2] {
		c.reset()
	}
	s.awaitLive(t, clients/2)
	for range clients / 2 {
		s.dial(t)
	}
	s.awaitLive(t, clients)
	even(clients)
}

// processorTime is what this process has used so far.
func processorTime(tb testing.TB) time.Duration {
	var usage unix.Rusage
	require.NoError(tb, unix.Getrusage(unix.RUSAGE_SELF, &usage))
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// TestAcceptWithoutDescriptors: who is connected is served on, the processor rests, and who waits is let in later.
func TestAcceptWithoutDescriptors(t *testing.T) {
	s := serve(t, conn.Config{Shards: 1}, hooks{})
	old := s.open(t)
	sockets := make([]int, 5) // made now, as then none can be
	for i := range sockets {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
		require.NoError(t, err)
		defer unix.Close(fd)
		sockets[i] = fd
	}
	addr := &unix.SockaddrInet4{Port: s.port(), Addr: [4]byte{127, 0, 0, 1}}

	var before unix.Rlimit
	require.NoError(t, unix.Getrlimit(unix.RLIMIT_NOFILE, &before))
	none := before
	none.Cur = 3
	require.NoError(t, unix.Setrlimit(unix.RLIMIT_NOFILE, &none))
	restore := func() { require.NoError(t, unix.Setrlimit(unix.RLIMIT_NOFILE, &before)) }
	defer restore()

	for _, fd := range sockets {
		require.NoError(t, unix.Connect(fd, addr)) // the kernel's doing: accept(2) comes behind
		_, err := unix.Write(fd, []byte(shortHead))
		require.NoError(t, err)
	}
	await(t, "accept to fail", func() bool { return s.Stats().AcceptPauses.Load() > 0 })
	busy, began, pauses := processorTime(t), time.Now(), s.Stats().AcceptPauses.Load()
	for time.Since(began) < 500*time.Millisecond {
		old.write(text("still here?"))
		old.expect("text still here?")
		time.Sleep(20 * time.Millisecond)
	}
	took := time.Since(began)
	require.Less(t, processorTime(t)-busy, took/2, "of the processor")
	require.LessOrEqual(t, s.Stats().AcceptPauses.Load()-pauses, uint64(took/(100*time.Millisecond))+2)
	require.Equal(t, 1, s.Live())

	restore()
	s.awaitLive(t, 1+len(sockets))
	answer := make([]byte, 12)
	for _, fd := range sockets {
		_, err := unix.Read(fd, answer)
		require.NoError(t, err)
		require.Equal(t, "HTTP/1.1 101", string(answer))
	}
	old.leave()
}
