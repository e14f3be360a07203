package server_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/stretchr/testify/require"

	"github.com/pushd/pushd/internal/dialect"
	"github.com/pushd/pushd/internal/server"
)

// v1 opens a WebSocket for JSON and takes the welcome.
func (d *door) v1(query string) *peer {
	d.t.Helper()
	answer, p := d.ask("GET /ws"+query, upgrade+"Sec-WebSocket-Protocol: pushd.v1\r\n")
	require.Equal(d.t, 101, answer.StatusCode)
	require.Equal(d.t, "welcome", p.hear().Op)
	return p
}

// heard is any message of pushd.v1.
type heard struct {
	Op                          string
	ID                          json.RawMessage
	Topic                       string
	Position, Previous, History string
	Recovered                   *bool
	Policy, Code, Message       string
	Key, Text                   string
	Retained                    bool
}

// short is what a table says of it.
func (h heard) short() string {
	s := h.Op
	for _, field := range []string{string(h.ID), h.Topic, h.Code} {
		if field != "" {
			s += " " + field
		}
	}
	return s
}

func (p *peer) hear() (h heard) {
	p.t.Helper()
	text, err := p.next()
	require.NoError(p.t, err)
	require.NoError(p.t, json.Unmarshal([]byte(text), &h), text)
	return h
}

// say sends a text frame.
func (p *peer) say(text string) { p.t.Helper(); p.send(ws.NewTextFrame([]byte(text))) }

// send writes a frame in one piece, so that it is also read in one.
func (p *peer) send(f ws.Frame) {
	p.t.Helper()
	_, err := p.Write(ws.MustCompileFrame(ws.MaskFrameInPlace(f)))
	require.NoError(p.t, err)
}

// closedWith waits for the close frame, whatever comes before.
func (p *peer) closedWith() (c closed) {
	p.t.Helper()
	for {
		if _, err := p.next(); err != nil {
			require.True(p.t, errors.As(err, &c), "%v", err)
			return c
		}
	}
}

// publish publishes text over HTTP and returns its position.
func (d *door) publish(topic, text string) string {
	d.t.Helper()
	var r receipt
	require.Equal(d.t, 200, d.do(&r, "POST /v1/topics/"+topic+"/messages", text, "Content-Type", "text/plain").StatusCode)
	return fmt.Sprintf("%s:%d", r.Epoch, r.Offset)
}

func TestWelcome(t *testing.T) {
	d := open(t, server.Config{Listen: "127.0.0.1:0", Admin: "127.0.0.1:0", Dev: true, PingInterval: 25 * time.Second, MaxMessage: 12345})
	_, p := d.ask("GET /ws", upgrade+"Sec-WebSocket-Protocol: pushd.v1\r\n")
	text, err := p.next()
	require.NoError(t, err)
	id := d.listed("", 1).Connections[0].ID
	require.JSONEq(t, `{"op":"welcome","version":1,"connection":"`+id+`","ping_ms":25000,"max_message":12345}`, text)
}

func TestTopicsOfTheQuery(t *testing.T) {
	d := open(t, server.Config{})
	at := d.publish("b", "before")
	p := d.v1("?topic=a&&x=1&topic=b&topic=a&topic=%C3%BC")
	for _, topic := range []string{"a", "b", "ü"} {
		h := p.hear()
		require.Equal(t, "subscribed "+topic, h.short(), "without an id")
		require.Equal(t, "disconnect", h.Policy)
		require.Nil(t, h.Recovered)
		require.Empty(t, h.History)
		if topic == "b" {
			require.Equal(t, at, h.Position)
		}
	}
	d.publish("a", "once")
	require.Equal(t, "once", p.hear().Text)
	p.say(`{"op":"ping"}`)
	require.Equal(t, "pong", p.hear().Op, "what is named twice is subscribed once")
	require.EqualValues(t, 3, d.scrape(d.base + "/metrics")["pushd_subscriptions"])
}

