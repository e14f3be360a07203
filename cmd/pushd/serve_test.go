package main_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	main "github.com/pushd/pushd/cmd/pushd"
)

// transcript is what a running command says, and can be asked while it does.
type transcript struct {
	mu   sync.Mutex
	text bytes.Buffer
	more chan struct{} // holds one where something was said since it was taken
}

func newTranscript() *transcript { return &transcript{more: make(chan struct{}, 1)} }

func (tr *transcript) Write(p []byte) (int, error) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	select {
	case tr.more <- struct{}{}:
	default:
	}
	return tr.text.Write(p)
}

func (tr *transcript) String() string {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	return tr.text.String()
}

// await returns the first group of the pattern, once it was said.
func (tr *transcript) await(t *testing.T, pattern string) string {
	re, late := regexp.MustCompile(pattern), time.After(10*time.Second)
	for {
		if found := re.FindStringSubmatch(tr.String()); found != nil {
			return found[len(found)-1]
		}
		select {
		case <-tr.more:
		case <-late:
			t.Fatalf("%s was not said in:\n%s", pattern, tr)
		}
	}
}

// background runs a command until the test ends and then expects code 0.
func background(t *testing.T, args ...string) (stdout, stderr *transcript) {
	ctx, cancel := context.WithCancel(context.Background())
	stdout, stderr = newTranscript(), newTranscript()
	nothing := func(string) (string, bool) { return "", false }
	ended := make(chan int, 1)
	go func() { ended <- main.Run(ctx, args, nothing, strings.NewReader(""), stdout, stderr) }()
	t.Cleanup(func() {
		cancel()
		require.Zero(t, <-ended, stderr.String())
	})
	return stdout, stderr
}

func dev(t *testing.T, more ...string) (url, admin string) {
	_, said := background(t, append([]string{"serve", "--dev", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"}, more...)...)
	said.await(t, `EVERYTHING is open`)
	said.await(t, `holds   [\d,]+ connections, as `)
	said.await(t, `try +bin/pushd publish news hello --admin 127`)
	return said.await(t, `door +(ws://\S+)`), said.await(t, `admin +(127\S+)\n`)
}

// untilHeard publishes until a subscriber is there to hear it, and returns the
// position of that message.
func untilHeard(t *testing.T, admin, topic, data string) string {
	var receipt struct {
		Position    string
		Subscribers int
	}
	for late := time.Now().Add(10 * time.Second); receipt.Subscribers == 0; {
		require.True(t, time.Now().Before(late), "nobody subscribed")
		r := pushd("publish", topic, data, "--admin", admin, "--format", "json")
		require.Zero(t, r.code, r.stderr)
		require.NoError(t, json.Unmarshal([]byte(r.stdout), &receipt))
	}
	return receipt.Position
}

func TestEndToEnd(t *testing.T) {
	url, admin := dev(t)
	heard, _ := background(t, "subscribe", "news", "--url", url)
	position := untilHeard(t, admin, "news", `{"n":1}`)
	heard.await(t, `\{"n":1\}\n`)

	const n = 5000
	r := call{args: []string{"publish", "news", "-", "--admin", admin}, stdin: strings.Repeat("line\n", n) + "last\n"}.run()
	require.Zero(t, r.code, r.stderr)
	require.Contains(t, r.stderr, "5,001 lines, 5,001 accepted, 0 rejected")
	heard.await(t, `last\n`)
	_, after, _ := strings.Cut(heard.String(), `{"n":1}`+"\n")
	require.Equal(t, n, strings.Count(after, "line\n"))

	const odd = `{"n" : "<&>\u003c"}`
	r = call{args: []string{"publish", "news", "-", "--admin", admin}, stdin: odd + "\n"}.run()
	require.Zero(t, r.code, r.stderr)
	heard.await(t, regexp.QuoteMeta(odd)+`\n`)

	r = pushd("subscribe", "news", "--url", url, "--since", position, "--count", "2", "--format", "json")
	require.Zero(t, r.code, r.stderr)
	require.Equal(t, 2, strings.Count(r.stdout, `"text":"line"`), r.stdout)

	r = call{args: []string{"publish", "--ndjson", "-", "--admin", admin},
		stdin: `{"topic":"news","data":1}` + "\n\n" + `{"topic":"no spaces","data":1}` + "\n"}.run()
	require.Equal(t, 1, r.code)
	require.Contains(t, r.stderr, "line 3: bad_topic: ")
	require.Contains(t, r.stderr, "2 lines, 1 accepted, 1 rejected")
}

func TestAdminOverUnix(t *testing.T) {
	path := t.TempDir() + "/s"
	if len(path) > 100 { // unix(7)
		path = "pushd-test.sock"
	}
	_, said := background(t, "serve", "--dev", "--listen", "127.0.0.1:0", "--admin", "unix:"+path)
	said.await(t, `admin +unix:`)
	r := pushd("publish", "news", "1", "--admin", "unix:"+path)
	require.Zero(t, r.code, r.stderr)
}

func TestDemo(t *testing.T) {
	_, said := background(t, "serve", "--demo", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--max-connections", "50")
	said.await(t, `; max-connections is 50`)
	said.await(t, `page +http://127`)
	url := said.await(t, `try +bin/pushd subscribe demo.quotes.ACME --url (\S+)`)
	r := pushd("subscribe", "demo.quotes.ACME", "--url", url, "--count", "1")
	require.Zero(t, r.code, r.stderr)
	require.Contains(t, r.stdout, `"symbol":"ACME"`)
}

func TestPortInUse(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer taken.Close()
	address := taken.Addr().String()
	for flag, others := range map[string][]string{
		"listen":         {"--admin", "127.0.0.1:0"},
		"admin":          {"--listen", "127.0.0.1:0"},
		"metrics-listen": {"--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"},
	} {
		r := pushd(append([]string{"serve", "--" + flag, address}, others...)...)
		require.Equal(t, 1, r.code)
		require.Equal(t, "pushd: "+flag+" "+address+": address already in use: another program has it; choose another with --"+
			flag+" (PUSHD_"+strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))+", "+flag+":)\n", r.stderr)
	}
}

var _ io.Writer = (*transcript)(nil)
