package server_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pushd/pushd/internal/server"
)

type report struct {
	Code, Message                         string
	Lines, Accepted, Duplicates, Rejected int
	Errors                                []struct {
		Line          int
		Code, Message string
	}
}

func (r report) String() string {
	s := fmt.Sprintf("%d %d %d", r.Lines, r.Accepted, r.Rejected)
	for _, e := range r.Errors {
		s += fmt.Sprintf(" %d:%s", e.Line, e.Code)
	}
	return s
}

const line = `{"topic":"a","text":"x"}`

func TestLines(t *testing.T) {
	d := open(t, server.Config{Listen: "127.0.0.1:0", Admin: "127.0.0.1:0", Dev: true, MaxMessage: 1000, LogLimit: 1 << 20, MaxTopics: 3})
	long := `{"topic":"a","text":"` + strings.Repeat("x", 6096) + `"}`
	for _, c := range []struct {
		label, body, want string
	}{
		{"nothing", "", "0 0 0"},
		{"one", line + "\n", "1 1 0"},
		{"no line break at the end", line + "\n" + line, "2 2 0"},
		{"CRLF", line + "\r\n" + line + "\r\n", "2 2 0"},
		{"blank lines count as lines", "\n" + line + "\n \t\r\n\n{\n", "5 1 1 5:bad_json"},
		{"spaces around", "  " + line + "  \n", "1 1 0"},
		{"several topics", `{"topics":["a","b"],"data":1}`, "1 1 0"},
		{"the kinds of payload", `{"topic":"a","data":null}` + "\n" + `{"topic":"a","base64":"AA=="}`, "2 2 0"},
		{"broken JSON", line + "\n{\"topic\":\n" + line, "3 2 1 2:bad_json"},
		{"no object", "1\n[]", "2 0 2 1:bad_json 2:bad_json"},
		{"not UTF-8", "{\"topic\":\"a\",\"text\":\"\xff\"}", "1 0 1 1:bad_json"},
		{"bad topic", `{"topic":"a b","text":"x"}`, "1 0 1 1:bad_topic"},
		{"no topic", `{"text":"x"}`, "1 0 1 1:bad_request"},
		{"not supported yet", `{"topic":"a","text":"x","retain":true}`, "1 0 1 1:bad_request"},
		{"a payload at its limit", `{"topic":"a","text":"` + strings.Repeat("x", 1000) + `"}`, "1 1 0"},
		{"a payload above it", `{"topic":"a","text":"` + strings.Repeat("x", 1001) + "\"}\n" + line, "2 1 1 1:too_large"},
		{"a line above its limit", line + "\n" + long + "\n" + line, "3 2 1 2:too_large"},
		{"one at the end", line + "\n" + long, "2 1 1 2:too_large"},
		{"one above every buffer", line + "\n" + strings.Repeat("x", 200<<10) + "\n" + line + "\n", "3 2 1 2:too_large"},
		{"one too many topics", `{"topic":"c","text":"x"}` + "\n" + `{"topic":"d","text":"x"}` + "\n" + line, "3 2 1 2:overloaded"},
	} {
		t.Run(c.label, func(t *testing.T) {
			for _, media := range []string{"application/x-ndjson", "application/json; charset=utf-8"} {
				var got report
				answer := d.do(&got, "POST /v1/messages", c.body, "Content-Type", media)
				require.Equal(t, 200, answer.StatusCode)
				require.Equal(t, c.want, got.String(), got.Errors)
			}
		})
	}
}

func TestLinesInOrder(t *testing.T) {
	d := open(t, server.Config{})
	const n = 10_000
	var body bytes.Buffer
	for i := range n {
		fmt.Fprintf(&body, "{\"topic\":\"a\",\"data\":%d}\n", i)
	}
	var got report
	d.do(&got, "POST /v1/messages", body.String(), "Content-Type", "application/x-ndjson")
	require.Equal(t, "10000 10000 0", got.String())

	var page struct {
		Messages []struct{ Data int }
		Next     string
	}
	for i := 0; ; {
		next := page.Next
		page.Next, page.Messages = "", nil
		d.do(&page, "GET /v1/topics/a/messages?limit=1000&since="+next, "")
		for _, m := range page.Messages {
			require.Equal(t, i, m.Data)
			i++
		}
		if page.Next == "" {
			require.Equal(t, n, i)
			break
		}
	}
}

