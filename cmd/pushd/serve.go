package main

import "errors"

type serveCmd struct {
	Config      string `placeholder:"FILE" help:"Settings as YAML: the names of these flags, without the dashes in front."`
	CheckConfig bool   `help:"Judge the settings and exit."`
	PrintConfig bool   `help:"Print the effective settings as YAML and exit."`

	settings `embed:""`
}

// Run is called by kong.
func (c *serveCmd) Run(w *world) error {
	if err := c.check(w.sources); err != nil {
		return err
	}
	token, err := w.secret(c.AdminTokenFile, "PUSHD_ADMIN_TOKEN")
	if err != nil {
		return err
	}
	if token == "" && !c.adminIsPrivate() {
		return usagef("%s: %q can be reached from elsewhere: expected --admin-token-file with it, or a loopback address or unix:PATH",
			w.sources.where("admin"), c.Admin)
	}
	switch {
	case c.PrintConfig:
		return c.print(w)
	case c.CheckConfig:
		w.say("the settings are good")
		return nil
	}
	return errors.New("this build has no server")
}
