package hostile_test

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
)

// Any bytes at all, in place of a request and behind one: a connection never just breaks off, whatever it was told.
func TestGarbage(t *testing.T) {
	p := serve(t, "--handshake-timeout", "1s", "--message-timeout", "1s")
	garbage := func(seed int) []byte {
		random := rand.New(rand.NewPCG(1, uint64(seed)))
		b := make([]byte, 1+random.IntN(4096))
		for i := range b {
			b[i] = byte(random.Uint32())
		}
		return b
	}
	withinRoom(p, func() {
		crowd(t, often(200, 10_000), atOnce, func(i int) error {
			a, err := dial(p.public)
			if err != nil {
				return err
			}
			defer a.reset()
			a.Write(garbage(i))
			return a.answered(http.StatusBadRequest)
		})
		crowd(t, often(200, 10_000), atOnce, func(i int) error {
			a, err := open(p.public, "/echo", "")
			if err != nil {
				return err
			}
			defer a.reset()
			a.Write(garbage(i))
			_, err = a.closeCode()
			return err
		})
	})
}

// answered reads an answer with that status, and nothing behind it.
func (p *peer) answered(want int) error {
	status, err := p.status()
	if err == nil && status != want {
		err = fmt.Errorf("status %d, expected %d", status, want)
	}
	if err == nil {
		err = p.ended()
	}
	return err
}

// What stands behind a request belongs to what that has opened, or to nobody: no second request is read from there.
func TestPipelined(t *testing.T) {
	const upgrade, page = "GET /echo" + handshake + "\r\n", "GET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n"
	p := serve(t)
	for _, c := range []struct {
		label, sent  string
		status, code int
	}{
		{"two upgrades", upgrade + upgrade, 101, 1002},
		{"an upgrade and a page", upgrade + page, 101, 1002},
		{"an upgrade and its first frames", upgrade + string(frame(fin|opText, "a")) + string(frame(fin|opClose, "\x03\xe8")), 101, 1000},
		{"two pages", page + page, 200, 0},
		{"a page and an upgrade", page + upgrade, 200, 0},
		{"a refusal and an upgrade", strings.Replace(upgrade, "/echo", "/nothing", 1) + upgrade, 404, 0},
	} {
		t.Run(c.label, func(t *testing.T) {
			crowd(t, often(20, 1000), 20, func(int) error {
				a, err := dial(p.public)
				if err != nil {
					return err
				}
				defer a.reset()
				io.WriteString(a, c.sent)
				if c.code == 0 {
					return a.answered(c.status)
				}
				if err := a.upgraded(); err != nil {
					return err
				}
				code, err := a.closeCode()
				if err == nil && code != c.code {
					err = fmt.Errorf("closed with %d, expected %d", code, c.code)
				}
				return err
			})
		})
	}
}

// Connections that are reset at every byte of what they say, before or after the answer, leave nothing behind.
func TestResets(t *testing.T) {
	p := serve(t)
	request := "GET /echo" + handshake + "\r\n"
	all := []byte(request)
	for _, f := range [][]byte{frame(opText, "abc"), frame(fin|opPing, "abc"), frame(fin|opContinuation, "abc"), frame(fin|opClose, "\x03\xe8")} {
		all = append(all, f...)
	}
	withinRoom(p, func() {
		crowd(t, len(all)*often(2, 50), atOnce, func(i int) error {
			a, err := dial(p.public)
			if err != nil {
				return err
			}
			defer a.reset()
			said := all[:i%len(all)+1]
			a.Write(said)
			if len(said) >= len(request) && i/len(all)%2 == 0 {
				return a.upgraded()
			}
			return nil
		})
		p.empty()
	})
	for _, name := range []string{"pushd_partial_input_bytes", "pushd_output_queue_bytes", "pushd_callback_panics_total", "pushd_pool_panics_total"} {
		if n := p.metric(name); n != 0 {
			t.Errorf("%s is %v when all have gone", name, n)
		}
	}
}
