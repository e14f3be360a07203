package main

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/pushd/pushd/tuning"
)

// apply shows what is to be changed, asks, and changes it. What the host then
// is comes last: a change that leaves it unfit, for want of memory say, was made
// all the same.
func (c *tuneCmd) apply(w *world, verdict tuning.Verdict) error {
	plan, err := tuning.NewPlan(c.Root, verdict)
	if err != nil {
		return err
	}
	for _, change := range plan.Changes {
		fmt.Fprintln(w.stdout, change.Diff())
	}
	for _, left := range plan.Left {
		fmt.Fprintln(w.stdout, "left out: "+left)
	}
	if len(plan.Changes) == 0 {
		fmt.Fprintln(w.stdout, "nothing to change")
		return nil
	}
	if ok, err := c.confirmed(w); !ok {
		return err
	}
	if err := plan.Apply(); err != nil {
		return rootOnly(err)
	}
	after, err := c.judge()
	if err != nil {
		return err
	}
	fmt.Fprintf(w.stdout, "changed; `pushd tune --undo` takes it back. Now it %s\n", after)
	return nil
}

// undo shows what is to be restored, asks, and restores it.
func (c *tuneCmd) undo(w *world) error {
	all, err := tuning.Undo(c.Root, true)
	if errors.Is(err, tuning.ErrNothingToUndo) {
		w.say("%v", err)
		return nil
	}
	if err != nil {
		return rootOnly(err)
	}
	for _, u := range all {
		switch {
		case u.Restored && u.Before == nil:
			fmt.Fprintf(w.stdout, "%s: to be taken away\n", u.Name())
		case u.Restored:
			back := u.Change
			back.Before, back.After = &u.After, *u.Before
			fmt.Fprint(w.stdout, back.Diff())
		case u.Foreign:
			fmt.Fprintf(w.stdout, "%s: left as it is, for it is not what was written: %s\n", u.Name(), strings.TrimSpace(u.After))
		case u.Gone:
			fmt.Fprintf(w.stdout, "%s: it has ended\n", u.Name())
		default:
			fmt.Fprintf(w.stdout, "%s: is as it was\n", u.Name())
		}
	}
	if ok, err := c.confirmed(w); !ok {
		return err
	}
	if _, err := tuning.Undo(c.Root, false); err != nil {
		return rootOnly(err)
	}
	fmt.Fprintln(w.stdout, "taken back")
	return nil
}

// confirmed asks at the terminal, unless --yes has answered already.
func (c *tuneCmd) confirmed(w *world) (bool, error) {
	if c.DryRun || c.Yes {
		return !c.DryRun, nil
	}
	f, ok := w.stdin.(*os.File)
	if ok {
		_, err := unix.IoctlGetWinsize(int(f.Fd()), unix.TIOCGWINSZ) // only a terminal has a size
		ok = err == nil
	}
	if !ok {
		return false, errors.New("nothing was changed: standard input is no terminal to ask at: expected --yes or --dry-run")
	}
	fmt.Fprint(w.stdout, "Do it? [y/N] ")
	answer, _ := bufio.NewReader(f).ReadString('\n')
	switch strings.ToLower(strings.TrimSpace(answer)) {
	case "y", "yes":
		return true, nil
	}
	return false, errors.New("nothing was changed")
}

// rootOnly adds who may.
func rootOnly(err error) error {
	if errors.Is(err, fs.ErrPermission) && os.Geteuid() != 0 {
		return fmt.Errorf("%w: expected to be run as root", err)
	}
	return err
}
