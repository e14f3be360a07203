package hostile_test

import (
	"fmt"
	"strings"
	"testing"
)

// Heads that never end, or are none. Each attacker says what it says until it is cut off.
func TestHeads(t *testing.T) {
	const line = "GET /echo HTTP/1.1\r\nHost: localhost\r\n"
	p := serve(t)
	for _, c := range []struct {
		label       string
		first, more string
		status      int
	}{
		{"header lines without end", line, "A: b\r\n", 431},
		{"one line without end", line + "A: ", strings.Repeat("b", 1000), 431},
		{"a name without end", line, strings.Repeat("b", 1000), 431},
		{"cookies", line, "Cookie: " + strings.Repeat("c", 1000) + "\r\n", 431},
		{"a target without end", "GET /", strings.Repeat("a", 1000), 414},
		{"a query without end", "GET /ws?topic=a", strings.Repeat("&topic=a", 100), 414},
		{"a method without end", "G", strings.Repeat("G", 1000), 431},
		{"TLS", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", strings.Repeat("\x00", 1000), 400},
		{"HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", strings.Repeat("\x00", 1000), 505},
		{"noise", "\xff\xfe\xfd", strings.Repeat("\xfc", 1000), 400},
		{"a NUL in a value", line + "A: b\x00", strings.Repeat("\x00", 1000), 400},
		{"a bare LF", line + "A: b\n", strings.Repeat("C: d\n", 100), 400},
		{"spaces before a value", line + "A:", strings.Repeat(" ", 1000), 431},
	} {
		t.Run(c.label, func(t *testing.T) {
			withinRoom(p, func() {
				crowd(t, often(20, 1000), atOnce, func(int) error {
					a, err := dial(p.public)
					if err != nil {
						return err
					}
					defer a.reset()
					poured := make(chan error, 1)
					go func() {
						if err := a.pour([]byte(c.first), 1); err != nil {
							poured <- err
							return
						}
						poured <- a.pour([]byte(c.more), 1<<20/len(c.more))
					}()
					status, err := a.status()
					if err == nil && status != c.status {
						err = fmt.Errorf("status %d, expected %d", status, c.status)
					}
					if err == nil {
						err = a.ended()
					}
					a.reset()
					<-poured
					return err
				})
			})
		})
	}
}
