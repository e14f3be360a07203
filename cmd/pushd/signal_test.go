package main_test

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/stretchr/testify/require"

	main "github.com/pushd/pushd/cmd/pushd"
)

// init turns a process that was started as the program into it.
func init() {
	if os.Getenv("PUSHD_TEST_MAIN") != "" {
		os.Exit(main.Run(context.Background(), os.Args[1:], os.LookupEnv, os.Stdin, os.Stdout, os.Stderr))
	}
}

// process is the program as a process of its own, which can be sent signals.
type process struct {
	*exec.Cmd
	stderr *transcript
	exited chan struct{}
}

func launch(t *testing.T, args ...string) *process {
	t.Helper()
	p := &process{exec.Command(os.Args[0], args...), newTranscript(), make(chan struct{})}
	p.Env, p.Stderr = append(os.Environ(), "PUSHD_TEST_MAIN=1"), p.stderr
	require.NoError(t, p.Start())
	go func() { p.Wait(); close(p.exited) }()
	t.Cleanup(func() { p.Process.Kill(); <-p.exited })
	return p
}

// code waits for the end of the process and returns its exit code.
func (p *process) code(t *testing.T) int {
	t.Helper()
	select {
	case <-p.exited:
		return p.ProcessState.ExitCode()
	case <-time.After(10 * time.Second):
		t.Fatalf("the process goes on:\n%s", p.stderr)
		return -1
	}
}

// The first signal lets the server leave well, the second at once.
func TestSignals(t *testing.T) {
	for _, c := range []struct {
		label   string
		args    []string
		signals []syscall.Signal
		code    int
		says    string
	}{
		{"one, in development", nil, []syscall.Signal{syscall.SIGINT}, 0, `draining connections=1 delay=0s over=0s`},
		{"one", []string{"--drain-over=1s"}, []syscall.Signal{syscall.SIGTERM}, 0, `draining connections=1 delay=0s over=1s`},
		{"two", []string{"--drain-delay=1h", "--drain-over=1h"}, []syscall.Signal{syscall.SIGTERM, syscall.SIGINT}, 1, `ended by a second signal`},
	} {
		t.Run(c.label, func(t *testing.T) {
			p := launch(t, append([]string{"serve", "--dev", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"}, c.args...)...)
			url := p.stderr.await(t, `door +(ws://\S+)`)
			client, _, _, err := ws.Dial(context.Background(), url+"?topic=a")
			require.NoError(t, err)
			defer client.Close()
			for i, signal := range c.signals {
				if i > 0 {
					p.stderr.await(t, `msg=draining`)
				}
				require.NoError(t, p.Process.Signal(signal))
			}
			client.SetDeadline(time.Now().Add(10 * time.Second))
			header, err := ws.ReadHeader(client)
			require.NoError(t, err)
			payload := make([]byte, min(header.Length, 125))
			_, err = io.ReadFull(client, payload)
			require.NoError(t, err)
			code, reason := ws.ParseCloseFrameData(payload)
			require.EqualValues(t, 1012, code)
			var retry int
			_, err = fmt.Sscanf(reason, "retry_ms=%d", &retry)
			require.NoError(t, err)
			ws.WriteFrame(client, ws.MaskFrame(ws.NewCloseFrame(ws.NewCloseFrameBody(code, "")))) // it may not wait for that
			require.Equal(t, c.code, p.code(t), p.stderr)
			require.Contains(t, p.stderr.String(), c.says)
		})
	}
}