func TestLinesErrorsAreBounded(t *testing.T) {
	d := open(t, server.Config{})
	var got report
	d.do(&got, "POST /v1/messages", strings.Repeat("x\n", 250), "Content-Type", "application/x-ndjson")
	require.Equal(t, 250, got.Rejected)
	require.Len(t, got.Errors, 100)
	require.Equal(t, 100, got.Errors[99].Line)
}

// What was published before the body came to a halt is out, and so is the report
// on it, without more of the body.
func TestLinesProgress(t *testing.T) {
	d := open(t, server.Config{})
	from, body := io.Pipe()
	answer, err := d.http.Do(func() *http.Request { // the header of the answer comes with the first report
		go fmt.Fprintf(body, "%s\nx\n{\"top", line)
		return d.request("POST /v1/messages", from, "Content-Type", "application/x-ndjson", "Accept", "application/x-ndjson")
	}())
	require.NoError(t, err)
	defer answer.Body.Close()
	require.Equal(t, 200, answer.StatusCode)
	require.Equal(t, "application/x-ndjson", answer.Header.Get("Content-Type"))
	reports := json.NewDecoder(bufio.NewReader(answer.Body))
	var got report
	require.NoError(t, reports.Decode(&got))
	require.Equal(t, "2 1 1 2:bad_json", got.String())

	fmt.Fprintf(body, "ic\":\"a\",\"data\":1}\ny\n") // too soon for a report, but the body stops here
	for got.Lines < 4 {
		got = report{}
		require.NoError(t, reports.Decode(&got))
	}
	require.Equal(t, "4 2 2 4:bad_json", got.String(), "new errors only")

	body.Close()
	got = report{}
	require.NoError(t, reports.Decode(&got))
	require.Equal(t, "4 2 2", got.String())
	require.ErrorIs(t, reports.Decode(&got), io.EOF)
}

// A body without end ends with the server.
func TestLinesEndWithTheServer(t *testing.T) {
	var answer *http.Response
	from, body := io.Pipe()
	t.Cleanup(func() { answer.Body.Close(); body.Close() }) // last: the server has ended by then
	d := open(t, server.Config{})
	go fmt.Fprintln(body, line)
	var err error
	answer, err = d.http.Do(d.request("POST /v1/messages", from, "Content-Type", "application/x-ndjson", "Accept", "application/x-ndjson"))
	require.NoError(t, err)
	var got report
	require.NoError(t, json.NewDecoder(answer.Body).Decode(&got))
	require.Equal(t, "1 1 0", got.String())
}

// A stream that goes on while the server goes away is told where it stands.
func TestLinesWhileDraining(t *testing.T) {
	d := open(t, server.Config{})
	from, body := io.Pipe()
	go fmt.Fprintln(body, line)
	answer, err := d.http.Do(d.request("POST /v1/messages", from, "Content-Type", "application/x-ndjson", "Accept", "application/x-ndjson"))
	require.NoError(t, err)
	defer answer.Body.Close()
	reports := json.NewDecoder(answer.Body)
	var got report
	require.NoError(t, reports.Decode(&got))
	defer server.Leave(d.Server)()
	go fmt.Fprintln(body, line) // the server may be gone before it has all of it
	got = report{}
	require.NoError(t, reports.Decode(&got))
	require.Equal(t, "draining", got.Code)
	require.Equal(t, "2 2 0", got.String())
	body.Close()
}

func TestLinesProgressIsNotTooOften(t *testing.T) {
	d := open(t, server.Config{})
	from, body := io.Pipe()
	const n, pause = 100, 3 * time.Millisecond
	go func() {
		for range n {
			fmt.Fprintln(body, line)
			time.Sleep(pause) // the pace of the publisher
		}
		body.Close()
	}()
	began := time.Now()
	answer, err := d.http.Do(d.request("POST /v1/messages", from, "Content-Type", "application/x-ndjson", "Accept", "application/x-ndjson"))
	require.NoError(t, err)
	defer answer.Body.Close()
	count, last := 0, report{}
	for reports := json.NewDecoder(answer.Body); ; count++ {
		var r report
		if err := reports.Decode(&r); err == io.EOF {
			break
		} else {
			require.NoError(t, err)
		}
		last = r
	}
	require.Equal(t, "100 100 0", last.String())
	require.LessOrEqual(t, count, int(time.Since(began)/(100*time.Millisecond))+2)
}

