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
		{"not recovered, but all that is retained follows", "e:2",
			[]string{subscribed(`"position":"e:40","recovered":false,"history":"e:12","retain":true`)}, ""},
		{"some of what is retained came", "",
			[]string{subscribed(`"position":"e:4","retain":true`), retained("e:0")}, "e:0"},
		{"all of it came", "",
			[]string{subscribed(`"position":"e:4","retain":true`), retained("e:0"), `{"op":"live","topic":"news"}`}, "e:4"},
		{"it came, and news", "",
			[]string{subscribed(`"position":"e:4","retain":true`), retained("e:0"), retained("e:4"), `{"op":"live","topic":"news"}`, message("e:5", "5")}, "e:5"},
		{"a key was deleted", "",
			[]string{subscribed(`"position":"e:4"`), `{"op":"delete","topic":"news","key":"k","position":"e:5","previous":"e:4"}`}, "e:5"},
		{"within a round", "",
			[]string{subscribed(`"position":"e:4","policy":"conflate"`), message("e:4", "1"), message("e:9", "2"), message("e:9", "3")}, "e:9"},
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

func retained(position string) string {
	return `{"op":"message","topic":"news","position":"` + position + `","retained":true,"text":""}`
}

// Deleted keys stand among the messages, and those that expired where the message
// before stands: that is neither a repeat nor a hole.
func TestDeleted(t *testing.T) {
	deleted := func(key, position, previous string) string {
		return `{"op":"delete","topic":"news","key":"` + key + `","position":"` + position + `","previous":"` + previous + `"}`
	}
	address := serve(t, func(p *peer) {
		p.greet()
		p.send(subscribed(`"position":"e:4","retain":true`), retained("e:0"), retained("e:4"), `{"op":"live","topic":"news"}`,
			deleted("a", "e:5", "e:4"), deleted("b", "e:5", "e:5"), deleted("a", "e:5", "e:4"),
			`{"op":"message","topic":"news","position":"e:6","previous":"e:5","text":""}`)
		p.waiting()
	})
	r, err := run(t, 5, client.Config{URL: address})
	require.NoError(t, err)
	require.Empty(t, r.lost)
	require.Equal(t, []string{"e:0", "e:4", "e:5", "e:5", "e:6"}, positions(r))
	for i, m := range r.messages {
		require.Equal(t, i < 2, m.Retained)
		require.Equal(t, i == 2 || i == 3, m.Deleted)
	}
}

// A user's topic is subscribed to before we ask, and cannot be left: what comes
// before the answer to our command comes again.
func TestUserTopic(t *testing.T) {
	const topic = "$user.42"
	own := func(members string) string { return `{"topic":"` + topic + `",` + members + `}` }
	var asked []string
	address := serve(t, func(p *peer) {
		p.send(`{"op":"welcome","version":1,"ping_ms":25000}`, own(`"op":"subscribed","position":"e:8","policy":"disconnect"`),
			own(`"op":"message","position":"e:9","previous":"e:8","text":"early"`))
		asked = append(asked, p.receive())
		p.send(own(`"op":"subscribed","id":1,"position":"e:9","recovered":false,"history":"e:7","policy":"disconnect"`))
		asked = append(asked, p.receive())
		p.send(own(`"op":"subscribed","id":2,"position":"e:9","recovered":true,"policy":"disconnect"`),
			own(`"op":"message","position":"e:8","previous":"e:7","text":""`), own(`"op":"message","position":"e:9","previous":"e:8","text":""`))
		p.waiting()
	})
	r, err := run(t, 2, client.Config{URL: address, Topics: []string{topic}, Since: "e:5", MaxRate: 2})
	require.NoError(t, err)
	require.Equal(t, []string{
		`{"op":"subscribe","id":1,"topics":[{"name":"$user.42","since":"e:5","max_rate":2}]}`,
		`{"op":"subscribe","id":2,"topics":[{"name":"$user.42","since":"e:7","max_rate":2}]}`,
	}, asked)
	require.Equal(t, []string{"e:8", "e:9"}, positions(r))
	require.Empty(t, r.lost)
	require.Len(t, r.gaps, 1)
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