func TestRawQueryNamesATopicTwice(t *testing.T) {
	d := open(t, server.Config{})
	_, p := d.ask("GET /ws?topic=a&topic=a", upgrade)
	d.listed("topic=a", 1)
	d.publish("a", "1")
	d.publish("a", "2")
	for _, want := range []string{"1", "2"} {
		got, err := p.next()
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
}

// What a command is answered, with three subscriptions at most; they last from
// one to the next.
func TestCommands(t *testing.T) {
	anonymous, err := dialect.ParsePatternList([]string{"open.>"})
	require.NoError(t, err)
	d := open(t, server.Config{Listen: "127.0.0.1:0", Admin: "127.0.0.1:0", Anonymous: anonymous, MaxSubscriptions: 3})
	p := d.v1("?topic=open.a")
	require.Equal(t, "subscribed open.a", p.hear().short())
	for _, c := range []struct {
		label, say string
		hear       []string
	}{
		{"already", `{"op":"subscribe","id":1,"topics":["open.a"]}`, []string{"error 1 open.a bad_request"}},
		{"forbidden beside allowed", `{"op":"subscribe","id":"x","topics":["open.b","b"]}`, []string{`subscribed "x" open.b`, `error "x" b forbidden`}},
		{"the limit is for each topic", `{"op":"subscribe","topics":[{"name":"open.c"},"open.d"]}`, []string{"subscribed open.c", "error open.d bad_request"}},
		{"at the limit nothing else has changed", `{"op":"subscribe","id":2,"topics":["open.d"]}`, []string{"error 2 open.d bad_request"}},
		{"unsubscribe, a stranger too", `{"op":"unsubscribe","id":3,"topics":["open.b","never"]}`, []string{"unsubscribed 3 open.b", "unsubscribed 3 never"}},
		{"there is room again", `{"op":"subscribe","id":4,"topics":["open.d"]}`, []string{"subscribed 4 open.d"}},
		{"more topics than a command may have", `{"op":"subscribe","id":5,"topics":["open.1"` + strings.Repeat(`,"open.1"`, 128) + `]}`, []string{"error 5 bad_request"}},
		{"each for itself", `{"op":"unsubscribe","id":6,"topics":["never","a b",{}]}`, []string{"unsubscribed 6 never", "error 6 a b bad_topic", "error 6 bad_request"}},
		{"and again", `{"op":"unsubscribe","topics":["open.d"]}`, []string{"unsubscribed open.d"}},
		{"twice in one command", `{"op":"subscribe","id":7,"topics":["open.e","open.e"]}`, []string{"subscribed 7 open.e", "error 7 open.e bad_request"}},
		{"one of several is malformed", `{"op":"subscribe","id":"y","topics":["open.e",{"name":"open.a","max_rate":0},"open. "]}`,
			[]string{`error "y" open.e bad_request`, `error "y" open.a bad_request`, `error "y" open.  bad_topic`}},
		{"a user's topic", `{"op":"subscribe","id":8,"topics":["$user.42","$news"]}`, []string{"error 8 $user.42 forbidden", "error 8 $news bad_topic"}},
		{"publish is not open", `{"op":"publish","id":8,"topic":"open.a","text":"x"}`, []string{"error 8 open.a forbidden"}},
		{"unknown op", `{"op":"sing","id":9}`, []string{"error 9 bad_request"}},
		{"auth", `{"op":"auth"}`, []string{"error bad_request"}},
		{"auth without keys", `{"op":"auth","token":"t"}`, []string{"error unauthorized"}},
		{"no JSON", `hello`, []string{"error bad_json"}},
		{"ping", `{"op":"ping"}`, []string{"pong"}},
		{"pong is not answered", `{"op":"pong"}`, nil},
	} {
		t.Run(c.label, func(t *testing.T) {
			p.say(c.say)
			for _, want := range c.hear {
				got := p.hear()
				require.Equal(t, want, got.short(), got.Message)
			}
		})
	}
	p.say(`{"op":"ping"}`)
	require.Equal(t, "pong", p.hear().Op)
	require.Equal(t, 3, d.listed("", 1).Connections[0].Subscriptions)
	d.publish("open.a", "x")
	require.Equal(t, "message open.a", p.hear().short())
}

// What a dialect does not take closes it.
func TestUnsupportedFrames(t *testing.T) {
	d := open(t, server.Config{Listen: "127.0.0.1:0", Admin: "127.0.0.1:0", Dev: true, MaxMessage: 100})
	for _, c := range []struct {
		label, protocol string
		frame           ws.Frame
		code            ws.StatusCode
	}{
		{"binary in JSON", "pushd.v1", ws.NewBinaryFrame([]byte(`{"op":"ping"}`)), 1003},
		{"text in raw", "pushd.raw.v1", ws.NewTextFrame([]byte("x")), 1003},
		{"binary in raw", "pushd.raw.v1", ws.NewBinaryFrame([]byte("x")), 1003},
		{"empty in raw", "pushd.raw.v1", ws.NewTextFrame(nil), 1003},
		{"not UTF-8", "pushd.v1", ws.NewTextFrame([]byte("\xff")), 1007},
		{"too large", "pushd.v1", ws.NewTextFrame(make([]byte, 101)), 1009},
		{"a close is answered in kind", "pushd.raw.v1", ws.NewCloseFrame(ws.NewCloseFrameBody(1000, "")), 1000},
	} {
		t.Run(c.label, func(t *testing.T) {
			closes := func() float64 {
				return d.scrape(d.base + "/metrics")[fmt.Sprintf(`pushd_closes_total{code="%d"}`, c.code)]
			}
			before := closes()
			p := d.subscribe(c.protocol, "a")
			p.send(c.frame)
			require.Equal(t, c.code, p.closedWith().code)
			p.Close()
			d.connected(0)
			require.Equal(t, before+1, closes())
		})
	}
}

func TestRecovered(t *testing.T) {
	d := open(t, server.Config{})
	var at []string
	for i := range 5 {
		at = append(at, d.publish("a", fmt.Sprint(i)))
	}
	zero, _, _ := strings.Cut(at[0], ":")
	for since, position := range append([]string{zero + ":0"}, at...) {
		t.Run(position, func(t *testing.T) {
			p := d.v1("")
			defer p.Close()
			p.say(`{"op":"subscribe","id":1,"topics":[{"name":"a","since":"` + position + `"}]}`)
			h := p.hear()
			require.Equal(t, "subscribed 1 a", h.short())
			require.True(t, *h.Recovered)
			require.Equal(t, at[len(at)-1], h.Position)
			require.Empty(t, h.History)
			previous := position
			for _, want := range at[since:] {
				h := p.hear()
				require.Equal(t, "message a", h.short())
				require.Equal(t, want, h.Position)
				require.Equal(t, previous, h.Previous)
				previous = want
			}
			require.Equal(t, "live a", p.hear().short())
			at = append(at, d.publish("a", "live"))
			h = p.hear()
			require.Equal(t, "live", h.Text)
			require.Equal(t, previous, h.Previous)
		})
	}
}

func TestNotRecovered(t *testing.T) {
	d := open(t, server.Config{Listen: "127.0.0.1:0", Admin: "127.0.0.1:0", Dev: true, LogLimit: 4096})
	old := d.publish("a", "old")
	newest := ""
	for i := range 40 {
		newest = d.publish("a", strings.Repeat("x", 300)+fmt.Sprint(i))
	}
	epoch, _, _ := strings.Cut(old, ":")
	for _, c := range []struct{ label, since string }{
		{"evicted", old}, {"another epoch", "strange:1"}, {"from the future", epoch + ":1000"},
	} {
		t.Run(c.label, func(t *testing.T) {
			p := d.v1("")
			defer p.Close()
			p.say(`{"op":"subscribe","topics":[{"name":"a","since":"` + c.since + `"}]}`)
			h := p.hear()
			require.Equal(t, "subscribed a", h.short())
			require.False(t, *h.Recovered)
			require.Equal(t, newest, h.Position)
			history := h.History
			require.NotEmpty(t, history)

			p.say(`{"op":"unsubscribe","topics":["a"]}`)
			require.Equal(t, "unsubscribed a", p.hear().short(), "no replay and no live before")
			p.say(`{"op":"subscribe","topics":[{"name":"a","since":"` + history + `"}]}`)
			h = p.hear()
			require.True(t, *h.Recovered)
			previous, n := history, 0
			for h = p.hear(); h.Op == "message"; h = p.hear() {
				require.Equal(t, previous, h.Previous)
				previous, n = h.Position, n+1
			}
			require.Equal(t, "live a", h.short())
			require.Equal(t, newest, previous)
			require.Positive(t, n)
		})
	}
}

// A client that comes back again and again, on any shard, while messages are
// published, sees each once and in order: also where its last shard was ahead of
// the next.
func TestResumeWhileHopping(t *testing.T) {
	d := open(t, server.Config{Listen: "127.0.0.1:0", Admin: "127.0.0.1:0", Dev: true, Shards: 4})
	for range 8 { // so that every shard has an audience, and thus a cursor
		p := d.subscribe("pushd.v1", "a")
		go io.Copy(io.Discard, p)
	}
	const total = 5000
	since, seen := d.publish("a", "0"), 0
	published := make(chan error, 1)
	publisher := d.v1("")
	go io.Copy(io.Discard, publisher)
	go func() {
		var err error
		for i := 1; i <= total && err == nil; i++ {
			err = ws.WriteFrame(publisher, ws.MaskFrameInPlace(ws.NewTextFrame(fmt.Appendf(nil, `{"op":"publish","topic":"a","text":"%d"}`, i))))
		}
		published <- err
	}()
	r := rand.New(rand.NewPCG(1, 2))
	hops := 0
	for ; seen < total; hops++ {
		p := d.v1("")
		p.say(`{"op":"subscribe","topics":[{"name":"a","since":"` + since + `"}]}`)
		h := p.hear()
		require.Equal(t, "subscribed a", h.short())
		require.True(t, *h.Recovered)
		for n, lives := r.IntN(200), 0; n >= 0 && seen < total; {
			if h = p.hear(); h.Op == "live" {
				lives++
				require.Equal(t, 1, lives)
				continue
			}
			require.Equal(t, since, h.Previous)
			require.Equal(t, fmt.Sprint(seen+1), h.Text)
			since, seen, n = h.Position, seen+1, n-1
		}
		p.Close()
	}
	require.NoError(t, <-published)
	t.Logf("%d connections", hops)
}

// A client that comes from a shard that is ahead waits for its new one: it gets
// nothing twice.
func TestResumeAheadOfItsShard(t *testing.T) {
	for _, c := range []struct {
		label string
		since int // of three
	}{{"by all", 3}, {"by some", 2}} {
		t.Run(c.label, func(t *testing.T) {
			d := open(t, server.Config{Listen: "127.0.0.1:0", Admin: "127.0.0.1:0", Dev: true, Shards: 2})
			ahead, behind := d.v1("?topic=a"), d.v1("?topic=a")
			d.v1("") // beside the first
			p := d.v1("")
			ahead.hear()
			behind.hear()
			require.Equal(t, byte('1'), d.listed("", 4).Connections[3].ID[0])
			release := server.StallShard(d.Server, 1)
			var at []string
			for i := range 3 {
				at = append(at, d.publish("a", fmt.Sprint(i)))
				require.Equal(t, at[i], ahead.hear().Position)
			}
			had := server.Received(d.Server)
			p.say(`{"op":"subscribe","topics":[{"name":"a","since":"` + at[c.since-1] + `"}]}`)
			for server.Received(d.Server) == had || server.Working(d.Server) { // until the command waits for the shard
				time.Sleep(time.Millisecond)
			}
			release()
			h := p.hear()
			require.True(t, *h.Recovered)
			require.Equal(t, at[c.since-1], h.Position)
			require.Equal(t, "live a", p.hear().short())
			at = append(at, d.publish("a", "3"))
			for i := c.since; i < len(at); i++ {
				h = p.hear()
				require.Equal(t, at[i-1], h.Previous)
				require.Equal(t, at[i], h.Position)
			}
		})
	}
}
