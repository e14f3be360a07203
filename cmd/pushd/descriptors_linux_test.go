package main_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// limitFiles lets the process have no descriptor of that number or a higher one.
func (p *process) limitFiles(t *testing.T, n uint64) (before uint64) {
	t.Helper()
	var old unix.Rlimit
	require.NoError(t, unix.Prlimit(p.Process.Pid, unix.RLIMIT_NOFILE, nil, &old))
	require.NoError(t, unix.Prlimit(p.Process.Pid, unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: n, Max: old.Max}, nil))
	return old.Cur
}

// processor is how much of it the process has used so far, in user and system mode.
func (p *process) processor(t *testing.T) time.Duration {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.Process.Pid))
	require.NoError(t, err)
	_, rest, _ := strings.Cut(string(text), ") ") // the name may have spaces: proc(5)
	fields := strings.Fields(rest)
	ticks := 0
	for _, field := range fields[11:13] {
		n, err := strconv.Atoi(field)
		require.NoError(t, err)
		ticks += n
	}
	return time.Duration(ticks) * time.Second / 100 // USER_HZ
}

// caller is a client's end.
type caller struct {
	net.Conn
	in *bufio.Reader
}

func callDoor(t *testing.T, address, says string) caller {
	t.Helper()
	c, err := net.Dial("tcp", address)
	require.NoError(t, err)
	t.Cleanup(func() { c.Close() })
	require.NoError(t, c.SetDeadline(time.Now().Add(30*time.Second)))
	_, err = io.WriteString(c, says)
	require.NoError(t, err)
	return caller{c, bufio.NewReader(c)}
}

func (c caller) answer(t *testing.T) *http.Response {
	t.Helper()
	answer, err := http.ReadResponse(c.in, nil)
	require.NoError(t, err)
	return answer
}

// hears fails unless the next messages are these numbers.
func (c caller) hears(t *testing.T, from, to int) {
	t.Helper()
	for n := from; n <= to; n++ {
		header, err := ws.ReadHeader(c.in)
		require.NoError(t, err)
		payload := make([]byte, min(header.Length, 100))
		_, err = io.ReadFull(c.in, payload)
		require.NoError(t, err)
		require.Equal(t, strconv.Itoa(n), string(payload))
	}
}

// TestDescriptorsExhausted takes a server its descriptors, really. Those that are connected go on without loss, newcomers of all doors
// wait, nothing spins, and everything is as before when there are descriptors again.
func TestDescriptorsExhausted(t *testing.T) {
	const subscribe = "GET /ws?topic=a HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
	const page = "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
	settings := write(t, "pushd.yaml", "topics: [{pattern: b}]\n")
	p := launch(t, "serve", "--dev", "--config", settings, "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--handshake-timeout", "30s")
	door := p.stderr.await(t, `door +ws://(127\S+)/ws`)
	admin := p.stderr.await(t, `admin +(127\S+)\n`)

	var subscribers []caller
	for range 20 {
		c := callDoor(t, door, subscribe)
		require.Equal(t, 101, c.answer(t).StatusCode)
		subscribers = append(subscribers, c)
	}
	client := &http.Client{Transport: &http.Transport{MaxConnsPerHost: 1}, Timeout: 20 * time.Second}
	defer client.CloseIdleConnections()
	post := func(path, body string) (status int, text string) {
		answer, err := client.Post("http://"+admin+path, "text/plain", strings.NewReader(body))
		require.NoError(t, err)
		defer answer.Body.Close()
		said, err := io.ReadAll(answer.Body)
		require.NoError(t, err)
		return answer.StatusCode, string(said)
	}
	published := 0
	publish := func(n int) {
		for range n {
			published++
			status, text := post("/v1/topics/a/messages", strconv.Itoa(published))
			require.Equal(t, 200, status, text)
		}
	}
	publish(10)
	begun := callDoor(t, door, page[:10]) // it has a descriptor, but its page will want one more
	before := p.processor(t)
	time.Sleep(time.Second)
	idle := p.processor(t) - before

	files, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", p.Process.Pid))
	require.NoError(t, err)
	limit := p.limitFiles(t, uint64(len(files)))
	var waiting []caller
	for range 30 {
		waiting = append(waiting, callDoor(t, door, subscribe))
	}
	p.stderr.await(t, `level=WARN msg="accept fails: newcomers wait" err="accept4: too many open files" connections=\d+`)
	newPage, newAdmin := callDoor(t, door, page), callDoor(t, admin, page)
	publish(100)
	before = p.processor(t)
	time.Sleep(1500 * time.Millisecond)
	exhausted := p.processor(t) - before
	t.Logf("processor: %v in an idle second, %v in 1.5 s without descriptors", idle, exhausted)
	require.Less(t, exhausted, 10*idle+150*time.Millisecond, "a tenth of a processor, or it spins")
	publish(100)

	status, text := post("/v1/reload", "")
	require.Equal(t, 400, status)
	require.Contains(t, text, "too many open files")
	_, err = io.WriteString(begun, page[10:]) // the last: its end frees a descriptor
	require.NoError(t, err)
	answer := begun.answer(t)
	require.Equal(t, 503, answer.StatusCode)
	require.NotEmpty(t, answer.Header.Get("Retry-After"))
	for _, c := range subscribers {
		c.hears(t, 1, published)
	}

	p.limitFiles(t, limit)
	p.stderr.await(t, `level=WARN msg="accept works again" after=\d`)
	began := time.Now()
	for _, c := range waiting {
		require.Equal(t, 101, c.answer(t).StatusCode)
	}
	require.Equal(t, 200, newPage.answer(t).StatusCode)
	require.Equal(t, 200, newAdmin.answer(t).StatusCode)
	require.Less(t, time.Since(began), 5*time.Second)
	publish(10)
	for _, c := range subscribers {
		c.hears(t, published-9, published)
	}
	status, text = post("/v1/reload", "")
	require.Equal(t, 200, status, text)
	require.Less(t, strings.Count(p.stderr.String(), "msg=\"accept "), 5, "a line for each newcomer: %s", p.stderr)
}
