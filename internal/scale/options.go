package main

import (
	"flag"
	"fmt"
	"io"
	"time"
)

// options are what a run was asked for.
type options struct {
	n      int
	pushd  string
	kernel string // a file, or empty: Debian's
	write  string // a file, or empty
}

// messages are published once all connections are there.
const messages = 3

// apart is how far: less than one takes to reach all, where they are many.
func (o *options) apart() time.Duration {
	return max(2*time.Second, time.Duration(o.n)*50*time.Microsecond)
}

// parse reads the command line. What is wrong with a flag it has told out when it returns an error.
func parse(args []string, out io.Writer) (*options, error) {
	o := &options{}
	f := flag.NewFlagSet("scale", flag.ContinueOnError)
	f.SetOutput(out)
	f.IntVar(&o.n, "n", 1_000_000, "connections, 1,000 to 5,000,000: about 9 KiB of memory each")
	f.StringVar(&o.pushd, "pushd", "bin/pushd", "the binary that is measured: linux/amd64, static")
	f.StringVar(&o.kernel, "kernel", "", "a Linux kernel for x86-64; none: that of Debian's package, fetched by apt-get")
	f.StringVar(&o.write, "write", "", "put the result into this document, between its markers")
	if err := f.Parse(args); err != nil {
		return nil, err
	}
	if f.NArg() > 0 {
		return nil, fmt.Errorf("%q: expected flags only", f.Arg(0))
	}
	if o.n < 1000 || o.n > 5_000_000 {
		return nil, fmt.Errorf("-n %d: expected 1,000 to 5,000,000", o.n)
	}
	return o, nil
}

// What two emulated processors did with 100,000 connections on a server of 2024, and less: theirs are shared with others.
const (
	connectRate  = 1200 // a second
	deliveryRate = 15_000
	closeRate    = 8000
	booting      = 15 * time.Second
)

// expected is how long the whole takes, about.
func (o *options) expected() time.Duration {
	each := time.Second/connectRate + messages*time.Second/deliveryRate + time.Second/closeRate
	return booting + messages*o.apart() + time.Duration(o.n)*each
}

// deadline is when the machine is ended whatever it does.
func (o *options) deadline() time.Duration { return 3 * o.expected() }
