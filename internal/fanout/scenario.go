package main

import (
	"context"
	"fmt"
	"io"
)

// scenario is one table of the document.
type scenario struct {
	name  string
	title string
	run   func(context.Context, *options) (*table, error)
}

// scenarios in the order of the document.
var scenarios = []scenario{
	{"one", "One topic, 10,000 subscribers", one},
	{"payloads", "Payloads of 32 B, 1 KiB and 16 KiB", payloads},
	{"portfolio", "500 topics, 2,000 subscribers of 50 each", portfolio},
	{"topics", "10,000 topics with one subscriber each", topics},
	{"stuck", "Subscribers that do not read", stuckOnes},
	{"overload", "Three times the floor's rate for ten seconds", overload},
	{"fairness", "Everything else while 10,000 are published to", fairness},
	{"memory", "What a connection and a subscription cost", memory},
}

func scenarioNames() (names []string) {
	for _, s := range scenarios {
		names = append(names, s.name)
	}
	return names
}

// report runs the scenario, shows its table and puts it into the document.
func (s scenario) report(ctx context.Context, o *options, out io.Writer) error {
	from, err := provenance(ctx, o, s.name)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%s\n\n", s.title)
	t, err := s.run(ctx, o)
	if ctx.Err() != nil {
		return context.Cause(ctx) // and not what ended because of it
	}
	if err != nil {
		return err
	}
	text := from + "\n" + t.String()
	fmt.Fprintf(out, "%s\n", text)
	if o.write == "" {
		return nil
	}
	return rewrite(o.write, s.name, text)
}
