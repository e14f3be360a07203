package server

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"runtime"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/time/rate"

	"github.com/pushd/pushd/broadcast"
	"github.com/pushd/pushd/conn"
	"github.com/pushd/pushd/internal/demo"
	"github.com/pushd/pushd/internal/dialect"
	"github.com/pushd/pushd/internal/peers"
	"github.com/pushd/pushd/netpoll"
	"github.com/pushd/pushd/pool"
)

// Server is a pushd server. New makes one.
type Server struct {
	cfg     Config
	hub     *broadcast.Hub
	engine  *conn.Engine
	workers *pool.Workers
	owners  []*owner // by shard
	counts  counts
	peers   *peers.Table
	reloads reloads
	pages   *pages
	demo    demo.Config // what the demo shows, if there is one
	leaving leaving

	encoders  []broadcast.Encoder // by dialect
	origins   origins
	bans      bans
	memory    memory
	admission *rate.Limiter // of handshakes

	public  *netpoll.Listener
	admin   net.Listener // nil for none
	metrics net.Listener // nil for none
}

// New opens the listeners of a server. Run closes them; so does Close.
func New(cfg Config) (*Server, error) {
	s := &Server{cfg: cfg.withDefaults(), leaving: leaving{hurry: make(chan struct{})}, admission: newAdmission(cfg.MaxHandshakes)}
	s.origins = origins{allowed: s.cfg.Origins, local: s.cfg.Dev, log: s.cfg.Logger}
	s.peers = peers.New(peers.Config{Trusted: cfg.TrustProxy, Connections: cfg.MaxConnectionsPerAddress, Handshakes: cfg.MaxHandshakesPerAddress})
	s.memory.limit = s.cfg.MemoryLimit
	s.memory.begin()
	s.reloads.lastOK.Store(time.Now().UnixNano())
	if err := s.open(); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (s *Server) open() (err error) {
	cfg := s.cfg
	s.encoders = dialect.Encoders()
	s.hub = broadcast.NewHub(broadcast.Config{
		Encoders:     s.encoders,
		Settings:     s.settings(cfg.Topics),
		LogLimit:     cfg.LogLimit,
		MemoryLimit:  cfg.LogTotal,
		KeyLimit:     cfg.KeyTotal,
		MaxTopics:    cfg.MaxTopics,
		MaxUsers:     cfg.MaxUsers,
		MaxIDs:       cfg.MaxIDs,
		ResumeWindow: cfg.ResumeWindow,
	})
	if s.pages, err = newPages(s); err != nil {
		return err
	}
	workers := cfg.Workers
	if workers > 0 {
		workers = max(workers, cfg.Shards, runtime.GOMAXPROCS(0))
	}
	if s.workers, err = pool.NewWorkers(pool.WorkersConfig{Size: workers, Logger: cfg.Logger}); err != nil {
		return err
	}
	s.engine, err = conn.New(conn.Config{
		Handler:          &handler{s},
		NewOwner:         s.newOwner,
		Workers:          s.workers,
		Logger:           cfg.Logger,
		Peers:            s.peers,
		Preface:          s.preface(),
		Shards:           cfg.Shards,
		MaxConns:         cfg.MaxConnections,
		MaxPending:       cfg.MaxPending,
		MaxQueued:        cfg.QueueTotal,
		MaxMessage:       cfg.MaxMessage,
		MaxMessageRate:   cfg.MaxMessageRate,
		MaxByteRate:      cfg.MaxByteRate,
		TooFast:          tooFast,
		MaxPartial:       cfg.InputTotal,
		MessageTimeout:   cfg.MessageTimeout,
		HandshakeTimeout: cfg.HandshakeTimeout,
		PingInterval:     cfg.PingInterval,
		IdleTimeout:      cfg.IdleTimeout,
		Ping:             ping,
		LeaveOver:        cfg.DrainOver,
		Farewell:         s.farewell,
		Crowded:          crowded,
	})
	if err != nil {
		return err
	}
	if s.public, err = (netpoll.ListenConfig{UserTimeout: cfg.UserTimeout, NotSentLowat: cfg.NotSentLowat}).Listen("tcp", cfg.Listen); err != nil {
		return fmt.Errorf("public door: %w", err)
	}
	if s.admin, err = listen(cfg.Admin); err != nil {
		return fmt.Errorf("admin door: %w", err)
	}
	if cfg.AdminTLS.Cert != "" && s.admin != nil {
		secure, err := cfg.AdminTLS.config(len(cfg.AdminTokens) == 0)
		if err != nil {
			return err
		}
		s.admin = tls.NewListener(s.admin, secure)
	}
	if s.metrics, err = listen(cfg.MetricsListen); err != nil {
		return fmt.Errorf("metrics: %w", err)
	}
	return nil
}

// listen opens a listener for net/http; address may be "" for none.
func listen(address string) (net.Listener, error) {
	if address == "" {
		return nil, nil
	}
	network := "tcp"
	if path, ok := strings.CutPrefix(address, "unix:"); ok {
		network, address = "unix", path
	}
	l, err := netpoll.ListenConfig{}.Listen(network, address)
	if err != nil {
		return nil, err
	}
	return l.NetListener()
}

// Addr returns the address of the public door.
func (s *Server) Addr() net.Addr { return s.public.Addr() }

// AdminAddr returns the address of the admin door, or nil.
func (s *Server) AdminAddr() net.Addr {
	if s.admin == nil {
		return nil
	}
	return s.admin.Addr()
}

// Close closes the listeners and what else New has made. Run does it too.
func (s *Server) Close() error {
	var errs []error
	if s.public != nil {
		errs = append(errs, s.public.Close())
	}
	for _, l := range []net.Listener{s.admin, s.metrics} {
		if l == nil {
			continue
		}
		if err := l.Close(); !errors.Is(err, net.ErrClosed) {
			errs = append(errs, err)
		}
	}
	if s.engine != nil {
		errs = append(errs, s.engine.Close())
	}
	if s.workers != nil {
		s.workers.Close()
	}
	return errors.Join(errs...)
}

// Run serves until ctx ends, then leaves (see leave), and returns when all that
// it began has ended.
func (s *Server) Run(ctx context.Context) error {
	defer s.Close()
	log := s.cfg.Logger
	s.warnOfMemory()
	log.Info("listening", "door", "public", "addr", s.public.Addr().String())
	group, failed := errgroup.WithContext(context.WithoutCancel(ctx))
	welcome, closeDoor := context.WithCancel(failed) // newcomers on the public door
	rest, end := context.WithCancel(failed)          // everything else, until the last connection has gone
	defer end()
	group.Go(func() error { s.leave(ctx, failed, closeDoor); return nil })
	group.Go(func() error {
		defer end()
		defer s.leaving.reach(left)
		return s.engine.Run(welcome, s.public)
	})
	group.Go(func() error { return serveHTTP(rest, s.pages.server, s.pages) })
	if s.admin != nil {
		log.Info("listening", "door", "admin", "addr", s.admin.Addr().String())
		group.Go(func() error { return serveHTTP(rest, s.adminServer(), s.admin) })
	}
	if s.metrics != nil {
		log.Info("listening", "door", "metrics", "addr", s.metrics.Addr().String())
		group.Go(func() error { return serveHTTP(rest, s.metricsServer(), s.metrics) })
	}
	if s.cfg.Auth != nil {
		group.Go(func() error { s.cfg.Auth.Run(rest); return nil })
	}
	if s.cfg.Demo {
		group.Go(func() error { return s.runDemo(rest) })
	}
	group.Go(func() error { return s.housekeep(rest) })
	return group.Wait()
}

// serveHTTP serves until ctx ends, and then gives requests under way a second.
func serveHTTP(ctx context.Context, server *http.Server, l net.Listener) error {
	ended := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(ended)
		grace, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if server.Shutdown(grace) != nil {
			server.Close()
		}
	})
	err := server.Serve(l)
	if !stop() {
		<-ended
	}
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// housekeep does what is to be done now and then.
func (s *Server) housekeep(ctx context.Context) error {
	second := time.NewTicker(time.Second)
	defer second.Stop()
	tick := time.NewTicker(min(time.Minute, max(time.Second, s.cfg.ResumeWindow/10)))
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			s.hub.Sweep()
		case <-second.C:
			s.hub.Expire()
			s.bans.sweep(time.Now())
			s.watchMemory()
		case <-ctx.Done():
			return nil
		}
	}
}
