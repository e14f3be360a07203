package server_test

import (
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pushd/pushd/broadcast"
	"github.com/pushd/pushd/internal/dialect"
	"github.com/pushd/pushd/internal/server"
)

var (
	stress     = flag.Duration("server.stress", 2*time.Second, "how long TestStress takes; from 1m on other tests are long too")
	stressSeed = flag.Uint64("server.seed", 0, "seed of TestStress; 0: any")
)

// inLongRun reports whether tests are to be as long as they are meant to be.
func inLongRun() bool { return *stress >= time.Minute }

// stressed is a server that everything happens to at once, and what is known of it.
type stressed struct {
	*door
	hub        *broadcast.Hub
	seed       uint64
	began      time.Time
	address    string
	topics     []*stressTopic
	byName     map[string]*stressTopic
	publishing *http.Client
	wires      []*commandWire
	over       atomic.Bool
	failed     atomic.Bool

	mu     sync.Mutex
	events map[string]int
}

func (s *stressed) happened(what string) {
	s.mu.Lock()
	s.events[what]++
	s.mu.Unlock()
}

func (s *stressed) failf(format string, args ...any) {
	if !s.failed.Swap(true) {
		s.t.Errorf(format, args...)
	}
}

func (s *stressed) rng(n int) *rand.Rand { return rand.New(rand.NewPCG(s.seed, uint64(n))) }

// mustHappen is what a run of a minute comes to, or is not what it was.
var mustHappen = []string{
	"stall", "byte by byte", "reset", "close", "unsubscribe", "subscribed twice", "ping", "reload", "1013", "gap", "live", "recovered", "not recovered",
	"since ahead", "retained", "delete", "nothing to delete", "raw recovered", "raw not recovered", "max_rate", "409", "duplicate", "503", "503 of lines",
	"published by command", "conflated", "subscribed under disconnect", "subscribed under drop", "subscribed under conflate", "another policy",
}

// TestStress has some hundred clients do what clients do, to topics of every kind
// that are published to and configured meanwhile, and holds what each of them is
// sent against what publishers were told is in the log.
func TestStress(t *testing.T) {
	s := newStressed(t)
	t.Logf("seed %d (-server.seed)", s.seed)
	var clients, others sync.WaitGroup
	for i, topic := range s.topics {
		others.Go(func() {
			p := &stressPublisher{stressed: s, stressTopic: topic, rng: s.rng(1000 + i), n: 1, slow: 400}
			p.run()
		})
	}
	for i := range 200 {
		clients.Go(func() {
			rng := s.rng(i)
			c := &stressClient{stressed: s, number: i, rng: rng, isRaw: i%4 == 3, keeps: i < 2, members: map[*stressTopic]*stressMember{}, left: map[*stressTopic]*stressMember{}}
			if rng.IntN(2) == 0 && !c.keeps {
				c.buffer = 4096
			}
			c.run()
		})
	}
	others.Go(func() { s.reload(s.rng(2000)) })
	others.Go(func() { s.stallShards(s.rng(2001)) })
	for until := time.Now().Add(*stress); time.Now().Before(until) && !s.failed.Load(); {
		time.Sleep(10 * time.Millisecond)
	}
	s.over.Store(true)
	others.Wait()
	clients.Wait()
	s.finish()
	t.Logf("%d messages; %v", s.hub.Stats().Published, s.events)
	must := mustHappen
	if *stress >= 5*time.Minute {
		must = append(must, "queue_full") // once or twice a minute
	}
	for _, what := range must {
		if s.events[what] == 0 && inLongRun() && !t.Failed() {
			t.Errorf("it never came to %q: the test is not what it was", what)
		}
	}
}

