package server_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/stretchr/testify/require"

	"github.com/pushd/pushd/internal/server"
)

// subscribe opens a WebSocket on the public door.
func (d *door) subscribe(protocol string, topics ...string) *peer {
	d.t.Helper()
	dialer := ws.Dialer{Protocols: []string{protocol}}
	c, early, _, err := dialer.Dial(context.Background(), "ws://"+d.Addr().String()+"/ws?topic="+strings.Join(topics, "&topic="))
	require.NoError(d.t, err)
	d.t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(20 * time.Second))
	p := &peer{Conn: c, t: d.t, r: c}
	if early != nil { // frames that came with the answer
		p.r = io.MultiReader(io.LimitReader(early, int64(early.Buffered())), c)
	}
	return p
}

type peer struct {
	net.Conn
	t testing.TB
	r io.Reader
}

// closed is the close frame that ended a connection.
type closed struct {
	code   ws.StatusCode
	reason string
}

func (c closed) Error() string { return fmt.Sprintf("closed with %d %s", c.code, c.reason) }

// requireRetry checks that err is a close with 1013 that says to come back after
// once to twice a time, so that not all come at once.
func requireRetry(t *testing.T, after time.Duration, err error) {
	t.Helper()
	var c closed
	require.ErrorAs(t, err, &c)
	require.EqualValues(t, 1013, c.code)
	ms, found := strings.CutPrefix(c.reason, "retry_ms=")
	n, bad := strconv.Atoi(ms)
	require.True(t, found && bad == nil, c.reason)
	require.InDelta(t, 1.5*float64(after.Milliseconds()), float64(n), 0.5*float64(after.Milliseconds()))
}

// next returns the payload of the next frame, or closed.
func (p *peer) next() (string, error) {
	h, err := ws.ReadHeader(p.r)
	if err != nil {
		return "", err
	}
	payload := make([]byte, min(h.Length, 1<<20))
	if _, err := io.ReadFull(p.r, payload); err != nil {
		return "", err
	}
	if h.OpCode == ws.OpClose {
		code, reason := ws.ParseCloseFrameData(payload)
		return "", closed{code, reason}
	}
	return string(payload), nil
}

type connection struct {
	User                 string
	ID, Dialect, Address string
	TokenID              string `json:"token_id"`
	OpenedMS             *int64 `json:"opened_ms"`
	Topics               []string
	Subscriptions        int
	Queued               int
	Behind               uint64
}

type connections struct {
	Connections []connection
	Next        string
}

// listed waits until n connections fit the query: a subscriber may be in before
// its shard has looked at what it asks for.
func (d *door) listed(query string, n int) connections {
	d.t.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; {
		var page connections
		require.Equal(d.t, 200, d.do(&page, "GET /v1/connections?"+query, "").StatusCode)
		if len(page.Connections) == n {
			return page
		}
		require.True(d.t, time.Now().Before(deadline), "%d connections for %s, want %d", len(page.Connections), query, n)
		time.Sleep(time.Millisecond)
	}
}

func TestConnections(t *testing.T) {
	d := open(t, server.Config{})
	many := make([]string, 12)
	for i := range many {
		many[i] = fmt.Sprintf("many.%d", i)
	}
	a, b := d.subscribe("pushd.v1", many...), d.subscribe("pushd.raw.v1", "news")
	d.listed("", 2)

	got := d.listed("topic=many.0", 1).Connections[0]
	require.Equal(t, "pushd.v1", got.Dialect)
	require.Equal(t, a.LocalAddr().String(), got.Address)
	require.Equal(t, 12, got.Subscriptions)
	require.Len(t, got.Topics, 10)
	require.NotNil(t, got.OpenedMS)
	welcome, err := a.next()
	require.NoError(t, err)
	require.Contains(t, welcome, `"connection":"`+got.ID+`"`)
	for _, topic := range many { // those that are not shown count too
		require.Equal(t, got.ID, d.listed("topic="+topic, 1).Connections[0].ID)
	}

	got = d.listed("topic=news", 1).Connections[0]
	require.Equal(t, "pushd.raw.v1", got.Dialect)
	require.Equal(t, b.LocalAddr().String(), got.Address)
	require.Equal(t, []string{"news"}, got.Topics)
	d.listed("topic=none", 0)
	d.listed("sort=lag", 0)
}

