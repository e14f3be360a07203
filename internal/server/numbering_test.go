package server_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pushd/pushd/broadcast"
	"github.com/pushd/pushd/internal/server"
)

// post publishes text to topic a, with headers in pairs, and says what came of it.
func (d *door) post(text string, header ...string) string {
	d.t.Helper()
	var got struct {
		receipt
		refusal
	}
	answer := d.do(&got, "POST /v1/topics/a/messages", text, append(header, "Content-Type", "text/plain")...)
	if answer.StatusCode != 200 {
		return fmt.Sprint(answer.StatusCode, " ", got.Code)
	}
	s := fmt.Sprintf("%s:%d", got.Epoch, got.Offset)
	if *got.Duplicate {
		s += " again"
	}
	return s
}

// history is the positions that topic a holds, each behind the one before.
func (d *door) history(topic string) (all []string) {
	d.t.Helper()
	var page struct {
		Messages []struct{ Op, Position, Previous string }
	}
	d.do(&page, "GET /v1/topics/"+topic+"/messages", "")
	for _, m := range page.Messages {
		all = append(all, strings.TrimSpace(m.Previous+" "+m.Position+" "+m.Op))
	}
	return all
}

// A publisher may number its messages itself; then all that it says is in the log
// once, however often it says it.
func TestOwnPositions(t *testing.T) {
	d := open(t, server.Config{})
	for _, c := range []struct{ label, position, want string }{
		{"the first", "e:5", "e:5"},
		{"again", "e:5", "e:5 again"},
		{"before it", "e:3", "e:3 again"},
		{"some are left out", "e:9", "e:9"},
		{"none", "", "409 position_conflict"},
		{"another epoch", "f:1", "f:1"},
		{"of the old one, before its end", "e:8", "e:8 again"},
		{"of the old one, behind its end", "e:10", "409 position_conflict"},
		{"the greatest", "f:9007199254740991", "f:9007199254740991"},
	} {
		var header []string
		if c.position != "" {
			header = []string{"Pushd-Position", c.position}
		}
		require.Equal(t, c.want, d.post("x", header...), c.label)
	}
	require.Equal(t, []string{"e:4 e:5", "e:5 e:9", "e:9 f:1", "f:1 f:9007199254740991"}, d.history("a"))
}

// Whoever has no answer says it again under the same id.
func TestIdempotencyKey(t *testing.T) {
	d := open(t, server.Config{})
	p := d.v1("?topic=a")
	p.hear()
	first := d.post("1", "Idempotency-Key", `"o-17"`)
	require.NotContains(t, first, "again")
	require.Equal(t, first+" again", d.post("1", "Idempotency-Key", `"o-17"`))
	require.Equal(t, first+" again", d.post("1", "Idempotency-Key", "o-17"), "with quotes or without")
	var got report
	d.do(&got, "POST /v1/messages", `{"topic":"a","id":"o-17","text":"1"}`+"\n"+`{"topics":["a","b"],"id":"o-17","text":"1"}`+"\n"+
		`{"topics":["b","a"],"id":"o-17","text":"1"}`+"\n"+`{"topic":"a","id":"o-18","text":"2"}`, "Content-Type", "application/x-ndjson")
	require.Equal(t, "4 4 0", got.String())
	require.Equal(t, 2, got.Duplicates, "a line that was news somewhere is none")
	for _, want := range []string{"1", "2"} {
		require.Equal(t, want, p.hear().Text, "each once")
	}
	require.Len(t, d.history("b"), 1, "an id is that of a message in a topic")
}

func TestLinesWithPositions(t *testing.T) {
	d := open(t, server.Config{})
	lines := `{"topic":"a","position":"e:1","text":"1"}
{"topic":"a","position":"e:2","text":"2"}
{"topic":"a","text":"3"}
{"topic":"a","position":"e:0","text":"4"}
{"topic":"a","position":"e:3","text":"5"}`
	for _, want := range []int{0, 3} {
		var got report
		d.do(&got, "POST /v1/messages", lines, "Content-Type", "application/x-ndjson")
		require.Equal(t, "5 3 2 3:position_conflict 4:bad_request", got.String())
		require.Equal(t, want, got.Duplicates)
	}
	require.Equal(t, []string{"e:0 e:1", "e:1 e:2", "e:2 e:3"}, d.history("a"))
}