// newStressed opens a server with topics of every kind, each with one message.
func newStressed(t *testing.T) *stressed {
	s := &stressed{seed: *stressSeed, began: time.Now(), byName: map[string]*stressTopic{}, events: map[string]int{}}
	if s.seed == 0 {
		s.seed = rand.Uint64()>>32 | 1
	}
	for _, policy := range []broadcast.Policy{broadcast.Disconnect, broadcast.Drop, broadcast.Conflate} {
		for i := range 8 {
			s.topics = append(s.topics, &stressTopic{name: fmt.Sprintf("%v.%d", policy, i), policy: policy, steady: true, retain: i&1 > 0, given: i&2 > 0})
		}
	}
	for i := range 6 {
		s.topics = append(s.topics, &stressTopic{name: fmt.Sprintf("switched.%d", i), given: i&1 > 0})
	}
	rng := s.rng(3000)
	s.door = open(t, server.Config{
		Listen: "127.0.0.1:0", Admin: "127.0.0.1:0", Dev: true, NotSentLowat: 16 << 10, PingInterval: time.Second, PublishTimeout: 100 * time.Millisecond,
		ResumeWindow: time.Second, LogTotal: 1 << 20, Topics: s.rules(rng), Reload: func() (server.Reloaded, error) { return server.Reloaded{Topics: s.rules(rng)}, nil },
	})
	s.hub, s.address = server.Hub(s.Server), s.Addr().String()
	s.publishing = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}, Timeout: patience}
	t.Cleanup(s.publishing.CloseIdleConnections)
	for range 3 {
		w, _, err := dialWire(s.address, "pushd.v1", "", 0)
		require.NoError(t, err)
		t.Cleanup(func() { w.Close() })
		s.wires = append(s.wires, &commandWire{w: w})
	}
	for _, topic := range s.topics {
		topic.deleted, s.byName[topic.name] = map[uint64]bool{}, topic
		m := broadcast.Message{Kind: topic.kind(1), Key: keyName(topic.keyOf(1)), Payload: []byte(topic.payload(1))}
		if topic.given {
			m.Position = broadcast.Position{Epoch: "feed0", Offset: 7}
		}
		r, err := s.hub.TryPublish(topic.name, m)
		require.NoError(t, err)
		topic.epoch = r.Position.Epoch
		topic.issue(1, false)
		topic.ack(1)
	}
	return s
}

// rules returns settings of which only limits differ for topics that are steady.
func (s *stressed) rules(rng *rand.Rand) (rules []server.TopicRule) {
	for _, t := range s.topics {
		set := broadcast.Settings{Slow: t.policy, Retain: t.retain, LogLimit: []int{8 << 10, 8 << 10, 16 << 10, 32 << 10}[rng.IntN(4)]}
		if !t.steady {
			set.Slow, set.Retain = broadcast.Policy(rng.IntN(3)), rng.IntN(2) == 0
		}
		if rng.IntN(4) == 0 {
			set.History = broadcast.History{Count: 20 + rng.IntN(50)}
		}
		if rng.IntN(3) == 0 {
			set.MaxRate = []float64{5, 20}[rng.IntN(2)]
		}
		pattern, err := dialect.ParsePattern(t.name)
		if err != nil {
			panic(err)
		}
		rules = append(rules, server.TopicRule{Pattern: pattern, Settings: set})
	}
	return rules
}

// reload has the server read its settings again, by either way.
func (s *stressed) reload(rng *rand.Rand) {
	for !s.over.Load() && !s.failed.Load() {
		if rng.IntN(2) == 0 {
			s.Configure(s.rules(rng))
		} else if answer := s.do(new(struct{}), "POST /v1/reload", ""); answer.StatusCode != 200 {
			s.failf("the reload was answered %d", answer.StatusCode)
		}
		s.happened("reload")
		time.Sleep(time.Duration(rng.IntN(500)) * time.Millisecond)
	}
}

// stallShards keeps one shard or another from its work now and then, so that a
// pass holds what publishers need.
func (s *stressed) stallShards(rng *rand.Rand) {
	for !s.over.Load() && !s.failed.Load() {
		time.Sleep(time.Duration(300+rng.IntN(700)) * time.Millisecond)
		release := server.StallShard(s.Server, rng.IntN(server.Shards(s.Server)))
		time.Sleep(time.Duration(200+rng.IntN(300)) * time.Millisecond)
		release()
	}
}

// finish checks that nothing is left.
func (s *stressed) finish() {
	if s.failed.Load() {
		return
	}
	for _, w := range s.wires {
		w.w.Close()
	}
	metrics := s.scrape(s.base + "/metrics")
	s.events["conflated"] = int(metrics["pushd_conflated_messages_total"])
	s.Configure(nil) // nothing is retained any more
	s.until(s.base+"/metrics", "nothing left", func(m map[string]float64) bool {
		left := maps.Collect(maps.All(m))
		maps.DeleteFunc(left, func(name string, v float64) bool {
			return v == 0 || !slices.Contains([]string{"pushd_connections", "pushd_subscriptions", "pushd_lagging_subscriptions", "pushd_output_queue_bytes",
				`pushd_buffer_bytes{state="in_use"}`, "pushd_publishers_waiting", "pushd_topics", "pushd_log_bytes", "pushd_key_bytes"}, name)
		})
		return len(left) == 0
	})
}
