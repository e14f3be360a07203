package server

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"

	"github.com/pushd/pushd/broadcast"
	"github.com/pushd/pushd/internal/demo"
	"github.com/pushd/pushd/internal/dialect"
)

// readDemo settles what the demo is to show.
func (s *Server) readDemo() (err error) {
	s.demo = demo.MarketConfig()
	if s.cfg.DemoTape != "" {
		s.demo, err = demo.TapeConfig(demo.File(s.cfg.DemoTape))
	}
	return err
}

// DemoTopics returns the topics that the demo publishes to.
func (s *Server) DemoTopics() []string { return s.demo.Topics }

// withDemo returns the rules, and after them that the demo's market retains its
// prices, so that a page that comes late does not wait for the quietest of them.
func (s *Server) withDemo(rules []TopicRule) []TopicRule {
	if !s.cfg.Demo || s.cfg.DemoTape != "" {
		return rules
	}
	pattern, err := dialect.ParsePattern(demo.Prefix + ">")
	if err != nil {
		panic("server: the demo's pattern: " + err.Error())
	}
	return append(slices.Clip(rules), TopicRule{Pattern: pattern, Settings: broadcast.Settings{Retain: true}})
}

// runDemo publishes the demo until ctx ends.
func (s *Server) runDemo(ctx context.Context) error {
	if s.cfg.DemoTape != "" {
		return demo.Tape(ctx, demoPublisher{s.hub}, demo.File(s.cfg.DemoTape), 1)
	}
	return demo.Market(ctx, demoPublisher{s.hub}, rand.Uint64())
}

type demoPublisher struct{ hub *broadcast.Hub }

// Publish implements demo.Publisher. A price that finds no room, or no place for
// its topic, is left out: the demo goes on.
func (p demoPublisher) Publish(ctx context.Context, topic, key string, json []byte) error {
	_, err := p.hub.TryPublish(topic, broadcast.Message{Kind: broadcast.JSON, Key: key, Payload: json})
	if errors.Is(err, broadcast.ErrNoRoom) || errors.Is(err, broadcast.ErrTooManyTopics) {
		return nil
	}
	return err
}
