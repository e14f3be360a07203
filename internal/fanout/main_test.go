package main_test

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	main "github.com/pushd/pushd/internal/fanout"
	"github.com/pushd/pushd/internal/leak"
)

// The program starts itself in its roles: in a test that is the test's binary.
func TestMain(m *testing.M) {
	if len(os.Args) == 2 && (os.Args[1] == "crowd" || os.Args[1] == "floor") {
		os.Exit(main.Run(context.Background(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
	}
	leak.Main(m)
}

// run is the program with args.
func run(ctx context.Context, args ...string) (code int, stdout, stderr string) {
	var out, bad bytes.Buffer
	code = main.Run(ctx, args, nil, &out, &bad)
	return code, out.String(), bad.String()
}

// pushd builds the server and returns its path.
func pushd(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "pushd")
	said, err := exec.Command("go", "build", "-o", path, "github.com/pushd/pushd/cmd/pushd").CombinedOutput()
	require.NoError(t, err, "%s", said)
	return path
}

// file makes one in a folder of the test's own and returns its path.
func file(t *testing.T, content string) string {
	path := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
	return path
}

func TestUsage(t *testing.T) {
	server := file(t, "")
	document := file(t, "no markers\n")
	for _, c := range []struct {
		label string
		args  []string
		want  string
	}{
		{"an argument", []string{"one"}, `fanout: "one": expected flags only`},
		{"unknown flag", []string{"-round", "3"}, "flag provided but not defined: -round"},
		{"unknown scenario", []string{"-scenario", "one,two"}, `-scenario: "two": expected all, or some of one, payloads,`},
		{"no scenario", []string{"-scenario", ""}, `-scenario: "": expected all`},
		{"rounds", []string{"-rounds", "0"}, "-rounds: 0: expected 1 to 100"},
		{"rounds, no number", []string{"-rounds", "many"}, `invalid value "many" for flag -rounds`},
		{"too few", []string{"-conns", "99"}, "-conns: 99: expected 100 to "},
		{"too many", []string{"-conns", "100000000"}, "for a process may have "},
		{"seconds", []string{"-seconds", "NaN"}, "-seconds: NaN: expected 0.1 to 60"},
		{"no server", []string{"-server", "no/such/file"}, "-server: no/such/file: expected the server's binary: run make first"},
		{"a folder", []string{"-server", t.TempDir()}, "expected the server's binary"},
		{"no document", []string{"-server", server, "-write", "no/such/file"}, "-write: open no/such/file"},
		{"no markers", []string{"-server", server, "-write", document}, `expected the lines "<!-- fanout one: begin -->"`},
	} {
		t.Run(c.label, func(t *testing.T) {
			code, stdout, stderr := run(t.Context(), c.args...)
			require.Equal(t, 2, code)
			require.Empty(t, stdout)
			require.Contains(t, stderr, c.want)
		})
	}
}

func TestServerThatDoesNotListen(t *testing.T) {
	script := file(t, "#!/bin/sh\necho 'no such luck' >&2\nexit 3\n")
	require.NoError(t, os.Chmod(script, 0o700))
	code, _, stderr := run(t.Context(), "-server", script, "-scenario", "memory")
	require.Equal(t, 1, code)
	require.Contains(t, stderr, "version: exit status 3")
}
