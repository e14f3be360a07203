package server

import (
	"net/http"
	"runtime"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/pushd/pushd/internal/dialect"
)

// metricsHandler answers /metrics: pushd's, the Go runtime's and the process's.
// docs/OPERATIONS.md says what each means.
func (s *Server) metricsHandler() http.Handler {
	registry := prometheus.NewRegistry()
	registry.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		collector{s},
	)
	h := promhttp.HandlerFor(registry, promhttp.HandlerOpts{MaxRequestsInFlight: 4, DisableCompression: true})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.NewResponseController(w).SetWriteDeadline(time.Now().Add(writeTimeout)) // or four who do not read would keep others out
		h.ServeHTTP(w, r)
	})
}

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("pushd_"+name, help, labels, nil)
}

var (
	descConnections   = desc("connections", "Connections on the public door, those that have not said yet what they want included.")
	descMemory        = desc("memory_bytes", "Memory: the process's own, user, and what the kernel's has grown by since it began, kernel.", "kind")
	descMemoryLimit   = desc("memory_limit_bytes", "What both may come to before newcomers are refused; 0: as much as there is.")
	descMemoryFull    = desc("memory_full", "1 while newcomers are refused because memory is short.")
	descConnMemory    = desc("connection_memory_bytes", "What memory has grown by since the process began, for each connection: whatever else grew is in it.", "kind")
	descBadTokens     = desc("bad_tokens_total", "Tokens that were refused, by reason.", "reason")
	descBans          = desc("bans", "Users, tokens and addresses that are banned.")
	descPending       = desc("connections_pending", "Of these, those that have not become WebSockets.")
	descAccepted      = desc("connections_accepted_total", "Connections accepted.")
	descTurnedAway    = desc("connections_turned_away_total", "Connections closed at once: too far above the limit, or no slot.")
	descAcceptPauses  = desc("accept_pauses_total", "Times that accept(2) failed, for want of descriptors as a rule, and was left alone for a moment.")
	descShardConns    = desc("shard_connections", "Connections of a shard.", "shard")
	descImbalance     = desc("shard_imbalance_ratio", "How far the fullest shard is above the mean: max/mean-1.")
	descAddresses     = desc("addresses", "Addresses that connections are counted by.")
	descAddressFull   = desc("address_refusals_total", "Connections refused, or closed at once, because of how many came from their address, by the limit.", "limit")
	descUncounted     = desc("connections_uncounted_total", "Connections that came when the table of addresses was full: counted together, and not limited.")
	descUpgrades      = desc("upgrades_total", "Handshakes, by ok or the error code of the refusal.", "result")
	descCloses        = desc("closes_total", "WebSockets closed, by close code; 1006 for none, other for codes that are not in the protocol.", "code")
	descPings         = desc("pings_sent_total", "Keep-alive pings sent.")
	descReceived      = desc("received_bytes_total", "Bytes read from connections.")
	descSent          = desc("sent_bytes_total", "Bytes written to connections.")
	descOutput        = desc("output_queue_bytes", "Output of connections' own that has not left.")
	descCut           = desc("connections_cut_total", "Connections cut off because all output queues together were at their limit.")
	descTooFast       = desc("connections_too_fast_total", "Connections closed because of what they said in one second, by whether it was messages or bytes.", "limit")
	descPartial       = desc("partial_input_bytes", "Requests and messages that are not whole.")
	descCrowded       = desc("connections_crowded_out_total", "Connections closed because all of those together were at their limit.")
	descLate          = desc("connections_late_total", "Connections closed because a message was not whole in time.")
	descDeflated      = desc("deflated_messages_total", "Messages compressed, each once for all who take them so.")
	descDeflatedBytes = desc("deflated_bytes_total", "Bytes of the payloads of compressed messages, before and after.", "stage")
	descBuffers       = desc("buffer_bytes", "Pooled buffers, by whether they are in use.", "state")
	descPages         = desc("http_pages", "Ordinary HTTP connections on the public door.")
	descPublished     = desc("messages_published_total", "Messages put into a topic's log.")
	descDeliveries    = desc("deliveries_total", "Messages begun, each for one subscriber.")
	descWrites        = desc("writes_total", "Writes for subscribers; one may carry many messages.")
	descLatency       = desc("publish_to_write_seconds", "From publish to written, for the oldest message of each write.")
	descTopics        = desc("topics", "Topics, those of users included.")
	descUsers         = desc("users", "Topics of users.")
	descIDs           = desc("message_ids", "Ids of messages that are remembered.")
	descKeys          = desc("keys", "Keys whose newest value is known.")
	descKeyBytes      = desc("key_bytes", "What these values take.")
	descKeyLimit      = desc("key_limit_bytes", "What these values may take.")
	descLogBytes      = desc("log_bytes", "Memory of all logs.")
	descLogLimit      = desc("log_limit_bytes", "What all logs together may take.")
	descWaiting       = desc("publishers_waiting", "Publishers that wait for room in a log.")
	descSubscriptions = desc("subscriptions", "Subscriptions.")
	descLagging       = desc("lagging_subscriptions", "Subscriptions that are behind, replays included.")
	descLost          = desc("lost_subscriptions_total", "Subscriptions ended because the log had lost what came next.")
	descGaps          = desc("gaps_total", "Gaps that subscribers were told of.")
	descDropped       = desc("dropped_messages_total", "Messages that lay in gaps, each for one subscriber, under the policy to drop.")
	descConflated     = desc("conflated_messages_total", "Newest values sent to whoever was behind, in place of all messages.")
	descPasses        = desc("passes_total", "Passes over the subscribers of a topic.")
	descPassSeconds   = desc("pass_seconds_total", "Time that passes took.")
	descWorkers       = desc("pool_workers", "Workers there may be.")
	descRunning       = desc("pool_running", "Workers at work.")
	descRefused       = desc("pool_refused_total", "Times that no worker was free; what was to be done waits its turn.")
	descPanics        = desc("pool_panics_total", "Workers' tasks that panicked.")
	descCallPanics    = desc("callback_panics_total", "Connections closed because what handled them panicked.")
	descReloads       = desc("config_reloads_total", "Times that the settings were read again, by whether they were good.", "result")
	descReloadOK      = desc("config_last_reload_successful", "Whether the settings were good when they were last read.")
	descReloadTime    = desc("config_last_reload_success_timestamp_seconds", "When they last were.")
	descBuild         = desc("build_info", "1, with the version of the server and of Go.", "version", "goversion")
)

