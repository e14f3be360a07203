package client_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/stretchr/testify/require"

	"github.com/pushd/pushd/internal/client"
)

func message(position, data string) string {
	return `{"op":"message","topic":"news","position":"` + position + `","data":` + data + `}`
}

func subscribed(members string) string {
	return `{"op":"subscribed","id":1,"topic":"news",` + members + `}`
}

func positions(r record) (all []string) {
	for _, m := range r.messages {
		all = append(all, m.Position)
	}
	return all
}

func TestPayloads(t *testing.T) {
	address := serve(t, func(p *peer) {
		p.greet()
		p.send(subscribed(`"position":"e:0","policy":"disconnect"`),
			`{"op":"message","topic":"news","position":"e:1","event":"filled","key":"o-17","data":{"qty": 5}}`,
			`{"op":"message","topic":"news","position":"e:2","text":"h\u00e9 \"you\"","new_in_v1":[1]}`,
			`{"op":"message","topic":"news","position":"e:3","base64":"AP8="}`)
		p.waiting()
	})
	r, err := run(t, 3, client.Config{URL: address})
	require.NoError(t, err)
	require.Equal(t, []client.Message{
		{Topic: "news", Position: "e:1", Event: "filled", Key: "o-17", Payload: []byte(`{"qty": 5}`)},
		{Topic: "news", Position: "e:2", Payload: []byte(`hé "you"`)},
		{Topic: "news", Position: "e:3", Payload: []byte{0, 0xff}},
	}, r.messages)
}

// A message in fragments, a ping between them (5.4), and one larger than the
// read buffer.
func TestFrames(t *testing.T) {
	large := `"` + strings.Repeat("x", 300<<10) + `"`
	pong := make(chan ws.Frame, 1)
	address := serve(t, func(p *peer) {
		p.greet()
		m := message("e:1", "1")
		ws.WriteFrame(p, ws.NewFrame(ws.OpText, false, []byte(m[:9])))
		ws.WriteFrame(p, ws.NewPingFrame([]byte("are you")))
		ws.WriteFrame(p, ws.NewFrame(ws.OpContinuation, true, []byte(m[9:])))
		p.send(message("e:2", large), message("e:3", "3"))
		h, err := ws.ReadHeader(p)
		payload := make([]byte, min(h.Length, ws.MaxControlFramePayloadSize))
		if _, readErr := io.ReadFull(p, payload); err != nil || readErr != nil {
			t.Error(err, readErr)
		}
		pong <- ws.UnmaskFrame(ws.Frame{Header: h, Payload: payload})
		p.waiting()
	})
	r, err := run(t, 3, client.Config{URL: address})
	require.NoError(t, err)
	require.Equal(t, []string{"e:1", "e:2", "e:3"}, positions(r))
	require.Len(t, r.messages[1].Payload, len(large))
	f := <-pong
	require.Equal(t, ws.OpPong, f.Header.OpCode)
	require.Equal(t, "are you", string(f.Payload))
}

func TestManyTopics(t *testing.T) {
	var topics []string
	for i := range 200 {
		topics = append(topics, fmt.Sprintf("t%d", i))
	}
	var all []asked
	address := serve(t, func(p *peer) {
		first := p.greet()
		var second struct{ Topics []asked }
		if err := json.Unmarshal([]byte(p.receive()), &second); err != nil {
			t.Error(err)
		}
		if len(first) > 128 || len(second.Topics) > 128 {
			t.Errorf("expected at most 128 topics a command, got %d and %d", len(first), len(second.Topics))
		}
		all = append(first, second.Topics...)
		p.send(message("e:1", "1"))
		p.waiting()
	})
	_, err := run(t, 1, client.Config{URL: address, Topics: append(topics, "t7")})
	require.NoError(t, err)
	require.Len(t, all, len(topics), "t7 is named twice and asked for once")
}

