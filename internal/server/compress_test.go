package server_test

import (
	"bytes"
	"compress/flate"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/gobwas/ws"
	"github.com/stretchr/testify/require"

	"github.com/pushd/pushd/broadcast"
	"github.com/pushd/pushd/internal/server"
)

const offerDeflate = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n"

// message reads the next frame, and whether it came compressed.
func (p *peer) message() (text string, compressed bool) {
	p.t.Helper()
	h, err := ws.ReadHeader(p.r)
	require.NoError(p.t, err)
	b := make([]byte, h.Length)
	_, err = io.ReadFull(p.r, b)
	require.NoError(p.t, err)
	if h.Rsv == 0 {
		return string(b), false
	}
	b, err = io.ReadAll(flate.NewReader(io.MultiReader(bytes.NewReader(b), strings.NewReader("\x00\x00\xff\xff\x01\x00\x00\xff\xff"))))
	require.NoError(p.t, err)
	return string(b), true
}

// deflated compresses a message as a client does (RFC 7692, 7.2.1).
func deflated(text string) []byte {
	var b bytes.Buffer
	w, _ := flate.NewWriter(&b, flate.BestCompression)
	w.Write([]byte(text))
	w.Flush()
	return bytes.TrimSuffix(b.Bytes(), []byte{0, 0, 0xff, 0xff})
}

// say compressed sends a compressed text frame.
func (p *peer) sayDeflated(text string) {
	p.t.Helper()
	f := ws.NewTextFrame(deflated(text))
	f.Header.Rsv = ws.Rsv(true, false, false)
	p.send(f)
}

// Compressed or plain, raw or JSON: everybody hears the same, and each message is
// compressed once for all who take it so.
func TestCompress(t *testing.T) {
	d := open(t, server.Config{Listen: "127.0.0.1:0", Admin: "127.0.0.1:0", Dev: true, Compress: true,
		Topics: []server.TopicRule{rule(t, "never", broadcast.Settings{Deflate: -1}), rule(t, "short", broadcast.Settings{Deflate: 10})}})
	join := func(topic, protocol, offer string) *peer {
		answer, p := d.ask("GET /ws?topic="+topic, upgrade+"Sec-WebSocket-Protocol: "+protocol+"\r\n"+offer)
		require.Equal(t, 101, answer.StatusCode)
		want := ""
		if offer != "" {
			want = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
		}
		require.Equal(t, want, answer.Header.Get("Sec-WebSocket-Extensions"))
		if protocol == "pushd.v1" {
			require.Equal(t, "welcome", p.hear().Op)
			require.Equal(t, "subscribed "+topic, p.hear().short())
		}
		return p
	}
	long := strings.Repeat("hello, ", 100)
	for _, c := range []struct {
		topic, text string
		compressed  bool
	}{{"usual", long, true}, {"usual", "hello", false}, {"never", long, false}, {"short", strings.Repeat("a", 20), true}} {
		t.Run(c.topic+fmt.Sprint(len(c.text)), func(t *testing.T) {
			var all []*peer
			for range 3 {
				all = append(all, join(c.topic, "pushd.raw.v1", offerDeflate), join(c.topic, "pushd.v1", offerDeflate),
					join(c.topic, "pushd.raw.v1", ""), join(c.topic, "pushd.v1", ""))
			}
			d.listed("topic="+c.topic, len(all))
			before := d.scrape(d.base + "/metrics")
			d.publish(c.topic, c.text)
			for i, p := range all {
				text, compressed := p.message()
				require.Equal(t, c.compressed && i%4 < 2, compressed, i)
				if i%2 == 0 {
					require.Equal(t, c.text, text)
				} else {
					require.Contains(t, text, `"text":"`+c.text+`"`)
				}
				p.Close()
			}
			after := d.scrape(d.base + "/metrics")
			n := 0.0
			if c.compressed {
				n = 2 // once raw, once JSON
			}
			require.Equal(t, n, after["pushd_deflated_messages_total"]-before["pushd_deflated_messages_total"])
			if c.compressed {
				require.Less(t, after[`pushd_deflated_bytes_total{stage="after"}`], after[`pushd_deflated_bytes_total{stage="before"}`])
			}
			d.connected(0)
		})
	}
	p := join("usual", "pushd.v1", offerDeflate)
	p.sayDeflated(`{"op":"publish","id":1,"topic":"usual","text":"` + long + `"}`)
	text, compressed := p.message()
	require.False(t, compressed, "our own answers are short")
	require.Contains(t, text, `"published","id":1`)
	text, compressed = p.message()
	require.True(t, compressed)
	require.Contains(t, text, long)
}

// Without the setting nothing is negotiated, and a compressed message breaks the
// rules.
func TestNoCompression(t *testing.T) {
	d := open(t, server.Config{})
	answer, p := d.ask("GET /ws?topic=a", upgrade+v1Offer+"\r\n"+offerDeflate)
	require.Equal(t, 101, answer.StatusCode)
	require.Empty(t, answer.Header.Values("Sec-WebSocket-Extensions"))
	p.sayDeflated(`{"op":"ping"}`)
	require.Equal(t, ws.StatusProtocolError, p.closedWith().code)
}

// Who resumes, and who is behind a topic that conflates, gets plain frames of what is
// encoded for them alone, and compressed ones of what all get.
func TestResumeIsPlain(t *testing.T) {
	d := open(t, server.Config{Listen: "127.0.0.1:0", Admin: "127.0.0.1:0", Dev: true, Compress: true})
	long := strings.Repeat("hello, ", 100)
	at := d.publish("a", "first")
	d.publish("a", long)
	_, p := d.ask("GET /ws?topic=a&since="+at, upgrade+offerDeflate)
	text, compressed := p.message()
	require.Equal(t, long, text)
	require.False(t, compressed)
	d.publish("a", long)
	text, compressed = p.message()
	require.Equal(t, long, text)
	require.True(t, compressed)
}

func TestEchoDeflate(t *testing.T) {
	d := open(t, server.Config{Listen: "127.0.0.1:0", Admin: "127.0.0.1:0", Echo: true})
	answer, p := d.ask("GET /echo", upgrade+offerDeflate)
	require.Equal(t, "permessage-deflate; server_no_context_takeover; client_no_context_takeover", answer.Header.Get("Sec-WebSocket-Extensions"))
	for _, text := range []string{"", "hello", strings.Repeat("hello", 1000)} {
		p.sayDeflated(text)
		got, compressed := p.message()
		require.Equal(t, text, got)
		require.True(t, compressed)
		p.say(text)
		got, _ = p.message()
		require.Equal(t, text, got)
	}
}
