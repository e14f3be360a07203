package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"strings"
	"syscall"

	"github.com/pushd/pushd/conn"
	"github.com/pushd/pushd/internal/auth"
	"github.com/pushd/pushd/internal/dialect"
	"github.com/pushd/pushd/internal/peers"
	"github.com/pushd/pushd/internal/server"
	"github.com/pushd/pushd/tuning"
)

type serveCmd struct {
	Config      string `placeholder:"FILE" help:"Settings as YAML: the names of these flags, without the dashes in front, and topics."`
	CheckConfig bool   `help:"Judge the settings and exit."`
	PrintConfig bool   `help:"Print the effective settings as YAML and exit."`

	settings `embed:""`

	topics []server.TopicRule // of the file; they are no flag
}

// Run is called by kong.
func (c *serveCmd) Run(w *world) error {
	// Set-up leaves garbage behind, and the first collection has costs of its own: it
	// is the one before there are connections, and the only one so far, so that they
	// find the room that set-up had.
	percent := debug.SetGCPercent(-1)
	defer debug.SetGCPercent(percent)
	if err := c.complete(w.sources); err != nil {
		return err
	}
	tokens, err := w.secrets(c.AdminTokenFile, "PUSHD_ADMIN_TOKEN")
	if err != nil {
		return err
	}
	if err := c.checkAdmin(w.sources, tokens); err != nil {
		return err
	}
	switch {
	case c.PrintConfig:
		if err := c.print(w); err != nil {
			return err
		}
		return printTopics(w.stdout, c.topics)
	case c.CheckConfig:
		w.say("the settings are good")
		return nil
	}
	return c.serve(w, tokens, percent)
}

// complete checks the settings and reads the topics' of the file.
func (c *serveCmd) complete(src *sources) (err error) {
	if err = c.check(src); err == nil {
		c.topics, err = src.file.rules(&c.settings)
	}
	return err
}

// serve runs a server until the process is told to end. percent is the collector's.
func (c *serveCmd) serve(w *world, tokens []string, percent int) error {
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
	defer signal.Stop(signals)
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP) // at once: by default it ends the process
	defer signal.Stop(hangups)
	if _, err := tuning.RaiseOpenFiles(); err != nil {
		return err
	}
	cfg, err := c.server()
	if err != nil {
		return err
	}
	cfg.Topics = c.topics
	if c.Config != "" {
		cfg.Reload = func() (server.Reloaded, error) { return c.reload(w) }
	}
	host, _ := tuning.Read(0)
	verdict := tuning.Judge(host, tuning.Ask{})
	cfg.MaxConnections = connections(c.MaxConnections, verdict.Within(tuning.OpenFiles, "fs.file-max", tuning.Memory, tuning.GroupMemory))
	cfg.AdminTokens = tokens
	cfg.Logger = c.logger(w)
	if cfg.Auth, err = c.verifier(cfg.Logger); err != nil {
		return usageError{err}
	}
	if limit := limitMemory(); limit > 0 {
		cfg.Logger.Info("memory limit", "bytes", limit, "GOGC", cmp.Or(os.Getenv("GOGC"), "100"))
	}
	s, err := server.New(cfg)
	if err != nil {
		return c.taken(w, err)
	}
	defer reloadOn(hangups, s)()
	c.announce(w, s, verdict)
	debug.SetGCPercent(percent)
	runtime.GC()
	return runUntilTold(w.ctx, s, signals)
}

// errHurried is the end that a second signal brings about.
var errHurried = errors.New("ended by a second signal: the connections that were left were closed at once")

// runUntilTold runs a server until ctx ends or the first signal, which lets it
// leave well, or the second, which does not.
func runUntilTold(ctx context.Context, s *server.Server, signals <-chan os.Signal) error {
	ctx, leave := context.WithCancel(ctx)
	defer leave()
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	for told := 0; ; {
		select {
		case err := <-ended:
			if err == nil && told > 1 {
				err = errHurried
			}
			return err
		case <-signals:
			leave()
			if told++; told > 1 {
				s.Hurry()
			}
		}
	}
}

// connections is the limit for a host that holds so many. Where it holds none
// it is 1, for 0 would be the server's own default.
func connections(asked int, holds tuning.Count) int {
	n := int(min(holds, math.MaxInt32))
	if asked > 0 {
		n = min(asked, n)
	}
	return max(1, n)
}

// shards is how many there are, one a processor unless asked for.
func shards(asked, processors int) int {
	return cmp.Or(asked, min(processors, conn.MaxShards))
}

