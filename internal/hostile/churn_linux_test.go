package hostile_test

import (
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

// Connections that come and are cut, so that descriptors and slots are used again all the time: what was meant for one never
// reaches another.
func TestChurn(t *testing.T) {
	p := serve(t)
	rounds := often(20, 500)
	const topics = 10 // of each attacker, used again in turn: their logs are not what is measured
	cut := func(a *peer, how int) {
		switch how {
		case 0:
			a.reset()
		case 1: // a FIN, and what comes is not read
			a.Close()
		case 2: // in the middle of a frame
			a.Write(head(fin|opText, 1000))
			a.reset()
		case 3: // as one should
			a.Write(frame(fin|opClose, "\x03\xe8"))
			a.SetReadDeadline(time.Now().Add(patience))
			io.Copy(io.Discard, a.in)
			a.Close()
		}
	}
	withinRoom(p, func() {
		crowd(t, 32, 32, func(i int) error {
			random := rand.New(rand.NewPCG(uint64(i), 0))
			for round := range rounds {
				mine, echoes := fmt.Sprintf("%d.%d", i, round%topics), random.IntN(2) == 0
				target := "/ws?topic=churn." + mine
				if echoes {
					target = "/echo"
					mine = fmt.Sprintf("%d-%d", i, round)
				}
				a, err := open(p.public, target, "")
				if err != nil {
					return err
				}
				said := 1 + random.IntN(5)
				for n := range said {
					text := fmt.Sprintf("%s:%d", mine, n)
					if echoes {
						_, err = a.Write(frame(fin|opText, text))
					} else {
						err = p.post("churn."+mine, text)
					}
					if err != nil {
						return err
					}
				}
				for n := range random.IntN(said + 1) {
					op, heard, err := a.next()
					if err != nil {
						return err
					}
					if want := fmt.Sprintf("%s:%d", mine, n); op != opText || heard != want {
						return fmt.Errorf("heard opcode %x, %q; expected %q", op, heard, want)
					}
				}
				cut(a, random.IntN(4))
			}
			return nil
		})
	})
}

// Subscribers who never read cost a bounded place, and are let go when the log has lost what they would need; who reads gets
// all of it, in order.
func TestStalled(t *testing.T) {
	const size, count = 4 << 10, 500 // 2 MB, where the log keeps 512 KiB
	p := serve(t, "--log-limit", "512KiB")
	honest, err := open(p.public, "/ws?topic=news", "")
	if err != nil {
		t.Fatal(err)
	}
	defer honest.Close()
	n := often(100, 1000)
	stalled := make([]*peer, 0, n)
	letGo := func() {
		for _, a := range stalled {
			a.reset()
		}
		stalled = nil
	}
	defer letGo()
	for range n {
		a, err := openNarrow(p.public, "/ws?topic=news")
		if err != nil {
			t.Fatal(err)
		}
		stalled = append(stalled, a)
	}
	heard := make(chan error, 1)
	go func() {
		for i := range count {
			_, text, err := honest.next()
			if want := fmt.Sprintf("%d ", i); err == nil && !strings.HasPrefix(text, want) {
				err = fmt.Errorf("message %d begins with %.10q", i, text)
			}
			if err != nil {
				heard <- err
				return
			}
		}
		heard <- nil
	}()
	withinRoom(p, func() {
		for i := range count {
			if err := p.post("news", fmt.Sprintf("%d %s", i, strings.Repeat("x", size))); err != nil {
				t.Fatal(err)
			}
		}
		if err := <-heard; err != nil {
			t.Fatal(err)
		}
		p.settled("those who do not read are let go", func() bool { return p.metric(`pushd_closes_total{code="1013"}`) == float64(n) })
		honest.Write(frame(fin|opClose, "\x03\xe8"))
		letGo()
	})
}

// Who floods and does not read is not read either: it keeps what little it has been let say.
func TestDeaf(t *testing.T) {
	p := serve(t, "--max-message-rate", "0", "--max-byte-rate", "0")
	for _, c := range []struct {
		label string
		say   []byte
	}{
		{"pings", frame(fin|opPing, strings.Repeat("p", 125))},
		{"messages", frame(fin|opText, strings.Repeat("a", 1000))},
		{"large messages", frame(fin|opText, strings.Repeat("a", 65_536))},
	} {
		t.Run(c.label, func(t *testing.T) {
			withinRoom(p, func() {
				crowd(t, atOnce, atOnce, func(int) error {
					a, err := openNarrow(p.public, "/echo")
					if err != nil {
						return err
					}
					defer a.reset()
					for begun := time.Now(); time.Since(begun) < time.Second; {
						a.SetWriteDeadline(time.Now().Add(300 * time.Millisecond))
						if _, err := a.Write(c.say); err != nil {
							return nil // it is not read any more
						}
					}
					return nil
				})
			})
		})
	}
}
