package main

import (
	"os"
	"os/signal"
	"reflect"

	"github.com/pushd/pushd/internal/server"
)

// reload reads the settings again, from where they came the first time, and says
// how topics are to be.
func (c *serveCmd) reload(w *world) (server.Reloaded, error) {
	again := *w
	again.sources = newSources(w.env)
	cli, _, err := again.parse()
	if err != nil {
		return server.Reloaded{}, err
	}
	next := &cli.Serve
	if err := next.complete(again.sources); err != nil {
		return server.Reloaded{}, err
	}
	return server.Reloaded{Topics: next.topics, Restart: c.settings.differ(&next.settings)}, nil
}

// differ names the settings that are not the same.
func (c *settings) differ(next *settings) (names []string) {
	a, b := reflect.ValueOf(*c), reflect.ValueOf(*next)
	for i := range a.NumField() {
		if !reflect.DeepEqual(a.Field(i).Interface(), b.Field(i).Interface()) {
			names = append(names, flagName(a.Type().Field(i).Name))
		}
	}
	return names
}

// reloadOn reloads at each of the hangups, until stop is called.
func reloadOn(hangups chan os.Signal, s *server.Server) (stop func()) {
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for range hangups {
			s.Reload() // logs how it went
		}
	}()
	return func() {
		signal.Stop(hangups) // nothing is sent any more once it returns
		close(hangups)
		<-ended
	}
}