// server says to the server what the settings say.
func (c *settings) server() (server.Config, error) {
	open := c.AnonymousSubscribe
	if c.Demo {
		open = append([]string{"demo.>"}, open...)
	}
	anonymous, err := dialect.ParsePatternList(open)
	if err != nil {
		return server.Config{}, err
	}
	proxies, err := peers.ParseNetworks(c.TrustProxy)
	var origins []server.OriginPattern
	for _, o := range c.AllowOrigin {
		p, _ := server.ParseOriginPattern(o) // checked before
		origins = append(origins, p)
	}
	return server.Config{
		Listen:        c.Listen,
		Admin:         c.Admin,
		MetricsListen: c.MetricsListen,
		AuthCookie:    c.AuthCookie,
		AuthTimeout:   c.AuthTimeout,
		AdminTLS:      server.AdminTLS{Cert: c.AdminCert, Key: c.AdminKey, ClientCA: c.AdminClientCa},

		Dev:       c.Dev,
		Anonymous: anonymous,
		Origins:   origins,
		Demo:      c.Demo,
		DemoTape:  c.DemoTape,
		Echo:      c.Echo,
		Compress:  c.Compress,

		TrustProxy:    proxies,
		ProxyProtocol: c.ProxyProtocol,

		MaxConnectionsPerAddress: c.MaxConnectionsPerAddress,
		MaxHandshakesPerAddress:  c.MaxHandshakesPerAddress,

		MaxHandshakes:    c.MaxHandshakes,
		MaxPending:       c.MaxPending,
		MaxMessage:       int(c.MaxMessage),
		MaxMessageRate:   cmp.Or(c.MaxMessageRate, -1),
		MaxByteRate:      cmp.Or(int(c.MaxByteRate), -1),
		MaxSubscriptions: c.MaxSubscriptions,
		MaxTopics:        c.MaxTopics,
		MaxUsers:         c.MaxUsers,
		MaxIDs:           c.MaxIds,
		LogLimit:         int(c.LogLimit),
		LogTotal:         int64(c.LogTotal),
		KeyTotal:         int64(c.KeyTotal),
		QueueTotal:       int64(c.QueueTotal),
		MemoryLimit:      int64(c.MemoryLimit),
		InputTotal:       int64(c.InputTotal),
		MessageTimeout:   c.MessageTimeout,
		ResumeWindow:     c.ResumeWindow,
		PingInterval:     c.PingInterval,
		UserTimeout:      c.UserTimeout,
		NotSentLowat:     int(c.NotsentLowat),
		HandshakeTimeout: c.HandshakeTimeout,
		IdleTimeout:      c.IdleTimeout,
		PublishTimeout:   c.PublishTimeout,
		DrainDelay:       c.DrainDelay,
		DrainOver:        c.DrainOver,

		Shards:  shards(c.Shards, runtime.GOMAXPROCS(0)),
		Workers: c.Workers,

		Version: about(),
	}, err
}

// verifier returns what checks tokens, nil where there are no keys.
func (c *settings) verifier(log *slog.Logger) (*auth.Verifier, error) {
	if len(c.AuthKey) == 0 && c.AuthJwks == "" {
		return nil, nil
	}
	return auth.New(auth.Config{KeyFiles: c.AuthKey, JWKSURL: c.AuthJwks, Audience: c.AuthAudience, Issuer: c.AuthIssuer, Leeway: c.AuthLeeway, Logger: log})
}

func (c *settings) logger(w *world) *slog.Logger {
	var level slog.Level
	level.UnmarshalText([]byte(c.LogLevel)) // checked before
	options := &slog.HandlerOptions{Level: level}
	if c.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(w.stderr, options))
	}
	return slog.New(slog.NewTextHandler(w.stderr, options))
}

// taken says whose setting to change where an address is in use already.
func (c *settings) taken(w *world, err error) error {
	if !errors.Is(err, syscall.EADDRINUSE) {
		return err
	}
	for _, door := range []struct{ named, flag, address string }{
		{"public door", "listen", c.Listen}, {"admin door", "admin", c.Admin}, {"metrics", "metrics-listen", c.MetricsListen},
	} {
		if strings.HasPrefix(err.Error(), door.named) {
			w.say("pushd: %s %s: address already in use: another program has it; choose another with --%s (%s, %s:)",
				door.flag, door.address, door.flag, envName(door.flag), door.flag)
			return errTold
		}
	}
	return err
}

// announce says where the doors are, what this host holds and what to try.
func (c *settings) announce(w *world, s *server.Server, verdict tuning.Verdict) {
	public, admin := s.Addr(), s.AdminAddr()
	capacity := verdict.Holds.String() + " connections"
	if binds, ok := verdict.Binding(); ok {
		capacity += fmt.Sprintf(", as %s is %s", binds.Setting, binds.Show())
	}
	switch {
	case tuning.Count(c.MaxConnections) > verdict.Holds:
		capacity += fmt.Sprintf("; max-connections, %s, is out of reach", number(int64(c.MaxConnections)))
	case c.MaxConnections > 0:
		capacity += fmt.Sprintf("; max-connections is %s", number(int64(c.MaxConnections)))
	}
	if !c.Dev && !c.Demo {
		w.say("holds   %s", capacity)
		return
	}
	door := reachable(public)
	try := "bin/pushd publish news hello"
	if c.Admin != "127.0.0.1:8081" {
		try += " --admin " + reachable(admin)
	}
	if c.Demo {
		w.say("demo    the topics demo.> are open to everybody who reaches %s", public)
		w.say("page    http://%s/", door)
		try = "bin/pushd subscribe " + s.DemoTopics()[0]
		if door != "127.0.0.1:8080" {
			try += " --url " + door
		}
	} else {
		w.say("dev     EVERYTHING is open to everybody on this host; this is for development alone")
		w.say("door    ws://%s/ws", door)
	}
	w.say("admin   %s", reachable(admin))
	w.say("holds   %s", capacity)
	w.say("try     %s", try)
}

// reachable is an address as a client on this host would write it.
func reachable(a net.Addr) string {
	if a.Network() == "unix" {
		return "unix:" + a.String()
	}
	host, port, err := net.SplitHostPort(a.String())
	if ip := net.ParseIP(host); err == nil && ip != nil && ip.IsUnspecified() {
		return net.JoinHostPort("127.0.0.1", port)
	}
	return a.String()
}
