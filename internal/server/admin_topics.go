package server

import (
	"encoding/json"
	"errors"
	"net/http"

	"github.com/pushd/pushd/broadcast"
	"github.com/pushd/pushd/internal/dialect"
)

type topicBody struct {
	Topic       string `json:"topic"`
	Position    string `json:"position"` // of its newest message
	Oldest      string `json:"oldest"`   // the messages after it are held
	Bytes       int    `json:"bytes"`
	Subscribers int    `json:"subscribers"`
	Slow        string `json:"slow"`
}

func topicBodyOf(t broadcast.TopicInfo) topicBody {
	return topicBody{t.Name, dialect.Position(t.Position).String(), dialect.Position(t.Oldest).String(), t.Bytes, t.Subscribers, t.Settings.Slow.String()}
}

// listTopics answers with a page of topics in the order of their names.
func (s *Server) listTopics(w http.ResponseWriter, r *http.Request) {
	limit, err := limitOf(r)
	if err != nil {
		refuseError(w, err)
		return
	}
	var page struct {
		Topics []topicBody `json:"topics"`
		Next   string      `json:"next,omitempty"`
	}
	page.Topics = []topicBody{}
	for _, t := range s.hub.Topics(r.URL.Query().Get("after"), limit+1) {
		if len(page.Topics) == limit {
			page.Next = page.Topics[limit-1].Topic
			break
		}
		page.Topics = append(page.Topics, topicBodyOf(t))
	}
	answer(w, http.StatusOK, page)
}

// topic returns the topic that the path names. It answers where there is none.
func (s *Server) topic(w http.ResponseWriter, r *http.Request) (t broadcast.TopicInfo, ok bool) {
	name, ok := topicOf(w, r)
	if !ok {
		return t, false
	}
	if t, ok = s.hub.Topic(name); !ok {
		refuse(w, dialect.CodeNotFound, "no topic "+quote(name)+": nothing was published to it, and nobody is subscribed")
	}
	return t, ok
}

func (s *Server) showTopic(w http.ResponseWriter, r *http.Request) {
	t, ok := s.topic(w, r)
	if !ok {
		return
	}
	answer(w, http.StatusOK, struct {
		topicBody
		Keys     int          `json:"keys"`      // whose newest value is known
		KeyBytes int          `json:"key_bytes"` // what these values take
		Settings settingsBody `json:"settings"`
	}{topicBodyOf(t), t.Keys, t.KeyBytes, settingsBodyOf(t.Settings)})
}

// messageBody is a message as pushd.v1 shows it.
type messageBody struct {
	Op       string          `json:"op,omitempty"` // "delete", or ""
	Position string          `json:"position"`
	Previous string          `json:"previous,omitempty"`
	Event    string          `json:"event,omitempty"`
	Key      string          `json:"key,omitempty"`
	Data     json.RawMessage `json:"data,omitempty"`
	Text     *string         `json:"text,omitempty"`
	Base64   *[]byte         `json:"base64,omitempty"`
}

func messageBodyOf(m broadcast.Message) messageBody {
	b := messageBody{
		Position: dialect.Position(m.Position).String(),
		Event:    m.Event,
		Key:      m.Key,
	}
	if m.Previous.Epoch != "" {
		b.Previous = dialect.Position(m.Previous).String()
	}
	switch m.Kind {
	case broadcast.JSON:
		b.Data = m.Payload
	case broadcast.Text:
		text := string(m.Payload)
		b.Text = &text
	case broadcast.Delete:
		b.Op = "delete"
	default:
		b.Base64 = &m.Payload
	}
	return b
}

// maxShown bounds the payloads of one page of messages, but for the last.
const maxShown = 1 << 20

// showMessages answers with a page of the messages that a topic holds, oldest
// first.
func (s *Server) showMessages(w http.ResponseWriter, r *http.Request) {
	limit, err := limitOf(r)
	if err != nil {
		refuseError(w, err)
		return
	}
	t, ok := s.topic(w, r)
	if !ok {
		return
	}
	var since *broadcast.Position
	if given := r.URL.Query().Get("since"); given != "" {
		p, err := dialect.ParsePosition(given)
		if err != nil {
			refuseError(w, err)
			return
		}
		since = (*broadcast.Position)(&p)
	}
	var page struct {
		topicBody
		Messages []messageBody `json:"messages"`
		Next     string        `json:"next,omitempty"`
	}
	page.topicBody, page.Messages = topicBodyOf(t), []messageBody{}
	shown := 0
	err = s.hub.Messages(t.Name, since, limit+1, func(m broadcast.Message) bool {
		if n := len(page.Messages); n == limit || shown >= maxShown {
			page.Next = page.Messages[n-1].Position
			return false
		}
		page.Messages = append(page.Messages, messageBodyOf(m))
		shown += len(m.Payload)
		return true
	})
	if errors.Is(err, broadcast.ErrNoPosition) {
		refuse(w, dialect.CodePositionConflict, "the topic has no position "+dialect.Position(*since).String()+": it is at "+dialect.Position(t.Position).String())
		return
	}
	answer(w, http.StatusOK, page)
}
