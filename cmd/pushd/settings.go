package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/pushd/pushd/conn"
	"github.com/pushd/pushd/internal/dialect"
	"github.com/pushd/pushd/internal/server"
)

// settings are how a server is to be. Field name, flag, variable and key of
// the file are the same words.
type settings struct {
	Dev                bool     `help:"Open everything to everybody, on loopback only."`
	Demo               bool     `help:"Show the demo, and open demo.> to everybody."`
	DemoTape           string   `placeholder:"FILE" help:"Play this NDJSON tape as the demo (it may be gzipped)."`
	Echo               bool     `help:"Open /echo, which sends back what it is sent, for conformance suites."`
	AnonymousSubscribe []string `placeholder:"PATTERN" help:"Topics that need no token, such as news.>."`
	AllowOrigin        []string `placeholder:"ORIGIN" help:"Web pages that may connect besides those of the same host: https://app.example.com, https://*.example.com, null or * for all."`

	Listen         string        `default:":8080" help:"The public door. With --dev or --demo 127.0.0.1:8080."`
	Admin          string        `default:"127.0.0.1:8081" help:"The admin door, or unix:PATH."`
	AuthKey        []string      `placeholder:"FILE" help:"Keys that tokens are checked by: PEM, JWK, or a secret for HS256."`
	AuthJwks       string        `placeholder:"URL" help:"Keys that tokens are checked by, as a JSON Web Key Set."`
	AuthAudience   string        `placeholder:"AUD" help:"What aud of a token has to name."`
	AuthIssuer     string        `placeholder:"ISS" help:"What iss of a token has to be."`
	AuthLeeway     time.Duration `default:"5s" help:"How far the clock of who signs tokens may be from this host's."`
	AuthCookie     string        `default:"pushd_token" help:"The cookie that may hold a token."`
	AuthTimeout    time.Duration `default:"5s" help:"How long who is subscribed to nothing may go without a token."`
	AdminTokenFile string        `placeholder:"FILE" help:"Holds the admin door's tokens, one a line, any of which will do. Needed, or --admin-client-ca, unless the door is on loopback or unix. PUSHD_ADMIN_TOKEN may hold a token itself."`
	AdminCert      string        `placeholder:"FILE" help:"Has the admin door speak TLS: its certificate and those that it follows from, in PEM."`
	AdminKey       string        `placeholder:"FILE" help:"The key of --admin-cert."`
	AdminClientCa  string        `placeholder:"FILE" help:"Whoever has a certificate of one of these may use the admin door."`
	MetricsListen  string        `placeholder:"ADDRESS" help:"Serve /metrics there too."`

	TrustProxy    []string `placeholder:"NETWORK" help:"Proxies, such as 10.0.0.0/8, that are believed whom they say a connection is from, by X-Forwarded-For or Forwarded; not limited by address."`
	ProxyProtocol bool     `help:"These begin each connection with a PROXY header, version 1 or 2."`

	MaxConnectionsPerAddress int `default:"0" help:"Connections at once from one IPv4 address or IPv6 /64; 0 is any number."`
	MaxHandshakesPerAddress  int `default:"0" help:"Handshakes a second from one; 0 is any number."`

	MaxConnections   int  `default:"0" help:"Connections at once; 0 is what the open files limit allows."`
	MaxHandshakes    int  `default:"${handshakes}" help:"Handshakes a second; 0 is any number. 20,000 a processor unless set."`
	Compress         bool `help:"Compress messages for clients that ask for it (permessage-deflate)."`
	MaxMessage       size `default:"64KiB" help:"The longest message, in bytes."`
	MaxPending       int  `default:"0" help:"Connections at once whose handshake is not done; 0 is as many as there may be connections."`
	MaxMessageRate   int  `default:"1000" help:"Messages and control frames of one connection in a second; 0 is any number. With --dev or --echo 0."`
	MaxByteRate      size `default:"4MiB" help:"Bytes that one connection may send in a second; 0 is any number. At least 4 times max-message unless set. With --dev or --echo 0."`
	MaxSubscriptions int  `default:"128" help:"Subscriptions of one connection."`
	MaxTopics        int  `default:"100000" help:"Topics at once, but for those of users."`
	MaxUsers         int  `default:"1000000" help:"Topics of users at once."`
	MaxIds           int  `default:"131072" help:"Ids of messages that are remembered."`
	LogLimit         size `default:"4MiB" help:"Bytes that one topic's log keeps. At least 4 times max-message and 4KiB unless set."`
	LogTotal         size `default:"256MiB" help:"Bytes that all logs keep together."`
	KeyTotal         size `default:"64MiB" help:"Bytes that the newest values of all keys take together, of topics that retain or conflate."`
	QueueTotal       size `default:"64MiB" help:"Bytes that all connections' own queues keep together: answers, and the rest of frames begun. At least 8 times max-message unless set."`
	InputTotal       size `default:"64MiB" help:"Bytes of requests and messages that are not whole, of all connections together. At least 8 times max-message unless set."`

	MemoryLimit size `default:"0" help:"Memory, the kernel's for it included, at which newcomers are refused; 0 is when less than a twentieth of the host's, or of the control group's, is left."`

	ResumeWindow     time.Duration `default:"1h" help:"How long a topic without subscribers can be resumed."`
	PingInterval     time.Duration `default:"25s" help:"Silence after which a connection is pinged; 0 is never."`
	UserTimeout      time.Duration `default:"60s" help:"How long a peer may leave data unacknowledged; 0 leaves it to the kernel."`
	NotsentLowat     size          `default:"16KiB" help:"Bytes that the kernel holds unsent for a connection before it takes no more; 0 leaves it to the kernel."`
	HandshakeTimeout time.Duration `default:"5s" help:"How long a handshake may take."`
	MessageTimeout   time.Duration `default:"30s" help:"How long a message may take from its first byte to its last."`
	IdleTimeout      time.Duration `default:"0" help:"Silence of a client after which it is closed; 0 is never."`
	PublishTimeout   time.Duration `default:"5s" help:"How long a publisher waits for room."`

	DrainDelay time.Duration `default:"5s" help:"Told to end: how long /readyz says 503 before the public door is closed. With --dev or --demo 0."`
	DrainOver  time.Duration `default:"15s" help:"How long closing the connections then takes; 0 closes all at once. With --dev or --demo 0."`

	Shards  int `default:"0" help:"Shards; 0 is one a processor."`
	Workers int `default:"0" help:"Workers that read from sockets; 0 is chosen by the server."`

	LogLevel  string `default:"info" help:"debug, info, warn or error."`
	LogFormat string `default:"text" help:"text or json."`
}

