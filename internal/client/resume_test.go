package client_test

import (
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/stretchr/testify/require"

	"github.com/pushd/pushd/internal/client"
)

func TestReconnectResumesAndDropsRepeats(t *testing.T) {
	var second []asked
	address := serve(t,
		func(p *peer) {
			p.greet()
			p.send(subscribed(`"position":"e:4","policy":"disconnect"`), message("e:5", "5"), message("e:7", "7"))
		},
		func(p *peer) {
			second = p.greet()
			p.send(subscribed(`"position":"e:9","recovered":true,"policy":"disconnect"`),
				message("e:7", "7"), message("e:8", "8"), message("e:9", "9"), `{"op":"live","topic":"news"}`, message("e:10", "10"))
			p.waiting()
		})
	r, err := run(t, 5, client.Config{URL: address})
	require.NoError(t, err)
	require.Equal(t, []asked{{"news", "e:7"}}, second)
	require.Equal(t, []string{"e:5", "e:7", "e:8", "e:9", "e:10"}, positions(r))
	require.Empty(t, r.gaps)
	require.Equal(t, []time.Duration{client.FirstBackoff / 2}, r.waits)
}

// A round of a conflated topic carries one position many times over: these are
// not repeats.
func TestConflatedRound(t *testing.T) {
	address := serve(t, func(p *peer) {
		p.greet()
		p.send(subscribed(`"position":"e:4","policy":"conflate"`),
			message("e:4", "1"), message("e:4", "2"), message("e:9", "3"))
		p.waiting()
	})
	r, err := run(t, 3, client.Config{URL: address})
	require.NoError(t, err)
	require.Equal(t, []string{"e:4", "e:4", "e:9"}, positions(r))
}

// Where each connection leaves the topic, by what it saw.
func TestResumesFrom(t *testing.T) {
	for _, c := range []struct {
		label, since string
		sent         []string
		want         string
	}{
		{"nothing came: the position that the subscription began at", "",
			[]string{subscribed(`"position":"e:4"`)}, "e:4"},
		{"replay did not end: since", "e:2",
			[]string{subscribed(`"position":"e:4","recovered":true`)}, "e:2"},
		{"an empty replay ended", "e:2",
			[]string{subscribed(`"position":"e:4","recovered":true`), `{"op":"live","topic":"news"}`}, "e:4"},
		{"replay ended behind messages", "e:2",
			[]string{subscribed(`"position":"e:4","recovered":true`), message("e:5", "5"), `{"op":"live","topic":"news"}`}, "e:5"},
		{"a gap that the server announced", "",
			[]string{subscribed(`"position":"e:4"`), `{"op":"gap","topic":"news","from":"e:4","to":"e:8","reason":"slow"}`}, "e:8"},
		{"not recovered: what the log still has", "e:2",
			[]string{subscribed(`"position":"e:40","recovered":false,"history":"e:12"`)}, "e:12"},
		{"not recovered, and the log has nothing", "e:2",
			[]string{subscribed(`"position":"e:40","recovered":false,"history":"e:40"`)}, "e:40"},
		{"another epoch", "e:9",
			[]string{subscribed(`"position":"f:3","recovered":false`), message("f:4", "4")}, "f:4"},
	} {
		t.Run(c.label, func(t *testing.T) {
			var again []asked
			address := serve(t,
				func(p *peer) { p.greet(); p.send(c.sent...) },
				func(p *peer) { again = p.greet(); p.close(ws.StatusPolicyViolation, "enough") })
			_, err := run(t, 0, client.Config{URL: address, Since: c.since})
			require.ErrorContains(t, err, "enough")
			require.Equal(t, []asked{{"news", c.want}}, again)
		})
	}
}

// Where the server cannot go on from since, delivery has begun live: what it
// still holds is asked for, and what came meanwhile is not handed on twice.
func TestGaps(t *testing.T) {
	var asked []string
	address := serve(t, func(p *peer) {
		p.greet()
		p.send(subscribed(`"position":"e:40","recovered":false,"history":"e:12"`), message("e:41", "41"))
		asked = append(asked, p.receive(), p.receive())
		p.send(`{"op":"unsubscribed","id":2,"topic":"news"}`,
			subscribed(`"position":"e:41","recovered":true`),
			message("e:13", "13"), message("e:41", "41"), `{"op":"live","topic":"news"}`,
			`{"op":"gap","topic":"news","from":"e:41","to":"e:50","reason":"slow"}`,
			message("e:51", "51"))
		p.waiting()
	})
	r, err := run(t, 3, client.Config{URL: address, Since: "e:2"})
	require.NoError(t, err)
	require.Equal(t, []string{
		`{"op":"unsubscribe","id":2,"topics":["news"]}`,
		`{"op":"subscribe","id":3,"topics":[{"name":"news","since":"e:12"}]}`,
	}, asked)
	require.Equal(t, []string{"e:13", "e:41", "e:51"}, positions(r))
	require.Len(t, r.gaps, 2)
	require.Equal(t, "messages of news were missed after e:2 up to e:12 (the server's log begins later)", r.gaps[0].String())
	require.Equal(t, client.Gap{Topic: "news", From: "e:41", To: "e:50", Reason: "slow"}, r.gaps[1])
}

// A message names the one before it: if that has not come, the connection is
// begun anew from the last that has.
func TestMissing(t *testing.T) {
	var again []asked
	linked := func(position, previous string) string {
		return `{"op":"message","topic":"news","position":"` + position + `","previous":"` + previous + `","text":""}`
	}
	address := serve(t,
		func(p *peer) {
			p.greet()
			p.send(subscribed(`"position":"e:4","policy":"disconnect"`), linked("e:5", "e:4"), linked("e:9", "e:7"))
			p.waiting()
		},
		func(p *peer) {
			again = p.greet()
			p.send(subscribed(`"position":"e:9","recovered":true`), linked("e:7", "e:5"), linked("e:9", "e:7"))
			p.waiting()
		})
	r, err := run(t, 3, client.Config{URL: address})
	require.NoError(t, err)
	require.Equal(t, []string{"e:5", "e:7", "e:9"}, positions(r))
	require.Equal(t, []asked{{"news", "e:5"}}, again)
	require.EqualError(t, r.lost[0], "messages of news are missing between e:5 and e:9")
}
