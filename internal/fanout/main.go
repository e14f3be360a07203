package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := Run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// Run is the program: a role where args name one, else the scenarios of the command line. Every process that it starts has
// ended when it returns. The code is 0, 1 if something failed or was lost, or 2 for a command line that cannot be.
func Run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	if len(args) == 1 && roles[args[0]] != nil {
		if err := roles[args[0]](stdin, stdout); err != nil {
			fmt.Fprintf(stderr, "fanout: %s: %v\n", args[0], err)
			return 1
		}
		return 0
	}
	o, err := parse(args, stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		return 2
	}
	for _, s := range o.scenarios {
		if err := s.report(ctx, o, stdout); err != nil {
			fmt.Fprintf(stderr, "fanout: %s: %v\n", s.name, err)
			return 1
		}
	}
	return 0
}
