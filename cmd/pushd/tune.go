package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"

	"github.com/pushd/pushd/tuning"
)

type tuneCmd struct {
	Connections uint64 `default:"0" help:"How many the host is to hold; 0 is as many as memory allows."`
	Client      bool   `help:"Judge for a load generator, which opens connections, and not for a server."`
	Pid         int    `help:"Judge the limits of this process, and with --apply raise them. Default is a process started from here."`
	Format      string `default:"table" enum:"table,json,sysctl,systemd,limits,docker,kubernetes" help:"table, json, sysctl, systemd, limits, docker or kubernetes."`

	Explain bool `help:"In the table: say as well why what is enough is needed, and what is better left alone."`

	Apply  bool `help:"Raise what is too low, as far as root may, now and for the next boot. Shows the change and asks first."`
	Undo   bool `help:"Take back what --apply did. Shows the change and asks first."`
	DryRun bool `help:"With --apply or --undo: show the change and do nothing."`
	Yes    bool `help:"With --apply or --undo: do not ask."`

	Root string `default:"/" hidden:""`
}

// Run is called by kong.
func (c *tuneCmd) Run(w *world) error {
	switch {
	case c.Pid < 0:
		return w.sources.bad("pid", c.Pid, "the id of a process")
	case c.Apply && c.Undo:
		return usagef("--undo: expected no --apply beside it")
	case (c.Yes || c.DryRun) && !c.Apply && !c.Undo:
		return usagef("--yes, --dry-run: expected --apply or --undo with it")
	case (c.Apply || c.Undo) && c.Format != "table":
		return usagef("--format: expected no --apply or --undo beside it")
	case c.Undo:
		return c.undo(w)
	}
	verdict, err := c.judge()
	if err != nil {
		return err
	}
	if c.Apply {
		return c.apply(w, verdict)
	}
	if err := c.print(w.stdout, verdict); err != nil {
		return err
	}
	if !verdict.Fit {
		return errTold
	}
	return nil
}

func (c *tuneCmd) judge() (tuning.Verdict, error) {
	read := tuning.Read
	if c.Root != "/" {
		read = func(pid int) (tuning.Host, error) { return tuning.ReadTree(os.DirFS(c.Root), pid) }
	}
	host, err := read(c.Pid)
	return tuning.Judge(host, tuning.Ask{Connections: c.Connections, Client: c.Client}), err
}

// print writes a verdict in the form that was asked for.
func (c *tuneCmd) print(to io.Writer, v tuning.Verdict) (err error) {
	switch c.Format {
	case "json":
		encoder := json.NewEncoder(to)
		encoder.SetIndent("", "  ")
		encoder.SetEscapeHTML(false)
		return encoder.Encode(v)
	case "sysctl":
		_, err = fmt.Fprint(to, v.Sysctl())
	case "systemd":
		_, err = fmt.Fprint(to, v.Systemd())
	case "limits":
		_, err = fmt.Fprint(to, v.Limits())
	case "docker":
		_, err = fmt.Fprint(to, v.Docker())
	case "kubernetes":
		_, err = fmt.Fprint(to, v.Kubernetes())
	default:
		_, err = fmt.Fprint(to, tuneTable(v, width(to), c.Explain))
	}
	return err
}