func TestConnectionsArePaged(t *testing.T) {
	d := open(t, server.Config{Listen: "127.0.0.1:0", Admin: "127.0.0.1:0", Dev: true, Shards: 3})
	n := server.VisitSlots + 30 // on three shards; the other test has more in one
	if testing.Short() {
		n = 30
	}
	for range n {
		d.subscribe("pushd.raw.v1", "news")
	}
	all := d.listed("limit=1000&topic=news", n)
	require.Empty(t, all.Next)
	for _, limit := range []int{7, n - 1, n} {
		seen, next := []string{}, ""
		for {
			var page connections
			d.do(&page, fmt.Sprintf("GET /v1/connections?topic=news&limit=%d&after=%s", limit, next), "")
			require.LessOrEqual(t, len(page.Connections), limit)
			for _, c := range page.Connections {
				seen = append(seen, c.ID)
			}
			if next = page.Next; next == "" {
				break
			}
			require.Len(t, page.Connections, limit)
		}
		require.Len(t, seen, n)
		for i, c := range all.Connections {
			require.Equal(t, c.ID, seen[i])
		}
	}
}

// More slots than one look at a shard covers.
func TestConnectionsOfOneShard(t *testing.T) {
	d := open(t, server.Config{Listen: "127.0.0.1:0", Admin: "127.0.0.1:0", Dev: true, Shards: 1})
	n := server.VisitSlots + 2
	for range n - 1 {
		d.subscribe("pushd.raw.v1", "news")
	}
	d.listed("limit=1000&topic=news", n-1)
	d.subscribe("pushd.raw.v1", "last")
	d.listed("topic=last&limit=1", 1)
}

// Those that are furthest behind come first.
func TestConnectionsByLag(t *testing.T) {
	d := open(t, server.Config{Listen: "127.0.0.1:0", Admin: "127.0.0.1:0", Dev: true, Shards: 2, LogLimit: 64 << 20})
	var slow []*peer
	for i := range 3 {
		slow = append(slow, d.subscribe("pushd.raw.v1", fmt.Sprintf("lag.%d", i)))
	}
	d.subscribe("pushd.raw.v1", "lag.none")
	d.listed("", 4)
	text := strings.Repeat("x", 64<<10)
	for i := range slow { // nobody reads, so what the sockets do not take is behind
		for range 200 * (i + 1) {
			d.do(new(receipt), fmt.Sprintf("POST /v1/topics/lag.%d/messages", i), text, "Content-Type", "text/plain")
		}
	}
	page := d.listed("sort=lag", 3)
	for i, c := range page.Connections {
		require.Equal(t, []string{fmt.Sprintf("lag.%d", 2-i)}, c.Topics)
		require.Positive(t, c.Behind)
	}
	require.Equal(t, page.Connections[:1], d.listed("sort=lag&limit=1", 1).Connections)
	require.Empty(t, page.Next)
	require.Equal(t, page.Connections[2:], d.listed("sort=lag&topic=lag.0", 1).Connections)
}

func TestCloseConnection(t *testing.T) {
	d := open(t, server.Config{})
	for _, c := range []struct {
		query  string
		code   ws.StatusCode
		reason string
	}{
		{"", 1012, "retry_ms=1000"},
		{"?code=1013", 1013, "retry_ms=1000"},
		{"?code=4429&reason=retry_ms%3D7", 4429, "retry_ms=7"},
		{"?code=4403&reason=no+m%C3%BCsli", 4403, "no müsli"},
		{"?code=1000", 1000, ""},
	} {
		t.Run("code"+c.query, func(t *testing.T) {
			peer := d.subscribe("pushd.raw.v1", "close")
			id := d.listed("topic=close", 1).Connections[0].ID
			var got struct {
				ID, Reason string
				Code       ws.StatusCode
			}
			answer := d.do(&got, "DELETE /v1/connections/"+id+c.query, "")
			require.Equal(t, 200, answer.StatusCode)
			require.Equal(t, id, got.ID)
			require.Equal(t, c.code, got.Code)
			require.Equal(t, c.reason, got.Reason)
			_, err := peer.next()
			require.Equal(t, closed{c.code, c.reason}, err)
			require.Equal(t, 404, d.do(new(refusal), "DELETE /v1/connections/"+id, "").StatusCode)
		})
	}
}

