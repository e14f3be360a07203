package server

import (
	"github.com/pushd/pushd/broadcast"
	"github.com/pushd/pushd/internal/dialect"
)

// TopicRule says how the topics of a pattern are to be. In a list of rules the
// first whose pattern matches holds; a topic that none matches is as the zero
// Settings say. With a negative Deflate none of its messages is compressed.
type TopicRule struct {
	Pattern  dialect.Pattern
	Settings broadcast.Settings
}

// Configure has every topic, those that exist and those to come, be as the rules
// say, which it keeps. What changes when stands at [broadcast.Hub.Configure].
func (s *Server) Configure(rules []TopicRule) { s.hub.Configure(s.settings(rules)) }

// settings returns what finds a topic's settings.
func (s *Server) settings(rules []TopicRule) func(topic string) broadcast.Settings {
	rules = s.withDemo(rules)
	return func(topic string) broadcast.Settings {
		var found broadcast.Settings
		for i := range rules {
			if rules[i].Pattern.Match(topic) {
				found = rules[i].Settings
				break
			}
		}
		switch {
		case !s.cfg.Compress, found.Deflate < 0:
			found.Deflate = 0
		case found.Deflate == 0:
			found.Deflate = defaultDeflate
		}
		return found
	}
}

// defaultDeflate is the smallest payload, in bytes, that is compressed where a
// topic's settings do not say: what is shorter gains little.
const defaultDeflate = 256

// settingsBody is how a topic is, in the words of the settings file.
type settingsBody struct {
	Slow        string      `json:"slow"`
	MaxRate     float64     `json:"max_rate,omitempty"`
	Retain      bool        `json:"retain"`
	RetainForMS int64       `json:"retain_for_ms,omitempty"`
	MaxKeys     int         `json:"max_keys"`
	MaxKeyBytes int         `json:"max_key_bytes"`
	Log         int         `json:"log"`
	History     historyBody `json:"history"`
	CompressMin int         `json:"compress_min,omitempty"` // absent: none is compressed
}

type historyBody struct {
	Count int   `json:"count,omitempty"`
	Bytes int   `json:"bytes,omitempty"`
	AgeMS int64 `json:"age_ms,omitempty"`
}

func settingsBodyOf(s broadcast.Settings) settingsBody {
	return settingsBody{
		s.Slow.String(), s.MaxRate, s.Retain, s.RetainFor.Milliseconds(), s.MaxKeys, s.MaxKeyBytes, s.LogLimit,
		historyBody{s.History.Count, s.History.Bytes, s.History.Age.Milliseconds()}, s.Deflate,
	}
}
