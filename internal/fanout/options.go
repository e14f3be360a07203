package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// options are what a run was asked for.
type options struct {
	server    string
	scenarios []scenario
	rounds    int
	conns     int
	seconds   float64
	write     string // a file, or empty
	args      []string
}

// while is how long a paced measurement lasts.
func (o *options) while() time.Duration { return time.Duration(o.seconds * float64(time.Second)) }

// scaled is how many connections a scenario of n, made for 10,000, has here. At least 20.
func (o *options) scaled(n int) int { return max(20, n*o.conns/10_000) }

// spare is how many files a process needs beside its sockets. The server keeps 704 itself.
const spare = 800

// parse reads the command line. What is wrong it has told out when it returns an error.
func parse(args []string, out io.Writer) (*options, error) {
	o := &options{args: args}
	f := flag.NewFlagSet("fanout", flag.ContinueOnError)
	f.SetOutput(out)
	names := f.String("scenario", "all", "which to run, with commas between: all, "+strings.Join(scenarioNames(), ", "))
	f.StringVar(&o.server, "server", "bin/pushd", "the server's binary")
	f.IntVar(&o.rounds, "rounds", 3, "turns of the server in each scenario, 1 to 100")
	f.IntVar(&o.conns, "conns", 10_000, "subscribers of a scenario that has 10,000; the others in proportion")
	f.Float64Var(&o.seconds, "seconds", 3, "how long each paced measurement lasts, 0.1 to 60")
	f.StringVar(&o.write, "write", "", "put the tables into this document, each between the markers of its scenario")
	if err := f.Parse(args); err != nil {
		return nil, err
	}
	err := o.check(f, *names)
	if err != nil {
		fmt.Fprintf(out, "fanout: %v\n", err)
	}
	return o, err
}

func (o *options) check(f *flag.FlagSet, names string) error {
	if f.NArg() > 0 {
		return fmt.Errorf("%q: expected flags only", f.Arg(0))
	}
	if names == "all" {
		o.scenarios = scenarios
	} else {
		for name := range strings.SplitSeq(names, ",") {
			i := slices.IndexFunc(scenarios, func(s scenario) bool { return s.name == name })
			if i < 0 {
				return fmt.Errorf("-scenario: %q: expected all, or some of %s", name, strings.Join(scenarioNames(), ", "))
			}
			o.scenarios = append(o.scenarios, scenarios[i])
		}
	}
	var files unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &files); err != nil {
		return os.NewSyscallError("getrlimit", err)
	}
	most := int(min(files.Max, 1<<20)) - spare
	switch {
	case o.rounds < 1 || o.rounds > 100:
		return fmt.Errorf("-rounds: %d: expected 1 to 100", o.rounds)
	case o.conns < 100 || o.conns > most:
		return fmt.Errorf("-conns: %d: expected 100 to %d, for a process may have %d open files", o.conns, most, files.Max)
	case !(o.seconds >= 0.1 && o.seconds <= 60):
		return fmt.Errorf("-seconds: %v: expected 0.1 to 60", o.seconds)
	}
	if info, err := os.Stat(o.server); err != nil || info.IsDir() {
		return fmt.Errorf("-server: %s: expected the server's binary: run make first (%w)", o.server, errors.Join(err))
	}
	if o.write == "" {
		return nil
	}
	text, err := os.ReadFile(o.write)
	if err != nil {
		return fmt.Errorf("-write: %w", err)
	}
	for _, s := range o.scenarios {
		if _, err := replace(string(text), s.name, ""); err != nil {
			return fmt.Errorf("-write: %s: %w", o.write, err)
		}
	}
	return nil
}