// What finds no room is not published, and the report says where to go on.
func TestNoRoom(t *testing.T) {
	d := open(t, server.Config{Listen: "127.0.0.1:0", Admin: "127.0.0.1:0", Dev: true, Shards: 1, LogLimit: 4096, PublishTimeout: 20 * time.Millisecond})
	subscriber := d.subscribe("pushd.raw.v1", "a")
	d.listed("topic=a", 1)
	release := server.Stall(d.Server) // so that the subscriber is not served
	var lines []string
	for i := range 100 {
		lines = append(lines, fmt.Sprintf(`{"topic":"a","text":"%d %s"}`, i, strings.Repeat("x", 200)))
	}
	var got report
	answer := d.do(&got, "POST /v1/messages", strings.Join(lines, "\n"), "Content-Type", "application/x-ndjson")
	require.Equal(t, 503, answer.StatusCode)
	require.Equal(t, "1", answer.Header.Get("Retry-After"))
	require.Equal(t, "queue_full", got.Code)
	require.NotEmpty(t, got.Message)
	require.Positive(t, got.Lines)
	require.Less(t, got.Lines, 100)
	require.Equal(t, got.Lines, got.Accepted)

	var refused refusal
	answer = d.do(&refused, "POST /v1/topics/a/messages", strings.Repeat("x", 200), "Content-Type", "text/plain")
	require.Equal(t, 503, answer.StatusCode)
	require.Equal(t, "1", answer.Header.Get("Retry-After"))
	require.Equal(t, "queue_full", refused.Code)

	r := d.request("POST /v1/messages", strings.NewReader(lines[got.Lines]), "Content-Type", "application/x-ndjson", "Accept", "application/x-ndjson")
	streamed, err := d.http.Do(r)
	require.NoError(t, err)
	text, err := io.ReadAll(streamed.Body)
	require.NoError(t, err)
	streamed.Body.Close()
	require.Contains(t, string(text), `"code":"queue_full"`, "under way it is the last report that says so")

	release()
	var rest report
	answer = d.do(&rest, "POST /v1/messages", strings.Join(lines[got.Lines:], "\n"), "Content-Type", "application/x-ndjson")
	require.Equal(t, 200, answer.StatusCode, rest.Message)
	require.Equal(t, 100, got.Accepted+rest.Accepted)
	for i := range 100 {
		text, err := subscriber.next()
		require.NoError(t, err)
		require.Equal(t, fmt.Sprint(i), strings.Fields(text)[0])
	}
}

// A topic's log does not take what is larger than a quarter of it.
func TestTooLargeForTheLog(t *testing.T) {
	d := open(t, server.Config{Listen: "127.0.0.1:0", Admin: "127.0.0.1:0", Dev: true, LogLimit: 4096})
	text := strings.Repeat("x", 2000)
	var got refusal
	answer := d.do(&got, "POST /v1/topics/a/messages", text, "Content-Type", "text/plain")
	require.Equal(t, 413, answer.StatusCode)
	require.Equal(t, "too_large", got.Code)
	var r report
	d.do(&r, "POST /v1/messages", `{"topic":"a","text":"`+text+`"}`, "Content-Type", "application/x-ndjson")
	require.Equal(t, "1 0 1 1:too_large", r.String())
}

// A shard that is busy for good is not waited for.
func TestListingGivesUp(t *testing.T) {
	d := open(t, server.Config{})
	release := server.Stall(d.Server)
	defer release()
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	r := d.request("GET /v1/connections", nil).WithContext(ctx)
	_, err := d.http.Do(r)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	err = server.Visit(ctx, d.Server)
	require.ErrorContains(t, err, "overloaded")
}
