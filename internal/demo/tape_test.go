package demo_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pushd/pushd/internal/demo"
)

const tape = `{"at":0.5,"topic":"X.trade","data":{"price":10.10,"size":1}}

{"at":0.5,"topic":"X.order","data":[1, 2]}
{"at":2.5,"topic":"X.trade","data":"end"}
`

func text(s string) demo.Opener {
	return func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(s)), nil }
}

func TestTape(t *testing.T) {
	const ms = time.Millisecond
	for _, c := range []struct {
		label string
		speed float64
		at    []time.Duration // of the first seven messages
	}{
		{"as recorded", 1, []time.Duration{500 * ms, 500 * ms, 2500 * ms, 4000 * ms, 4000 * ms, 6000 * ms, 7500 * ms}},
		{"twice as fast", 2, []time.Duration{250 * ms, 250 * ms, 1250 * ms, 2500 * ms, 2500 * ms, 3500 * ms, 4750 * ms}},
	} {
		t.Run(c.label, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				r := newRecorder(func(n int) error {
					if n == len(c.at) {
						cancel()
					}
					return nil
				})
				if err := demo.Tape(ctx, r, text(tape), c.speed); err != nil {
					t.Fatalf("Tape: %v, want nil at the end of ctx", err)
				}
				want := []message{
					{c.at[0], "demo.X.trade", "", `{"price":10.10,"size":1}`},
					{c.at[1], "demo.X.order", "", `[1, 2]`},
					{c.at[2], "demo.X.trade", "", `"end"`},
					{c.at[3], "demo.X.trade", "", `{"price":10.10,"size":1}`},
					{c.at[4], "demo.X.order", "", `[1, 2]`},
					{c.at[5], "demo.X.trade", "", `"end"`},
					{c.at[6], "demo.X.trade", "", `{"price":10.10,"size":1}`},
				}
				if !slices.Equal(r.msgs, want) {
					t.Errorf("got\n%v\nwant\n%v", r.msgs, want)
				}
			})
		})
	}
}

// A tape whose lines all stand at the same moment is no busy loop.
func TestTapeOfOneMoment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 9500*time.Millisecond)
		defer cancel()
		r := newRecorder(nil)
		if err := demo.Tape(ctx, r, text(`{"at":0,"topic":"x","data":1}`), 1); err != nil {
			t.Fatal(err)
		}
		if len(r.msgs) != 10 {
			t.Errorf("%d messages in 9.5 s, want one a second", len(r.msgs))
		}
	})
}

func TestTapeErrors(t *testing.T) {
	for _, c := range []struct{ label, tape, want string }{
		{"empty", "", "no line"},
		{"blank", "\n \n", "no line"},
		{"not JSON", `{"at":0,"topic":"x","data":1}` + "\n\nprice,size\n", "line 3: invalid character"},
		{"cut short", `{"at":0,"topic":"x"`, "line 1: unexpected end"},
		{"at is a string", `{"at":"0","topic":"x","data":1}`, "line 1: json: cannot unmarshal string"},
		{"no topic", `{"at":0,"data":1}`, `line 1: no "topic"`},
		{"no data", `{"at":0,"topic":"x"}`, `line 1: no "data"`},
		{"goes back", `{"at":0.2,"topic":"x","data":1}` + "\n" + `{"at":0.1,"topic":"x","data":1}`, `line 2: "at" goes back from 0.2 to 0.1`},
		{"before the beginning", `{"at":-1,"topic":"x","data":1}`, "line 1: \"at\" goes back from 0 to -1"},
		{"long line", `{"at":0,"topic":"x","data":"` + strings.Repeat("x", 1<<20) + `"}`, "line 1: longer than 1048576 bytes"},
	} {
		t.Run(c.label, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				err := demo.Tape(t.Context(), newRecorder(nil), text(c.tape), 1)
				if err == nil || !strings.Contains(err.Error(), c.want) {
					t.Errorf("Tape: %v, want %q", err, c.want)
				}
				if _, err := demo.TapeConfig(text(c.tape)); err == nil || !strings.Contains(err.Error(), c.want) {
					t.Errorf("TapeConfig: %v, want %q", err, c.want)
				}
			})
		})
	}

	for _, speed := range []float64{0, -1} {
		if err := demo.Tape(t.Context(), newRecorder(nil), text(tape), speed); err == nil || !strings.Contains(err.Error(), "speed") {
			t.Errorf("speed %v: %v, want an error", speed, err)
		}
	}
	full := errors.New("queue_full")
	err := demo.Tape(t.Context(), newRecorder(func(int) error { return full }), text(tape), 1000)
	if !errors.Is(err, full) || !strings.Contains(err.Error(), "demo.X.trade") {
		t.Errorf("Tape: %v, want %v and its topic", err, full)
	}
}

func TestTapeConfigOfManyTopics(t *testing.T) {
	var b strings.Builder
	for i := range 200 {
		fmt.Fprintf(&b, `{"at":%d,"topic":"t%03d","data":1}`+"\n", i, i)
	}
	all, err := demo.Topics(text(b.String()))
	if err != nil || len(all) != 200 {
		t.Fatalf("Topics: %d, %v, want 200", len(all), err)
	}
	c, err := demo.TapeConfig(text(b.String()))
	if err != nil || !slices.Equal(c.Topics, all[:128]) {
		t.Errorf("TapeConfig: %d topics, %v, want the first 128", len(c.Topics), err)
	}
}

func TestFile(t *testing.T) {
	dir := t.TempDir()
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	if _, err := z.Write([]byte(tape)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	want := []string{"demo.X.order", "demo.X.trade"}
	for name, body := range map[string][]byte{"plain.ndjson": []byte(tape), "tape.ndjson.gz": zipped.Bytes()} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, body, 0o600); err != nil {
			t.Fatal(err)
		}
		c, err := demo.TapeConfig(demo.File(path))
		if err != nil || !slices.Equal(c.Topics, want) || c.Simulated {
			t.Errorf("%s: %+v, %v, want the topics %v", name, c, err, want)
		}
	}

	if _, err := demo.TapeConfig(demo.File(filepath.Join(dir, "none"))); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a missing file: %v, want %v", err, fs.ErrNotExist)
	}
	bad := filepath.Join(dir, "bad.gz")
	if err := os.WriteFile(bad, []byte("\x1f\x8bnot gzip at all"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := demo.TapeConfig(demo.File(bad)); !errors.Is(err, gzip.ErrHeader) || !strings.Contains(err.Error(), bad) {
		t.Errorf("a bad file: %v, want %v and its path", err, gzip.ErrHeader)
	}
}