func TestLineReader(t *testing.T) {
	boom := errors.New("boom")
	for _, c := range []struct {
		label, in string
		end       error
		want      string
	}{
		{"lines", "a\nbc\n\nd", io.EOF, `"a" "bc" "" "d" EOF`},
		{"at the limit", "12345678\n123456789\n12345678", io.EOF, `"12345678" long "12345678" EOF`},
		{"broken off", "a\nb", boom, `"a" boom`},
		{"broken off in a long line", "a\n123456789", boom, `"a" boom`},
		{"larger than the buffer", strings.Repeat("x", 300<<10) + "\ny", io.EOF, `long "y" EOF`},
	} {
		for name, split := range map[string]func(io.Reader) io.Reader{
			"bytes": iotest.OneByteReader, "halves": iotest.HalfReader, "data with the end": iotest.DataErrReader,
		} {
			t.Run(c.label+" in "+name, func(t *testing.T) {
				in := io.MultiReader(strings.NewReader(c.in), iotest.ErrReader(c.end))
				next, done := server.LineReader(split(in), 8, func() error { return nil })
				defer done()
				var got []string
				for {
					text, long, err := next()
					if err != nil {
						got = append(got, err.Error())
						break
					}
					if long {
						got = append(got, "long")
						continue
					}
					got = append(got, fmt.Sprintf("%q", text))
				}
				require.Equal(t, c.want, strings.Join(got, " "))
			})
		}
	}
}

// However a body is split, the report is the same.
func FuzzNDJSON(f *testing.F) {
	s, err := server.New(server.Config{Listen: "127.0.0.1:0", Shards: 1, MaxMessage: 16, MaxTopics: 1 << 30, LogTotal: 1 << 40, ResumeWindow: 1})
	require.NoError(f, err)
	f.Cleanup(func() { require.NoError(f, s.Close()) })
	for _, seed := range []string{"", "\n", line, line + "\r\n\r\n" + line, "x\n" + line + "\n{", strings.Repeat("y", 5000) + "\n" + line,
		`{"topics":["a","b"],"data":[1,2,3,4,5,6,7,8,9]}` + "\n" + `{"topic":"c","base64":"AAAA"}`} {
		f.Add([]byte(seed), uint64(len(seed)))
	}
	f.Fuzz(func(t *testing.T, body []byte, seed uint64) {
		want := server.Lines(s, bytes.NewReader(body))
		got := server.Lines(s, &splitReader{body, rand.New(rand.NewPCG(seed, 0))})
		if got != want {
			t.Fatalf("whole: %s\nsplit: %s", want, got)
		}
		var r report
		require.NoError(t, json.Unmarshal([]byte(want), &r))
		lines := bytes.Count(body, []byte("\n"))
		if len(body) > 0 && body[len(body)-1] != '\n' {
			lines++
		}
		if r.Lines != lines || r.Accepted+r.Rejected > lines || len(r.Errors) != min(r.Rejected, 100) {
			t.Fatalf("%d lines: %s", lines, want)
		}
	})
}

type splitReader struct {
	rest []byte
	rand *rand.Rand
}

func (r *splitReader) Read(p []byte) (int, error) {
	if len(r.rest) == 0 {
		return 0, io.EOF
	}
	n := copy(p[:min(len(p), 1+r.rand.IntN(1+len(r.rest)))], r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

func BenchmarkLines(b *testing.B) {
	s, err := server.New(server.Config{Listen: "127.0.0.1:0", Shards: 1})
	require.NoError(b, err)
	defer s.Close()
	const n = 10_000
	var body bytes.Buffer
	for i := range n {
		fmt.Fprintf(&body, "{\"topic\":\"quotes.S%d\",\"key\":\"S%d\",\"data\":{\"bid\":%d.25,\"ask\":%d.5,\"at\":1763800000}}\n", i%100, i%100, i, i)
	}
	b.SetBytes(int64(body.Len()))
	b.ReportAllocs()
	for b.Loop() {
		server.Lines(s, bytes.NewReader(body.Bytes()))
	}
	b.ReportMetric(float64(b.N)*n/b.Elapsed().Seconds(), "lines/s")
}
