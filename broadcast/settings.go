package broadcast

import "time"

// Policy says what becomes of a subscriber that cannot keep up.
type Policy uint8

const (
	// Disconnect ends it when the log has lost what it needs next.
	Disconnect Policy = iota
	// Drop has it go on with the oldest that the log still has, after a
	// notice of the gap.
	Drop
	// Conflate sends it, whenever it is behind, the newest value of each
	// changed key instead of every message.
	Conflate
)

// Policies are the names of the policies, as settings and clients see them.
var Policies = [...]string{Disconnect: "disconnect", Drop: "drop", Conflate: "conflate"}

func (p Policy) String() string { return Policies[p] }

// Settings say how a topic is to be. The zero value of each field means the
// default named beside it.
type Settings struct {
	Slow Policy // Disconnect

	// MaxRate is how often, in values per key and second, a subscriber is sent
	// news of a topic that conflates: it is stepped down to one of [Rates]. 0
	// means as they come. Under other policies it is ignored.
	MaxRate float64

	// Retain has the last message of each key sent to whoever subscribes.
	Retain    bool
	RetainFor time.Duration // a retained value that was not renewed for so long is deleted; 0: never

	MaxKeys     int // keys whose newest value is known, where the topic retains or conflates; 0: 65,536
	MaxKeyBytes int // what these values may take; 0: 16 MiB

	// Deflate is the smallest payload, in bytes, that encoders may compress; 0: none.
	Deflate int

	LogLimit int     // bytes the log may hold; 0: that of Config
	History  History // what a subscriber may resume from; 0: all that the log holds
}

// History narrows how far back a subscriber may resume, by each that is not 0.
type History struct {
	Count int           // messages
	Bytes int           // of payload
	Age   time.Duration // since it was published
}

const (
	defaultMaxKeys     = 1 << 16
	defaultMaxKeyBytes = 16 << 20
	minLogLimit        = 4 << 10
)

// Rates is the ladder that rates step down to, per second.
var Rates = [...]float64{0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50}

// step returns 1 plus the index in Rates of the highest that is not above rate, or
// 0 for no limit. A rate below the lowest is the lowest.
func step(rate float64) uint8 {
	if rate == 0 {
		return 0
	}
	n := uint8(1)
	for int(n) < len(Rates) && Rates[n] <= rate {
		n++
	}
	return n
}
