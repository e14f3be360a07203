package dialect_test

import (
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/pushd/pushd/broadcast"
	"github.com/pushd/pushd/internal/dialect"
)

// found returns what expr's groups match in docs/PROTOCOL.md, at least min
// times: a test that finds nothing to look at must not pass.
func found(t *testing.T, min int, expr string) [][]string {
	t.Helper()
	page, err := os.ReadFile("../../docs/PROTOCOL.md")
	if err != nil {
		t.Fatal(err)
	}
	all := regexp.MustCompile(expr).FindAllStringSubmatch(string(page), -1)
	if len(all) < min {
		t.Fatalf("%d matches of %s in the page, want at least %d", len(all), expr, min)
	}
	return all
}

// The page's commands are commands, and its lines are lines.
func TestProtocolPageCommands(t *testing.T) {
	for _, m := range found(t, 6, `(?m)^> (.*)$`) {
		c, err := dialect.Parse([]byte(m[1]), dialect.Limits{})
		if err != nil {
			t.Errorf("%s: %v", m[1], err)
		}
		for _, topic := range c.Topics {
			if topic.Err != nil {
				t.Errorf("%s: %v", m[1], topic.Err)
			}
		}
	}
	for _, m := range found(t, 3, `(?m)^(\{"topics?":.*)$`) {
		_, err := dialect.ParseLine([]byte(m[1]))
		switch {
		case strings.Contains(m[1], "no spaces"):
			wantError(t, m[1], err, "bad_topic", "white space")
		case strings.Contains(m[1], `"duplicate"`): // a receipt
		case err != nil:
			t.Errorf("%s: %v", m[1], err)
		}
	}
}

// What the page says that the server sends is, but for its values, sent.
func TestProtocolPageMessages(t *testing.T) {
	ops := make(map[string]bool)
	for _, m := range found(t, 20, `(?m)^< (.*)$`) {
		var e struct {
			Op, Topic, Position, Previous, History, From, To, Reason, Code, Message, Connection, Policy string

			ID         json.RawMessage
			Recovered  *bool
			Retain     bool
			MaxRate    float64 `json:"max_rate"`
			PingMS     int64   `json:"ping_ms"`
			MaxMessage int     `json:"max_message"`
			ExpiresMS  int64   `json:"expires_in_ms"`

			Event, Key string
			Data       json.RawMessage
			Text       string
			Base64     *[]byte
			Retained   bool
		}
		if err := json.Unmarshal([]byte(m[1]), &e); err != nil {
			t.Errorf("%s: %v", m[1], err)
			continue
		}
		at := func(s string) dialect.Position {
			p, err := dialect.ParsePosition(s)
			if err != nil {
				t.Errorf("%s: %v", m[1], err)
			}
			return p
		}
		ops[e.Op] = true
		var frame []byte
		switch e.Op {
		case "message", "delete":
			msg := broadcast.Message{Topic: e.Topic, Key: e.Key, Event: e.Event, Retained: e.Retained, Position: broadcast.Position(at(e.Position))}
			if e.Previous != "" {
				msg.Previous = broadcast.Position(at(e.Previous))
			}
			switch {
			case e.Op == "delete":
				msg.Kind = broadcast.Delete
			case e.Data != nil:
				msg.Kind, msg.Payload = broadcast.JSON, e.Data
			case e.Base64 != nil:
				msg.Kind, msg.Payload = broadcast.Binary, *e.Base64
			default:
				msg.Kind, msg.Payload = broadcast.Text, []byte(e.Text)
			}
			frame = dialect.Encoders()[dialect.JSON].AppendMessage(nil, &msg)
		case "welcome":
			frame = dialect.AppendWelcome(nil, dialect.Welcome{Connection: e.Connection, Ping: 25e9, MaxMessage: e.MaxMessage})
		case "subscribed":
			s := dialect.Subscribed{ID: e.ID, Topic: e.Topic, Position: at(e.Position), Since: e.Recovered != nil, MaxRate: e.MaxRate, Retain: e.Retain,
				Policy: broadcast.Policy(slices.Index(broadcast.Policies[:], e.Policy))}
			if s.Since {
				if s.Recovered = *e.Recovered; !s.Recovered {
					s.History = at(e.History)
				}
			}
			frame = dialect.AppendSubscribed(nil, s)
		case "live":
			frame = dialect.AppendLive(nil, e.Topic)
		case "unsubscribed":
			frame = dialect.AppendUnsubscribed(nil, e.ID, e.Topic)
		case "published":
			frame = dialect.AppendPublished(nil, e.ID, e.Topic, at(e.Position))
		case "authenticated":
			frame = dialect.AppendAuthenticated(nil, e.ID, time.Duration(e.ExpiresMS)*time.Millisecond)
		case "gap":
			frame = dialect.AppendGap(nil, e.Topic, at(e.From), at(e.To), e.Reason)
		case "ping":
			frame = dialect.AppendPingOp(nil)
		case "error":
			frame = dialect.AppendError(nil, &dialect.Error{ID: e.ID, Code: e.Code, Message: e.Message, Topic: e.Topic})
		default:
			t.Errorf("%s: this op is not sent", m[1])
			continue
		}
		if got := envelope(t, frame); got != m[1] {
			t.Errorf("the page has %s\n   is sent %s", m[1], got)
		}
	}
	for _, op := range []string{"welcome", "subscribed", "message", "delete", "live", "unsubscribed", "published", "gap", "ping", "authenticated", "error"} {
		if !ops[op] {
			t.Errorf("the page has no %s", op)
		}
	}
}

func TestProtocolPageCodes(t *testing.T) {
	for _, m := range found(t, 17, "(?m)^\\| `([a-z_]+)` \\| ([0-9]{3}) \\|") {
		if got := strconv.Itoa(dialect.HTTPStatus(m[1])); got != m[2] {
			t.Errorf("the page gives %s to %s, HTTPStatus gives %s", m[2], m[1], got)
		}
	}
}