// expected says what a setting of v's type looks like.
func expected(v any) string {
	switch v.(type) {
	case bool:
		return "true or false"
	case int, pace:
		return "a number"
	case size:
		return "a size such as 65536, 512KiB or 4MiB"
	case time.Duration:
		return "a duration such as 25s or 1h"
	case []string:
		return "a list"
	}
	return "text"
}

// check completes the settings and reports the first that cannot be.
func (c *settings) check(src *sources) error {
	if c.Dev && c.Demo {
		return src.bad("demo", true, "false where dev is true: dev opens everything already")
	}
	if c.DemoTape != "" && !c.Demo {
		return src.bad("demo-tape", c.DemoTape, "nothing without --demo")
	}
	if c.Dev || c.Demo {
		c.relax(src)
	}
	c.makeRoom(src)
	if c.Dev || c.Echo {
		c.unhurry(src)
	}
	if err := c.checkAddresses(src); err != nil {
		return err
	}
	if err := c.checkRanges(src); err != nil {
		return err
	}
	for _, p := range c.AnonymousSubscribe {
		if _, err := dialect.ParsePattern(p); err != nil {
			return src.bad("anonymous-subscribe", p, "a pattern such as news.>: "+err.Error())
		}
	}
	for _, o := range c.AllowOrigin {
		if _, err := server.ParseOriginPattern(o); err != nil {
			return src.bad("allow-origin", o, "an origin such as https://app.example.com, https://*.example.com, null or *")
		}
	}
	if err := c.checkAuth(src); err != nil {
		return err
	}
	if err := c.checkProxies(src); err != nil {
		return err
	}
	if !slices.Contains(logLevels, c.LogLevel) {
		return src.bad("log-level", c.LogLevel, "debug, info, warn or error")
	}
	if c.LogFormat != "text" && c.LogFormat != "json" {
		return src.bad("log-format", c.LogFormat, "text or json")
	}
	return nil
}

// leastLog is what a log has to hold: a hub refuses what is more than a quarter of
// it, of which key, event and record are up to 1 KiB.
func (c *settings) leastLog() size { return 4 * (c.MaxMessage + 1<<10) }

// leastTotal is what queues, and input that is not whole, have to have room for.
func (c *settings) leastTotal() size { return 8 * c.MaxMessage }

// makeRoom raises what long messages need, where it is not set.
func (c *settings) makeRoom(src *sources) {
	for _, r := range []struct {
		flag  string
		value *size
		least size
	}{
		{"max-byte-rate", &c.MaxByteRate, 4 * c.MaxMessage},
		{"log-limit", &c.LogLimit, c.leastLog()},
		{"queue-total", &c.QueueTotal, c.leastTotal()},
		{"input-total", &c.InputTotal, c.leastTotal()},
	} {
		if !src.isSet(r.flag) {
			*r.value = max(*r.value, r.least)
		}
	}
}

// relax sets what is not set otherwise for who tries pushd out.
func (c *settings) relax(src *sources) {
	if !src.isSet("listen") {
		c.Listen = "127.0.0.1:8080"
	}
	if !src.isSet("drain-delay") {
		c.DrainDelay = 0
	}
	if !src.isSet("drain-over") {
		c.DrainOver = 0
	}
}

// unhurry lets a connection say as much as it likes, unless it is set otherwise:
// conformance suites, and whoever tries out a publisher, do.
func (c *settings) unhurry(src *sources) {
	if !src.isSet("max-message-rate") {
		c.MaxMessageRate = 0
	}
	if !src.isSet("max-byte-rate") {
		c.MaxByteRate = 0
	}
}