// Two servers that are fed alike resume each other's clients, also where one of
// them has not heard so much yet.
func TestTwoServersFedAlike(t *testing.T) {
	ahead, behind := open(t, server.Config{}), open(t, server.Config{})
	say := func(d *door, n int) {
		require.Equal(t, fmt.Sprintf("e:%d", n), d.post(fmt.Sprint(n), "Pushd-Position", fmt.Sprintf("e:%d", n)))
	}
	p := ahead.v1("?topic=a")
	p.hear()
	for n := 1; n <= 6; n++ {
		say(ahead, n)
		require.Equal(t, fmt.Sprint(n), p.hear().Text)
	}
	for n := 1; n <= 4; n++ {
		say(behind, n)
	}
	for _, since := range []int{2, 6} {
		p := behind.v1(fmt.Sprintf("?topic=a&since=e:%d", since))
		h := p.hear()
		require.True(t, *h.Recovered)
		if since == 2 {
			require.Equal(t, "3", p.hear().Text)
			require.Equal(t, "4", p.hear().Text)
			require.Equal(t, "live", p.hear().Op)
			continue
		}
		for n := 5; n <= 7; n++ {
			say(behind, n)
		}
		require.Equal(t, "live", p.hear().Op, "5 and 6 the other server has sent it")
		require.Equal(t, "7", p.hear().Text)
	}
}

// A key that is deleted is retained no more, and subscribers that can be told are.
func TestDeleteKey(t *testing.T) {
	d := open(t, server.Config{Listen: "127.0.0.1:0", Admin: "127.0.0.1:0", Dev: true, Topics: []server.TopicRule{rule(t, "a", broadcast.Settings{Retain: true})}})
	d.put("a", "ACME", "1")
	d.put("a", "", "2")
	p, raw := d.v1("?topic=a"), d.subscribe("pushd.raw.v1", "a")
	for _, want := range []string{"subscribed a", "message a", "message a", "live a"} {
		require.Equal(t, want, p.hear().short())
	}
	for range 2 {
		_, err := raw.next()
		require.NoError(t, err)
	}
	what := "DELETE /v1/topics/a/messages?key="
	for _, c := range []struct {
		label, key, id string
		status         int
		again          bool
	}{
		{"one", "ACME", `"1"`, 200, false},
		{"again", "ACME", `"1"`, 200, true},
		{"it is gone", "ACME", `"2"`, 404, false},
		{"the empty one", "", `"3"`, 200, false},
	} {
		var got struct {
			receipt
			refusal
		}
		require.Equal(t, c.status, d.do(&got, what+c.key, "", "Idempotency-Key", c.id).StatusCode, c.label)
		if c.status == 404 {
			require.Equal(t, "not_found", got.Code)
			continue
		}
		require.Equal(t, c.again, *got.Duplicate, c.label)
		if !c.again {
			h := p.hear()
			require.Equal(t, "delete a", h.short())
			require.Equal(t, c.key, h.Key)
			require.Equal(t, fmt.Sprintf("%s:%d", got.Epoch, got.Offset), h.Position)
			require.NotEmpty(t, h.Previous)
		}
	}
	d.put("a", "ACME", "3")
	require.Equal(t, "3", p.hear().Text)
	text, err := raw.next()
	require.NoError(t, err)
	require.Equal(t, "3", text, "raw has heard nothing else")
	all := d.history("a")
	require.Len(t, all, 5)
	require.Contains(t, all[2], " delete")
	p = d.v1("?topic=a")
	p.hear()
	h := p.hear()
	require.Equal(t, "3", h.Text)
	require.True(t, h.Retained)
	require.Equal(t, "live", p.hear().Op)
}
