package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strconv"

	"github.com/alecthomas/kong"

	"github.com/pushd/pushd/internal/client"
)

const (
	exitFailed      = 1
	exitUsage       = 2
	exitUnreachable = 3
)

func main() {
	os.Exit(run(context.Background(), os.Args[1:], os.LookupEnv, os.Stdin, os.Stdout, os.Stderr))
}

// cli is the command line.
type cli struct {
	Serve     serveCmd         `cmd:"" help:"Run a server."`
	Publish   publishCmd       `cmd:"" help:"Publish one message, or many from a file or standard input."`
	Subscribe subscribeCmd     `cmd:"" help:"Print the messages of topics, and come back when the connection is lost."`
	Loadgen   loadgenCmd       `cmd:"" help:"Measure what a server and its host hold, and how fast they push."`
	Tune      tuneCmd          `cmd:"" help:"Say how many connections this host holds, what stops it from holding more, and what to change."`
	Token     tokenCmd         `cmd:"" help:"Make keys and tokens, and look into them."`
	About     versionCmd       `cmd:"" name:"version" help:"Print the version."`
	Version   kong.VersionFlag `help:"Print the version."`
}

// world is what a command may touch of the process around it.
type world struct {
	ctx            context.Context
	args           []string
	env            func(string) (string, bool)
	stdin          io.Reader
	stdout, stderr io.Writer
	sources        *sources
}

// say talks to the person at the terminal.
func (w *world) say(format string, args ...any) { fmt.Fprintf(w.stderr, format+"\n", args...) }

// usageError is a mistake in what was asked, not in doing it.
type usageError struct{ error }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// errTold ends a command that has said already what went wrong.
var errTold = errors.New("told")

// exited carries kong's wish to exit (after --help) out of its parser.
type exited int

// run is the whole program but for the process: it returns the exit code.
func run(ctx context.Context, args []string, env func(string) (string, bool), stdin io.Reader, stdout, stderr io.Writer) (code int) {
	defer func() {
		switch r := recover().(type) {
		case nil:
		case exited:
			code = int(r)
		default:
			panic(r)
		}
	}()
	w := &world{ctx: ctx, args: args, env: env, stdin: stdin, stdout: stdout, stderr: stderr, sources: newSources(env)}
	_, command, err := w.parse()
	if err == nil {
		err = command.Run(w)
	}
	return w.exit(err)
}

// parse reads the command line, and what stands in the environment and the file.
func (w *world) parse() (*cli, *kong.Context, error) {
	c := new(cli)
	parser, err := kong.New(c,
		kong.Name("pushd"),
		kong.Description("A push server for very many mostly idle WebSocket connections. "+
			"Type bin/pushd or pushctl: pushd alone is a builtin of bash and zsh."),
		kong.Vars{"version": about(), "handshakes": strconv.Itoa(20_000 * runtime.GOMAXPROCS(0))},
		kong.Writers(w.stdout, w.stderr),
		kong.Exit(func(code int) { panic(exited(code)) }),
		kong.Resolvers(w.sources),
		kong.ValueFormatter(helpWithEnv),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: 100}),
	)
	if err != nil {
		panic(err) // the struct tags are wrong
	}
	command, err := parser.Parse(w.args)
	if err == nil {
		w.sources.note(command)
	} else if ours, ok := errors.AsType[usageError](err); ok {
		err = ours // without the flag that kong puts in front, which need not be its origin
	} else {
		err = usageError{err}
	}
	return c, command, err
}

// exit says what went wrong and returns the code for it.
func (w *world) exit(err error) int {
	if err == nil {
		return 0
	}
	if !errors.Is(err, errTold) {
		w.say("pushd: %v", err)
	}
	if _, ok := errors.AsType[usageError](err); ok {
		return exitUsage
	}
	if _, ok := errors.AsType[*client.UnreachableError](err); ok || errors.Is(err, errUnreached) {
		return exitUnreachable
	}
	return exitFailed
}
