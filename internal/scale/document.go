package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// The lines between which the result stands in a document.
const (
	begin = "<!-- scale: begin -->\n"
	end   = "<!-- scale: end -->\n"
)

// rewrite puts text between the markers of a file, and leaves all else as it was.
func rewrite(path, text string) error {
	document, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	before, rest, ok1 := strings.Cut(string(document), begin)
	_, after, ok2 := strings.Cut(rest, end)
	if !ok1 || !ok2 {
		return fmt.Errorf("%s: expected the lines %q and, below, %q", path, strings.TrimSpace(begin), strings.TrimSpace(end))
	}
	return os.WriteFile(path, []byte(before+begin+text+end+after), 0o644)
}

// markdown is what was found: a table of the steps and a paragraph.
func (r *result) markdown(o *options, memory int, took time.Duration) string {
	var b strings.Builder
	version := ""
	if r.report != nil {
		version, _, _ = strings.Cut(r.report.Version, ",") // what follows is of its build
		version = ", pushd " + version
	}
	fmt.Fprintf(&b, "`make scale N=%d`, %s, %v. A virtual machine emulated by qemu: 2 processors, %s MiB, Linux %s%s.\n\n",
		o.n, time.Now().UTC().Format("2006-01-02 15:04 UTC"), took.Round(time.Second), commas(memory), r.kernel, version)
	fmt.Fprintf(&b, "| %-28s | %-12s | %-22s | %-38s | %-18s |\n", "connections", "handshakes/s", "server, bytes for each", "kernel, bytes for each, both its ends", "of these, slab")
	fmt.Fprintf(&b, "| %s: | %s: | %s: | %s: | %s: |\n", dashes(27), dashes(11), dashes(21), dashes(37), dashes(17))
	for i := 1; i < len(r.steps); i++ {
		first, was, is := r.steps[0], r.steps[i-1], r.steps[i]
		each := func(now, empty uint64) string {
			return commas(int((float64(now) - float64(empty)) / float64(is.Connections)))
		}
		name, rate := commas(is.Connections), ""
		if is.Delivered {
			name += ", after messages"
		} else {
			rate = commas(int(float64(is.Connections-was.Connections) / (is.Seconds - was.Seconds)))
		}
		fmt.Fprintf(&b, "| %28s | %12s | %22s | %38s | %18s |\n", name, rate, each(is.Server, first.Server), each(is.Kernel, first.Kernel), each(is.Slab, first.Slab))
	}
	fmt.Fprintf(&b, "\nOne `pushd serve --ping-interval 1h`, so that no ping was due, and `pushd loadgen fanout` beside it. "+
		"Published to all, %v apart: %d messages. Deliveries %s of %s; lost %d, repeated %d, out of order %d; connections lost %d. ",
		o.apart(), r.figure("published"), commas(r.figure("delivered")), commas(r.figure("expected")),
		r.figure("lost"), r.figure("repeated"), r.figure("disordered"), r.figure("connections_lost"))
	b.WriteString("*Server* is what is resident beyond what was before the first connection, with the room that Go's collector keeps. " +
		"*Kernel* is all that it uses itself, caches of files left out, and its both ends are in the same machine. " +
		"Handshakes a second are those of an emulated processor.\n")
	return b.String()
}

func dashes(n int) string { return strings.Repeat("-", n) }

// commas writes n as people read it.
func commas(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
