package hostile_test

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// patience is how long anything may take on a machine that has much to do.
const patience = time.Minute

// process is a pushd of its own.
type process struct {
	t      *testing.T
	pid    int
	public string // address of the door
	admin  string
	http   http.Client
}

var listening = regexp.MustCompile(`msg=listening door=(public|admin) addr=(\S+)`)

// serve starts one with more flags, and waits until both doors are open. Its topics are open to everybody. It ends with the
// test, which fails if it has ended before.
func serve(t *testing.T, flags ...string) *process {
	t.Helper()
	args := append([]string{"serve", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--echo", "--anonymous-subscribe", ">",
		"--max-message-rate", "1000", "--max-byte-rate", "4MiB", // as without --echo
		"--drain-delay", "0", "--drain-over", "0"}, flags...)
	cmd := exec.Command(pushd, args...)
	log, err := cmd.StderrPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	p := &process{t: t, pid: cmd.Process.Pid, http: http.Client{Timeout: patience, Transport: &http.Transport{MaxIdleConnsPerHost: atOnce}}}
	said, silent := make(chan string, 16), make(chan struct{})
	var last []string
	go func() {
		defer close(silent)
		for s := bufio.NewScanner(log); s.Scan(); {
			last = append(last, s.Text())
			last = last[max(0, len(last)-30):]
			if m := listening.FindStringSubmatch(s.Text()); m != nil {
				said <- m[1] + " " + m[2]
			}
		}
	}()
	t.Cleanup(func() {
		p.http.CloseIdleConnections()
		running := cmd.Process.Kill()
		<-silent
		cmd.Wait()
		if running != nil || t.Failed() {
			t.Logf("the server's last words:\n%s", strings.Join(last, "\n"))
		}
		require.NoError(t, running, "the server ended by itself")
	})
	for p.public == "" || p.admin == "" {
		select {
		case line := <-said:
			if address, ok := strings.CutPrefix(line, "public "); ok {
				p.public = address
			} else {
				p.admin = strings.TrimPrefix(line, "admin ")
			}
		case <-silent:
			t.Fatalf("pushd %s did not start: %s", strings.Join(args, " "), strings.Join(last, "\n"))
		case <-time.After(patience):
			t.Fatal("the server did not say where it listens")
		}
	}
	return p
}

// get asks the admin door.
func (p *process) get(path string) string {
	r, err := p.http.Get("http://" + p.admin + path)
	require.NoError(p.t, err)
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	require.NoError(p.t, err)
	require.Equal(p.t, 200, r.StatusCode, "%s: %s", path, body)
	return string(body)
}

// metric is the value of one, named with its labels; 0 where nothing was counted.
func (p *process) metric(name string) float64 {
	for line := range strings.Lines(p.get("/metrics")) {
		if value, ok := strings.CutPrefix(line, name+" "); ok {
			v, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
			require.NoError(p.t, err)
			return v
		}
	}
	return 0
}

// post publishes text.
func (p *process) post(topic, text string) error {
	r, err := p.http.Post("http://"+p.admin+"/v1/topics/"+topic+"/messages", "text/plain", strings.NewReader(text))
	if err != nil {
		return err
	}
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	if err == nil && r.StatusCode != http.StatusOK {
		err = fmt.Errorf("publish to %s: %s: %s", topic, r.Status, body)
	}
	return err
}

// resident is how many bytes of memory the process has. What it has done with is collected first, and given back.
func (p *process) resident() int {
	for range 2 { // what pools hold goes in the second
		p.get("/debug/pprof/heap?gc=1")
	}
	return p.peak("VmRSS")
}

// peak is a line of /proc/PID/status, in bytes: VmRSS now, VmHWM the most that it was since clearPeak.
func (p *process) peak(name string) int {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.pid))
	require.NoError(p.t, err)
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, name+":"); ok {
			kib, err := strconv.Atoi(strings.TrimSuffix(strings.TrimSpace(rest), " kB"))
			require.NoError(p.t, err)
			return kib << 10
		}
	}
	p.t.Fatalf("no %s in /proc/%d/status", name, p.pid)
	return 0
}

// clearPeak has VmHWM begin anew: proc_pid_clear_refs(5).
func (p *process) clearPeak() {
	require.NoError(p.t, os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", p.pid), []byte("5"), 0))
}

// cpu is what the process has used.
func (p *process) cpu() time.Duration {
	return time.Duration(p.metric("process_cpu_seconds_total") * float64(time.Second))
}

// settled waits until f is so.
func (p *process) settled(what string, f func() bool) {
	p.t.Helper()
	require.Eventually(p.t, f, patience, 20*time.Millisecond, what)
}

// empty waits until nobody is connected.
func (p *process) empty() {
	p.t.Helper()
	p.settled("everybody has gone", func() bool { return p.metric("pushd_connections") == 0 })
}