func TestCloseCodes(t *testing.T) {
	for _, c := range []struct {
		code   ws.StatusCode
		reason string
		back   bool
		wait   time.Duration
	}{
		{1000, "", true, client.FirstBackoff / 2},
		{1001, "", true, client.FirstBackoff / 2},
		{1002, "", false, 0},
		{1003, "", false, 0},
		{1007, "", false, 0},
		{1008, "", false, 0},
		{1009, "", false, 0},
		{1011, "", true, client.FirstBackoff / 2},
		{1012, "retry_ms=12000", true, 12*time.Second + client.FirstBackoff/2},
		{1013, "slow; retry_ms=700", true, 700*time.Millisecond + client.FirstBackoff/2},
		{1013, "retry_ms=99999999999", true, client.FirstBackoff / 2},
		{4401, "", false, 0}, // there is no token to renew
		{4403, "", false, 0},
		{4410, "", false, 0},
		{4429, "retry_ms=5000", true, 5*time.Second + client.FirstBackoff/2},
	} {
		t.Run(fmt.Sprintf("%d %s", c.code, c.reason), func(t *testing.T) {
			address := serve(t,
				func(p *peer) { p.greet(); p.close(c.code, c.reason) },
				func(p *peer) { p.greet(); p.send(message("e:1", "1")); p.waiting() })
			r, err := run(t, 1, client.Config{URL: address})
			if c.back {
				require.NoError(t, err)
				require.Equal(t, []time.Duration{c.wait}, r.waits)
				return
			}
			var closed *client.CloseError
			require.ErrorAs(t, err, &closed)
			require.Equal(t, c.code, closed.Code)
			require.Empty(t, r.waits)
		})
	}
}

func TestRenewsToken(t *testing.T) {
	tokens := []string{"old", "old", "new"}
	var offered []string
	refuse := func(p *peer) { offered = p.protocols; p.close(4401, "expired") }
	expire := func(p *peer) { p.greet(); refuse(p) }
	take := func(p *peer) { offered = p.protocols; p.greet(); p.send(message("e:1", "1")); p.waiting() }
	token := func() (string, error) {
		next := tokens[0]
		tokens = tokens[1:]
		return next, nil
	}
	r, err := run(t, 1, client.Config{URL: serve(t, expire, refuse, take), Token: token})
	require.ErrorContains(t, err, "4401", "the same token was refused twice")
	require.Len(t, r.lost, 1)

	tokens = []string{"old", "new"}
	_, err = run(t, 1, client.Config{URL: serve(t, refuse, take), Token: token})
	require.NoError(t, err)
	require.Equal(t, []string{"pushd.v1, bearer.new"}, offered)
}

func TestErrorOp(t *testing.T) {
	address := serve(t,
		func(p *peer) {
			p.greet()
			p.send(`{"op":"error","id":1,"code":"overloaded","message":"busy"}`)
			p.waiting()
		},
		func(p *peer) {
			p.greet()
			p.send(`{"op":"error","id":1,"code":"forbidden","message":"not yours","topic":"news"}`)
			p.waiting()
		})
	r, err := run(t, 0, client.Config{URL: address})
	require.Equal(t, &client.ServerError{Code: "forbidden", Message: "not yours", Topic: "news"}, err)
	require.Len(t, r.lost, 1)
}

func TestAnswersPings(t *testing.T) {
	pong := make(chan string, 1)
	address := serve(t, func(p *peer) {
		p.greet()
		p.send(`{"op":"ping"}`)
		pong <- p.receive()
		p.send(message("e:1", "1"))
		p.waiting()
	})
	_, err := run(t, 1, client.Config{URL: address})
	require.NoError(t, err)
	require.JSONEq(t, `{"op":"pong"}`, <-pong)
}

func TestNoticesDeadServer(t *testing.T) {
	address := serve(t,
		func(p *peer) { p.send(`{"op":"welcome","ping_ms":40}`); p.waiting() },
		func(p *peer) { p.greet(); p.send(message("e:1", "1")); p.waiting() })
	r, err := run(t, 1, client.Config{URL: address})
	require.NoError(t, err)
	require.Len(t, r.lost, 1)
	require.EqualError(t, r.lost[0], "nothing came from the server for 100ms")
}

