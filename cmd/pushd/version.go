package main

import (
	"cmp"
	"fmt"
	"runtime"
	"runtime/debug"
)

// version is set by -ldflags "-X main.version=v1.2.3".
var version string

type versionCmd struct{}

func (versionCmd) Run(w *world) error {
	_, err := fmt.Fprintln(w.stdout, about())
	return err
}

// about is one line: version, commit, Go, platform.
func about() string {
	v, commit := version, ""
	if info, ok := debug.ReadBuildInfo(); ok {
		v = cmp.Or(v, info.Main.Version)
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				commit = s.Value[:min(len(s.Value), 12)]
			}
		}
	}
	return fmt.Sprintf("pushd %s, commit %s, %s, %s/%s",
		cmp.Or(v, "(unknown)"), cmp.Or(commit, "(unknown)"), runtime.Version(), runtime.GOOS, runtime.GOARCH)
}