// collector reads, when it is asked, the counters that the server's parts keep
// anyway. Nothing on the path of a message knows of it.
type collector struct{ *Server }

var _ prometheus.Collector = collector{}

// Describe implements prometheus.Collector.
func (c collector) Describe(ch chan<- *prometheus.Desc) { prometheus.DescribeByCollect(c, ch) }

// Collect implements prometheus.Collector.
func (c collector) Collect(ch chan<- prometheus.Metric) {
	m := metrics(ch)
	m.gauge(descBuild, 1, c.cfg.Version, runtime.Version())
	c.collectEngine(m)
	c.collectShards(m)
	c.collectBroadcast(m)
	c.collectPool(m)
	c.collectReloads(m)
	c.collectMemory(m)
}

// metrics takes values of any number's type.
type metrics chan<- prometheus.Metric

func (m metrics) gauge(d *prometheus.Desc, v float64, labels ...string) {
	m <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
}

func (m metrics) counter(d *prometheus.Desc, v uint64, labels ...string) {
	m <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(v), labels...)
}

func (c collector) collectEngine(m metrics) {
	stats := c.engine.Stats()
	m.gauge(descConnections, float64(c.engine.Live()))
	m.counter(descAccepted, stats.Accepted.Load())
	m.counter(descTurnedAway, stats.Turned.Load())
	c.collectPeers(m)
	m.counter(descAcceptPauses, stats.AcceptPauses.Load())
	m.counter(descCallPanics, stats.Panics.Load())
	m.gauge(descOutput, float64(stats.QueuedBytes.Load()))
	m.counter(descCut, stats.Cut.Load())
	m.counter(descTooFast, stats.TooManyMessages.Load(), "messages")
	m.counter(descTooFast, stats.TooManyBytes.Load(), "bytes")
	m.gauge(descPartial, float64(stats.PartialBytes.Load()))
	m.counter(descCrowded, stats.Crowded.Load())
	m.counter(descLate, stats.Late.Load())
	var deflated, before, after uint64
	for _, e := range c.encoders {
		if e, is := e.(*dialect.DeflateEncoder); is {
			deflated, before, after = deflated+e.Messages.Load(), before+e.In.Load(), after+e.Out.Load()
		}
	}
	m.counter(descDeflated, deflated)
	m.counter(descDeflatedBytes, before, "before")
	m.counter(descDeflatedBytes, after, "after")
	c.counts.upgrades.each(func(result string, n uint64) { m.counter(descUpgrades, n, result) })
	c.counts.closes.each(func(code string, n uint64) { m.counter(descCloses, n, code) })
	m.gauge(descPending, float64(c.engine.Pending()))
	c.counts.badTokens.each(func(reason string, n uint64) { m.counter(descBadTokens, n, reason) })
	m.gauge(descBans, float64(c.bans.len()))
	m.gauge(descPages, float64(c.pages.live.Load()))
}

