package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/pushd/pushd/loadgen"
	"github.com/pushd/pushd/loadgen/report"
)

// errUnreached ends a run for which there was no server.
var errUnreached = fmt.Errorf("%w: no server was reached", errTold)

type scenario interface {
	Run(context.Context) (*report.Report, error)
}

// measure runs a scenario until it is through or the process is told to end,
// and shows what it has found.
func (f *loadFlags) measure(w *world, make func(loadgen.Common) scenario) error {
	var conditions []report.Condition
	for _, e := range f.Expect {
		c, err := report.ParseExpectation(e)
		if err != nil {
			return usagef("--expect: %w", err)
		}
		conditions = append(conditions, c)
	}
	common, err := f.common(w)
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(w.ctx, syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	line := newProgressLine(w.stderr)
	common.Progress = line.show
	r, err := make(common).Run(ctx)
	line.end()
	if r == nil {
		return usageError{err}
	}
	if err != nil {
		w.say("pushd: %v", err)
	}
	if err := r.Judge(conditions...); err != nil {
		return usagef("--expect: %w", err)
	}
	if err := f.write(w, r); err != nil {
		return err
	}
	if r.Ended != "" && r.Ended != "interrupted" {
		w.say("pushd: %s", r.Ended)
		if unreached(r) {
			return errUnreached
		}
		return errTold
	}
	if !r.Met() {
		w.say("pushd: an expectation was not met")
		return errTold
	}
	return nil
}

// unreached reports whether nobody listened all along.
func unreached(r *report.Report) bool {
	opened, _ := r.Figure("opened")
	return opened.Value == 0 && len(r.Causes) > 0 && r.Causes[0].Name == loadgen.NobodyListens
}

// write shows a report, and writes the files that were asked for.
func (f *loadFlags) write(w *world, r *report.Report) error {
	if f.Json == "-" {
		return report.Write(w.stdout, r)
	}
	if err := report.Table(w.stdout, r); err != nil {
		return err
	}
	if f.Json != "" {
		if err := toFile(f.Json, func(file *os.File) error { return report.Write(file, r) }); err != nil {
			return err
		}
	}
	if f.Html == "" {
		return nil
	}
	return toFile(f.Html, func(file *os.File) error { return report.HTML(file, report.Run{Name: r.Scenario, Report: r}) })
}

func toFile(path string, write func(*os.File) error) error {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	return errors.Join(write(file), file.Close())
}

func (f *loadFlags) common(w *world) (c loadgen.Common, err error) {
	token, err := w.secret(f.AdminTokenFile, "PUSHD_ADMIN_TOKEN")
	if err != nil {
		return c, err
	}
	c = loadgen.Common{
		URLs: f.URL, Headers: f.Header, FirstFrames: f.FirstFrame, Answers: f.Answer, Gap: f.GapMarker, Topic: f.Topic,
		Admin: f.Admin, AdminToken: token, ServerPIDs: f.ServerPid,
		Pending: f.Pending, Timeout: f.Timeout, Workers: f.Workers, Dump: f.DumpOne,
		Version: strings.TrimPrefix(about(), "pushd "), Command: append([]string{"pushd"}, w.args...),
	}
	for _, s := range f.Source {
		if c.Sources, err = addAddresses(c.Sources, s); err != nil {
			return c, usagef("--source: %w", err)
		}
	}
	if self, err := os.Executable(); err == nil {
		c.Worker = []string{self, "loadgen", "worker"}
	}
	return c, nil
}

// maxSources bounds what a range of addresses may stand for.
const maxSources = 65_536

// addAddresses appends an address, or a range A-B with its ends.
func addAddresses(all []netip.Addr, s string) ([]netip.Addr, error) {
	from, to, isRange := strings.Cut(s, "-")
	if !isRange {
		to = from
	}
	first, err1 := netip.ParseAddr(from)
	last, err2 := netip.ParseAddr(to)
	if err1 != nil || err2 != nil || first.BitLen() != last.BitLen() || last.Less(first) {
		return nil, fmt.Errorf("%q: expected an address, or a range such as 127.0.0.2-127.0.0.9", s)
	}
	for a := first; ; a = a.Next() {
		if len(all) >= maxSources {
			return nil, fmt.Errorf("%q: expected at most %s addresses", s, number(maxSources))
		}
		if all = append(all, a); a == last {
			return all, nil
		}
	}
}
