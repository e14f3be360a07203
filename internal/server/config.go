package server

import (
	"log/slog"
	"time"

	"github.com/pushd/pushd/internal/auth"
	"github.com/pushd/pushd/internal/dialect"
	"github.com/pushd/pushd/internal/peers"
)

// Config is how a server is to be. The zero value of a field is its default
// where one is named; the doors have none.
type Config struct {
	Listen        string // public door: host:port
	Admin         string // admin door: host:port, or unix:PATH; "" for none
	MetricsListen string // where /metrics is served too; "" for nowhere

	Dev       bool                // everybody may subscribe and publish to everything
	Anonymous dialect.PatternList // what anybody may subscribe to
	Origins   []OriginPattern     // whose pages may connect, besides those of the host that is asked (of loopback, where Dev is set)
	Demo      bool                // publish the demo and serve its page
	DemoTape  string              // the demo plays this file instead of the market
	Echo      bool                // /echo sends back what it is sent

	Compress bool // messages are compressed for those who ask for it (permessage-deflate)

	Topics []TopicRule              // how topics are to be; the first that matches holds
	Reload func() (Reloaded, error) // reads anew how they are to be; nil where there is nothing to read; called by one goroutine at a time

	TrustProxy    peers.Networks // believed whom they say a connection is from, and not limited by address
	ProxyProtocol bool           // these begin each connection with a PROXY header

	MaxConnectionsPerAddress int // of an IPv4 address or IPv6 /64; 0: any number
	MaxHandshakesPerAddress  int // a second; 0: any number

	Auth        *auth.Verifier // of tokens on the public door; nil: nobody has a good one. Run runs it
	AuthTimeout time.Duration  // how long who is subscribed to nothing may go without a token, 5 s
	AuthCookie  string         // the cookie that may hold a token, "pushd_token"

	AdminTokens []string // the bearer tokens of the admin door, any of which will do; none asks for none
	AdminTLS    AdminTLS

	MaxConnections   int           // 10,000
	MaxHandshakes    int           // a second; 0: any number
	MaxPending       int           // connections whose handshake is not done; 0: as many as MaxConnections
	MaxMessage       int           // bytes of a payload, 64 KiB
	MaxMessageRate   int           // messages and control frames, but for pongs, of one connection in a second, 1,000; negative: any number, as with Dev
	MaxByteRate      int           // bytes of one connection in a second, 4 MiB or four times MaxMessage; negative: any number, as with Dev
	MaxSubscriptions int           // of one connection, 128
	MaxTopics        int           // but for users', 100,000
	MaxUsers         int           // 1,000,000
	MaxIDs           int           // ids of messages that are remembered, 131,072
	MaxPages         int           // ordinary HTTP connections on the public door, 64
	LogLimit         int           // bytes a topic, 4 MiB
	LogTotal         int64         // bytes, 256 MiB
	KeyTotal         int64         // bytes of the newest values of all keys, 64 MiB
	QueueTotal       int64         // bytes of output of connections' own, 64 MiB
	MemoryLimit      int64         // bytes, the kernel's for it included, at which newcomers are refused; 0: as much as there is
	InputTotal       int64         // bytes of requests and messages that are not whole, 64 MiB
	ResumeWindow     time.Duration // 1 h
	PingInterval     time.Duration // 0 is never
	UserTimeout      time.Duration // TCP_USER_TIMEOUT; 0 leaves it to the kernel
	NotSentLowat     int           // TCP_NOTSENT_LOWAT, bytes; 0 leaves it to the kernel
	HandshakeTimeout time.Duration // 5 s
	MessageTimeout   time.Duration // from a message's first byte to its last, 30 s
	IdleTimeout      time.Duration // 0 is never
	PublishTimeout   time.Duration // how long a publisher waits for room, 5 s

	DrainDelay time.Duration // from not ready to the first close, in which all goes on; 0
	DrainOver  time.Duration // how long it takes until the last connection is closed; 0: all are at once

	Shards  int // GOMAXPROCS
	Workers int // see pool.WorkersConfig

	Version string
	Logger  *slog.Logger // discard
}

func (c Config) withDefaults() Config {
	if c.Dev {
		set(&c.MaxMessageRate, -1)
		set(&c.MaxByteRate, -1)
	}
	set(&c.MaxConnections, 10_000)
	set(&c.MaxMessage, 64<<10)
	set(&c.MaxSubscriptions, 128)
	set(&c.MaxTopics, 100_000)
	set(&c.MaxUsers, 1_000_000)
	set(&c.MaxIDs, 1<<17)
	set(&c.MaxPages, 64)
	set(&c.LogLimit, 4<<20)
	set(&c.LogTotal, 256<<20)
	set(&c.KeyTotal, 64<<20)
	set(&c.ResumeWindow, time.Hour)
	set(&c.HandshakeTimeout, 5*time.Second)
	set(&c.PublishTimeout, 5*time.Second)
	set(&c.AuthTimeout, 5*time.Second)
	set(&c.AuthCookie, "pushd_token")
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

func set[T comparable](v *T, d T) {
	var zero T
	if *v == zero {
		*v = d
	}
}