var logLevels = []string{"debug", "info", "warn", "error"}

// checkRanges holds each number against its bounds. Of all logs together a hub
// leaves the last 64 KiB to publishers that append at once.
func (c *settings) checkRanges(src *sources) error {
	const day = 24 * time.Hour
	for _, r := range []struct {
		flag       string
		value, min int64
		max        int64
		why        string // what min follows from, where that is another setting
		zero       string // what 0 means, where it is allowed below min
		show       func(int64) string
	}{
		{"max-connections", int64(c.MaxConnections), 1, 1 << 26, "", "as many as open files allow", number},
		{"max-handshakes", int64(c.MaxHandshakes), 1, 1 << 26, "", "any number", number},
		{"max-connections-per-address", int64(c.MaxConnectionsPerAddress), 1, 1 << 26, "", "any number", number},
		{"max-handshakes-per-address", int64(c.MaxHandshakesPerAddress), 1, 1 << 26, "", "any number", number},
		{"max-message", int64(c.MaxMessage), 1, 16 << 20, "", "", bytes},
		{"max-pending", int64(c.MaxPending), 1, 1 << 26, "", "as many as max-connections", number},
		{"max-message-rate", int64(c.MaxMessageRate), 1, 1 << 26, "", "any number", number},
		{"max-byte-rate", int64(c.MaxByteRate), int64(c.MaxMessage), 1 << 40, "max-message", "any number", bytes},
		{"max-subscriptions", int64(c.MaxSubscriptions), 1, 1 << 20, "", "", number},
		{"max-topics", int64(c.MaxTopics), 1, 1 << 30, "", "", number},
		{"max-users", int64(c.MaxUsers), 1, 1 << 30, "", "", number},
		{"max-ids", int64(c.MaxIds), 1, 1 << 26, "", "", number},
		{"log-limit", int64(c.LogLimit), int64(c.leastLog()), 16 << 30, "4 times (max-message + 1KiB)", "", bytes},
		{"log-total", int64(c.LogTotal), int64(c.LogLimit) + 64<<10, 1 << 44, "log-limit + 64KiB", "", bytes},
		{"key-total", int64(c.KeyTotal), 1 << 20, 1 << 44, "", "", bytes},
		{"queue-total", int64(c.QueueTotal), int64(c.leastTotal()), 1 << 44, "8 times max-message", "", bytes},
		{"memory-limit", int64(c.MemoryLimit), 16 << 20, 1 << 50, "", "as much as there is", bytes},
		{"auth-leeway", int64(c.AuthLeeway), int64(time.Millisecond), int64(time.Hour), "", "none", duration},
		{"auth-timeout", int64(c.AuthTimeout), int64(time.Second), int64(time.Minute), "", "", duration},
		{"input-total", int64(c.InputTotal), int64(c.leastTotal()), 1 << 44, "8 times max-message", "", bytes},
		{"resume-window", int64(c.ResumeWindow), int64(time.Second), int64(30 * day), "", "", duration},
		{"ping-interval", int64(c.PingInterval), int64(time.Second), int64(time.Hour), "", "off", duration},
		{"user-timeout", int64(c.UserTimeout), int64(time.Second), int64(time.Hour), "", "the kernel's", duration},
		{"notsent-lowat", int64(c.NotsentLowat), 1 << 10, 1 << 30, "", "the kernel's", bytes},
		{"handshake-timeout", int64(c.HandshakeTimeout), int64(100 * time.Millisecond), int64(5 * time.Minute), "", "", duration},
		{"message-timeout", int64(c.MessageTimeout), int64(100 * time.Millisecond), int64(time.Hour), "", "", duration},
		{"idle-timeout", int64(c.IdleTimeout), int64(time.Second), int64(7 * day), "", "off", duration},
		{"publish-timeout", int64(c.PublishTimeout), int64(time.Millisecond), int64(5 * time.Minute), "", "", duration},
		{"drain-delay", int64(c.DrainDelay), 0, int64(time.Hour), "", "", duration},
		{"drain-over", int64(c.DrainOver), 0, int64(time.Hour), "", "", duration},
		{"shards", int64(c.Shards), 1, conn.MaxShards, "", "one a processor", number},
		{"workers", int64(c.Workers), 1, 1 << 16, "", "chosen by the server", number},
	} {
		if r.min <= r.value && r.value <= r.max || r.zero != "" && r.value == 0 {
			continue
		}
		least := r.show(r.min)
		if r.why != "" {
			least += " (" + r.why + ")"
		}
		want := least + " to " + r.show(r.max)
		if r.zero != "" {
			want = "0 (" + r.zero + ") or " + want
		}
		return usagef("%s: %s: expected %s", src.where(r.flag), r.show(r.value), want)
	}
	return nil
}

func bytes(n int64) string { return size(n).String() }

// duration writes 1h for time's 1h0m0s.
func duration(n int64) string {
	s := time.Duration(n).String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// number writes n with commas, as people read it.
func number(n int64) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