func TestBrokenFramesStop(t *testing.T) {
	for label, frame := range map[string]ws.Frame{
		"masked":       ws.MaskFrame(ws.NewTextFrame([]byte(`{"op":"live"}`))),
		"continuation": ws.NewFrame(ws.OpContinuation, true, nil),
		"not UTF-8":    ws.NewTextFrame([]byte("\xff")),
		"binary":       ws.NewBinaryFrame([]byte("1")),
		"opcode":       ws.NewFrame(3, true, nil),
	} {
		t.Run(label, func(t *testing.T) {
			address := serve(t, func(p *peer) { ws.WriteFrame(p, frame); p.waiting() })
			_, err := run(t, 0, client.Config{URL: address})
			require.ErrorContains(t, err, "the server broke RFC 6455")
		})
	}
}

func TestUnreachable(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	listener.Close()
	_, err = run(t, 0, client.Config{URL: listener.Addr().String()})
	var unreachable *client.UnreachableError
	require.ErrorAs(t, err, &unreachable)
	require.Equal(t, "ws://"+listener.Addr().String()+"/ws", unreachable.Address)
}

func TestHandlerErrorEndsRun(t *testing.T) {
	address := serve(t, func(p *peer) { p.greet(); p.send(message("e:1", "1")); p.waiting() })
	enough := errors.New("enough")
	s, err := client.NewSubscriber(client.Config{URL: address, Topics: []string{"news"},
		OnMessage: func(*client.Message) error { return enough }})
	require.NoError(t, err)
	require.Equal(t, enough, s.Run(context.Background()))
}

func TestProxy(t *testing.T) {
	target := serve(t, func(p *peer) { p.greet(); p.send(message("e:1", "1")); p.waiting() })
	address, requests := proxy(t, "HTTP/1.1 200 Connection established\r\nVia: 1.1 x\r\n\r\n")
	var asked string
	_, err := run(t, 1, client.Config{URL: target, Proxy: func(r *http.Request) (*url.URL, error) {
		asked = r.URL.String()
		return url.Parse("http://ann:secret@" + address)
	}})
	require.NoError(t, err)
	require.Equal(t, "http"+strings.TrimPrefix(target, "ws")+"/ws", asked)
	request := <-requests
	require.Equal(t, http.MethodConnect, request.Method)
	require.Equal(t, strings.TrimPrefix(target, "ws://"), request.RequestURI)
	require.Equal(t, "Basic YW5uOnNlY3JldA==", request.Header.Get("Proxy-Authorization"))
}

func TestProxyRefuses(t *testing.T) {
	address, _ := proxy(t, "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
	_, err := run(t, 0, client.Config{URL: "ws://127.0.0.1:1", Proxy: func(*http.Request) (*url.URL, error) {
		return url.Parse("http://" + address)
	}})
	require.ErrorContains(t, err, "proxy "+address+": it answered CONNECT with 403 Forbidden")
}

func TestBackoff(t *testing.T) {
	full := func() float64 { return 1 }
	require.Equal(t, []time.Duration{200 * time.Millisecond, 400 * time.Millisecond, 800 * time.Millisecond},
		client.Backoff(3, 0, full))
	waits := client.Backoff(100, 0, full)
	require.Equal(t, client.LastBackoff, waits[99])
	require.Equal(t, make([]time.Duration, 2), client.Backoff(2, 0, func() float64 { return 0 }), "full jitter begins at none")
	require.GreaterOrEqual(t, client.Backoff(1, 12*time.Second, nil)[0], 12*time.Second, "never sooner than asked")
}

func TestSubscribeURL(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"127.0.0.1:8080", "ws://127.0.0.1:8080/ws"},
		{":8080", "ws://127.0.0.1:8080/ws"},
		{"[::1]:8080", "ws://[::1]:8080/ws"},
		{"https://push.example.org", "wss://push.example.org/ws"},
		{"ws://h:1/other?user=5", "ws://h:1/other?user=5"},
	} {
		got, err := client.SubscribeURL(c.in)
		require.NoError(t, err, c.in)
		require.Equal(t, c.want, got)
	}
	for _, in := range []string{"", ":", "host", "ftp://h", "ws://", "h:port"} {
		_, err := client.SubscribeURL(in)
		require.Error(t, err, in)
	}
}