func (c collector) collectPeers(m metrics) {
	stats := c.peers.Stats()
	m.gauge(descAddresses, float64(stats.Addresses))
	m.counter(descAddressFull, stats.Crowded, "connections")
	m.counter(descAddressFull, stats.Hasty, "handshakes")
	m.counter(descUncounted, stats.Overflow)
}

func (c collector) collectShards(m metrics) {
	var received, sent, pings uint64
	all, most := 0, 0
	shards := c.engine.Shards()
	for i, s := range shards {
		live, stats := s.Live(), s.Stats()
		m.gauge(descShardConns, float64(live), strconv.Itoa(i))
		all, most = all+live, max(most, live)
		received += stats.BytesRead.Load()
		sent += stats.BytesWritten.Load()
		pings += stats.Pings.Load()
	}
	imbalance := 0.0
	if all > 0 {
		imbalance = float64(most)*float64(len(shards))/float64(all) - 1
	}
	m.gauge(descImbalance, imbalance)
	m.counter(descReceived, received)
	m.counter(descSent, sent)
	m.counter(descPings, pings)
}

func (c collector) collectBroadcast(m metrics) {
	var deliveries, writes, passes, nanos, lost, gaps, dropped, conflated, count uint64
	var lagging, subscriptions int64
	var sum float64
	buckets := make(map[float64]uint64)
	for _, o := range c.owners {
		stats := o.audience.Stats()
		deliveries += stats.Deliveries.Load()
		writes += stats.Writes.Load()
		passes += stats.Passes.Load()
		nanos += stats.PassNanos.Load()
		lost += stats.Lost.Load()
		gaps += stats.Gaps.Load()
		dropped += stats.Dropped.Load()
		conflated += stats.Conflated.Load()
		lagging += stats.Lagging.Load()
		subscriptions += stats.Subscriptions.Load()
		upTo, n, seconds := stats.Latency.Read()
		for bound, n := range upTo {
			buckets[bound] += n
		}
		count, sum = count+n, sum+seconds
	}
	m.counter(descDeliveries, deliveries)
	m.counter(descWrites, writes)
	m.counter(descPasses, passes)
	m <- prometheus.MustNewConstMetric(descPassSeconds, prometheus.CounterValue, float64(nanos)/1e9)
	m.counter(descLost, lost)
	m.counter(descGaps, gaps)
	m.counter(descDropped, dropped)
	m.counter(descConflated, conflated)
	m.gauge(descLagging, float64(lagging))
	m.gauge(descSubscriptions, float64(subscriptions))
	m <- prometheus.MustNewConstHistogram(descLatency, count, sum, buckets)

	hub := c.hub.Stats()
	m.counter(descPublished, hub.Published)
	m.gauge(descTopics, float64(hub.Topics))
	m.gauge(descUsers, float64(hub.Users))
	m.gauge(descIDs, float64(hub.IDs))
	m.gauge(descKeys, float64(hub.Keys))
	m.gauge(descKeyBytes, float64(hub.KeyBytes))
	m.gauge(descKeyLimit, float64(c.cfg.KeyTotal))
	m.gauge(descLogBytes, float64(hub.LogBytes))
	m.gauge(descLogLimit, float64(c.cfg.LogTotal))
	m.gauge(descWaiting, float64(hub.Waiting+c.counts.queued.Load()))
}

func (c collector) collectPool(m metrics) {
	workers := c.workers.Stats()
	m.gauge(descWorkers, float64(workers.Size))
	m.gauge(descRunning, float64(workers.Running))
	m.counter(descRefused, workers.Refused)
	m.counter(descPanics, workers.Panics)
	buffers := c.engine.Buffers().Stats()
	m.gauge(descBuffers, float64(buffers.InUse), "in_use")
	m.gauge(descBuffers, float64(buffers.Idle), "idle")
}
